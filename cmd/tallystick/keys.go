package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/services"
)

func (c *cli) keysCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "keys", Short: "Make, list, rotate, back up and destroy keys"}
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
			return c.withRegisters(cmd.Context(), func(ops services.RegisterOperations) error { return show(ops.Keys(cmd.Context())) })
		},
	}
	list.Flags().StringVar(&folder, "keys", "", "the folder of keys of a person, a reader or a custodian instead")
	list.Flags().StringVar(&o.store, "store", "", "the key officer's store instead")
	list.Flags().StringArrayVar(&o.halves, "half", nil, "a half of its key; given twice, by two people")
	list.Flags().BoolVar(&asJSON, "json", false, "one JSON array")
	cmd.AddCommand(c.keysOfficer(), c.keysVault(), c.keysPerson(), c.keysCustodian(), c.keysWatcher(), list, c.keysCreate(), c.keysRotate(), c.keysSet("disable", false),
		c.keysSet("enable", true), c.keysDestroy(), c.keysDelay(), c.keysWebhook(), c.keysBackup(), c.keysRestore(), c.keysRewrap())
	return cmd
}

func (c *cli) keysCreate() *cobra.Command {
	var domain, file string
	cmd := &cobra.Command{
		Use: "create [--domain NAME --file FILE]", Short: "Make the keys of a new installation, or of a domain of the stand-alone masker",
		Long: "Without flags it makes every key that the installation does not have yet, without running anything, and lists them. run and\n" +
			"ingest make them too. A domain's keys are a file of their own, which tallystick mask takes with --keys.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (domain == "") != (file == "") {
				return &text.Hint{Err: errors.New("--domain and --file belong together"), Hint: "tallystick keys create --domain newsletter --file newsletter.keys"}
			}
			if domain == "" {
				return c.withNewRegisters(cmd.Context(), func(ops services.RegisterOperations) error {
					l, err := ops.Keys(cmd.Context())
					if err != nil {
						return err
					}
					return c.printKeys(l)
				})
			}
			d, err := keys.OpenDomain(file, domain)
			if err != nil {
				return err
			}
			if !d.Made {
				return &text.Hint{Err: fmt.Errorf("the key file %s exists, and is of this domain", file), Hint: "tallystick mask takes it with --keys; another file would make other tokens"}
			}
			fmt.Fprintln(c.out, d.Pseudonyms.ID)
			return nil
		},
	}
	cmd.Flags().StringVar(&domain, "domain", "", "a domain of the stand-alone masker")
	cmd.Flags().StringVar(&file, "file", "", "its key file, which must not exist")
	return cmd
}

func (c *cli) keysRotate() *cobra.Command {
	var r services.RotateRequest
	cmd := &cobra.Command{
		Use: "rotate line|tap|webhook|principals", Short: "Make a new key in place of one in use, without a restart",
		Long: "line: taps on this data folder seal with the new key at once; a tap on another machine needs a copy of keys/line.pub. The\n" +
			"earlier key opens what it sealed until keys.horizon after its last use, and is destroyed then.\n" +
			"tap: batches are signed with the new key; those that were signed before are believed for keys.horizon. With --at-once they are\n" +
			"believed no more: what is on its way becomes rejections.\n" +
			"webhook: notices have a signature by both keys, so that receivers can change over: tallystick keys webhook prints the new\n" +
			"secret. The earlier key signs until it is disabled, destroyed, or the next rotation.\n" +
			"principals: declared staff and services get other pseudonyms from now on; the earlier ones can be looked up until the end of\n" +
			"their year and keys.horizon. Controls over time begin anew.\n" +
			"The keys of the ledger, the site and the installation are not rotated. keys.rotate in tallystick.yaml does it by the calendar.",
		Args: cobra.MatchAll(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Key = args[0]
			return c.withRegisters(cmd.Context(), func(ops services.RegisterOperations) error {
				res, err := ops.Rotate(cmd.Context(), r)
				if err == nil {
					fmt.Fprintln(c.out, res.Key)
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&r.AtOnce, "at-once", false, "for a tap key that others may have")
	return cmd
}

func (c *cli) keysSet(verb string, enabled bool) *cobra.Command {
	short := map[bool]string{false: "Make a retired key useless until it is enabled", true: "Make a disabled key useful again"}[enabled]
	return &cobra.Command{
		Use: verb + " ID", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withRegisters(cmd.Context(), func(ops services.RegisterOperations) error {
				return ops.SetKey(cmd.Context(), services.SetKeyRequest{ID: args[0], Enabled: enabled})
			})
		},
	}
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
