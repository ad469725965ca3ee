package main

import (
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tallystick/tallystick/services"
)

func (c *cli) keysCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "keys", Short: "Make, list and rotate keys"}
	var asJSON bool
	var folder string
	var o officerFlags
	list := &cobra.Command{
		Use: "list", Short: "List every key that exists, never its material", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			show := func(l *services.KeyList, err error) error {
				switch {
				case err != nil:
					return err
				case asJSON:
					return json.NewEncoder(c.out).Encode(l.Keys)
				}
				return c.printKeys(l)
			}
			if folder != "" || o.store != "" {
				return show(c.folderKeys(folder, &o))
			}
			return c.withOperations(cmd.Context(), func(ops services.Operations) error { return show(ops.Keys(cmd.Context())) })
		},
	}
	list.Flags().StringVar(&folder, "keys", "", "the folder of keys of a person, a reader or a custodian instead")
	list.Flags().StringVar(&o.store, "store", "", "the key officer's store instead")
	list.Flags().StringArrayVar(&o.halves, "half", nil, "a half of its key; given twice, by two people")
	list.Flags().BoolVar(&asJSON, "json", false, "one JSON array")
	cmd.AddCommand(c.keysOfficer(), c.keysVault(), c.keysPerson(), c.keysCustodian(), c.keysWatcher(), list, &cobra.Command{
		Use: "rotate line", Short: "Make a new key for sealing lines",
		Long: "Makes a new key for sealing lines. Taps on this data folder use it at once and need no restart;\n" +
			"a tap on another machine needs a copy of keys/line.pub. The earlier key opens what it sealed\n" +
			"until keys.horizon after its last use, and is destroyed then.",
		Args: cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs), ValidArgs: []string{"line"},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withOperations(cmd.Context(), func(ops services.Operations) error {
				r, err := ops.RotateLine(cmd.Context())
				if err == nil {
					fmt.Fprintln(c.out, r.Key)
				}
				return err
			})
		},
	})
	return cmd
}

func (c *cli) printKeys(l *services.KeyList) error {
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "for\tkey\tstatus\tcreated\tdestroyed")
	for _, k := range l.Keys {
		destroyed := "never"
		if !k.Destroyed.IsZero() {
			destroyed = k.Destroyed.Format(time.DateOnly)
		} else if k.Role == "line" {
			destroyed = "after it is retired"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", k.Role, k.ID, k.Status, k.Created.Format(time.DateOnly), destroyed)
	}
	return w.Flush()
}
