package main

import (
	"fmt"
	"os"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/tallystick/tallystick/audit/datamap"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/services"
)

func (c *cli) configCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Check and print the configuration"}
	cmd.AddCommand(
		&cobra.Command{Use: "check", Short: "Check tallystick.yaml, the data map and the controls", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
			cfg, err := c.config()
			if err != nil {
				return err
			}
			if err := services.Check(cfg); err != nil {
				return err
			}
			for _, w := range cfg.Warnings() {
				fmt.Fprintln(c.err, "warning:", w)
			}
			fmt.Fprintln(c.out, "ok")
			return nil
		}},
		&cobra.Command{Use: "print", Short: "Print the configuration with every default", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
			cfg, err := c.config()
			if err != nil {
				return err
			}
			return yaml.NewEncoder(c.out).Encode(cfg)
		}}, c.configDDL())
	return cmd
}

func (c *cli) configDDL() *cobra.Command {
	var users bool
	cmd := &cobra.Command{
		Use: "ddl [--users]", Short: "Print the SQL that makes the tables of the configured ClickHouse", Args: cobra.NoArgs,
		Long: "Prints what tallystick run carries out at its first start on a ClickHouse server or cluster, for whoever does not let it make tables.\n" +
			"With --users it prints two users and their grants instead: one that writes, clickhouse.user, and one that reads, clickhouse.reader.",
		RunE: func(*cobra.Command, []string) error {
			cfg, err := c.config()
			if err != nil {
				return err
			}
			list, err := services.DDL(cfg, users)
			if err != nil {
				return err
			}
			for _, sql := range list {
				fmt.Fprintf(c.out, "%s;\n\n", sql)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&users, "users", false, "the users and their grants instead")
	return cmd
}

func (c *cli) datamapCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "datamap", Short: "Check the data map"}
	cmd.AddCommand(&cobra.Command{Use: "check [FILE]", Short: "Check a data map; default the configuration's", Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			cfg, err := c.config()
			if err != nil {
				return err
			}
			path := cfg.DataMap
			if len(args) == 1 {
				path = args[0]
			}
			if _, err := datamap.Load(path); err != nil {
				return err
			}
			fmt.Fprintln(c.out, "ok")
			return nil
		}})
	return cmd
}

func (c *cli) requestsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "requests", Short: "The register of privacy requests"}
	cmd.AddCommand(&cobra.Command{Use: "import FILE.csv", Short: "Add requests from a CSV file; a file with a fault is refused whole", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := os.ReadFile(args[0])
			if err != nil {
				return &text.Hint{Err: fmt.Errorf("failed to read %s", args[0]), Hint: "check the path"}
			}
			return c.withNewRegisters(cmd.Context(), func(ops services.RegisterOperations) error {
				res, err := ops.ImportRequests(cmd.Context(), services.ImportRequest{Name: args[0], Data: b})
				if err != nil {
					return err
				}
				fmt.Fprintf(c.out, "%d requests imported\n", res.Requests)
				return nil
			})
		}})
	return cmd
}
