package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tallystick/tallystick/internal/durable"
	"github.com/tallystick/tallystick/internal/private"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/services"
)

func (c *cli) keysBackup() *cobra.Command {
	var out string
	var phrase bool
	cmd := &cobra.Command{
		Use: "backup -o FILE", Short: "Back up the keys of the installation, encrypted",
		Long: "The file has every keyset and the keys of declared principals' pseudonyms. Day keys are left out, so that a destroyed one never\n" +
			"comes back: entries of days before a restore stay readable, but the same people have other pseudonyms after it. It opens with the\n" +
			"key-encryption key (the key file, or the key management service), or with a passphrase; then it holds that key too.\n" +
			"Make one after each rotation, and delete it on the day that is printed: later it would hold keys that were destroyed since.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			var r services.BackupRequest
			if phrase {
				if r.Passphrase, err = c.password(); err != nil {
					return err
				}
			}
			return c.withRegisters(cmd.Context(), func(ops services.RegisterOperations) error {
				res, err := ops.BackupKeys(cmd.Context(), r)
				if err != nil {
					return err
				}
				if err := c.newFile(out, res.Data); err != nil {
					return err
				}
				fmt.Fprintf(c.out, "delete it on %s\n", res.Until.Format(time.DateOnly))
				return nil
			})
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "the file, which must not exist; it gets mode 0600")
	cmd.Flags().BoolVar(&phrase, "passphrase", false, "encrypt it to a passphrase, asked for or one line of standard input")
	_ = cmd.MarkFlagRequired("out")
	return cmd
}

// newFile writes a file of secrets that must not exist.
func (c *cli) newFile(path string, data []byte) error {
	err := durable.New(path, data, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return &text.Hint{Err: fmt.Errorf("%s exists", path), Hint: "give a file that is not there yet with -o"}
	}
	if err != nil {
		return fmt.Errorf("failed to write %s: %w", path, err)
	}
	return nil
}

func (c *cli) keysRestore() *cobra.Command {
	return &cobra.Command{
		Use: "restore FILE", Short: "Make an installation in an empty data folder from a back-up of keys, and prove that it opens what was sealed",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := c.config()
			if err != nil {
				return err
			}
			data, err := private.Read("the back-up", args[0])
			if err != nil {
				return err
			}
			r, err := services.RestoreKeys(cmd.Context(), cfg, data, c.passphrase, logger(c.err, "warn"))
			if err != nil {
				return err
			}
			fmt.Fprintf(c.out, "restored the keys of installation %s as of %s: %d keysets open, and so does what line keys %s sealed\n",
				r.Installation, r.Made.UTC().Format(time.RFC3339), r.Keysets, strings.Join(r.LineKeys, ", "))
			if len(r.Gone) > 0 {
				fmt.Fprintf(c.out, "not restored, because their time has come: line keys %s\n", strings.Join(r.Gone, ", "))
			}
			fmt.Fprintf(c.out, "keys of declared principals: %d. Day keys are in no back-up: lines from now on get new ones\n", r.Pseudonyms)
			return nil
		},
	}
}

func (c *cli) keysRewrap() *cobra.Command {
	return &cobra.Command{
		Use: "rewrap [URI|FILE]", Short: "Have another service, or the newest version of its key, wrap the key-encryption key",
		Long: "URI is hcvault://HOST:8200/transit/keys/NAME, aws-kms://ARN or gcp-kms://projects/..., reached as keys.kms in tallystick.yaml says.\n" +
			"FILE is a key file to be written. Without either, the service that wraps it already takes the newest version of its key. No other\n" +
			"key changes. Then set keys.kek to it, and restart what runs.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var r services.RewrapRequest
			if len(args) == 1 {
				if r.To = args[0]; !strings.Contains(r.To, "://") {
					var err error
					if r.To, err = filepath.Abs(r.To); err != nil {
						return err
					}
				}
			}
			return c.withOperations(cmd.Context(), func(ops services.Operations) error {
				res, err := ops.RewrapKEK(cmd.Context(), r)
				if err != nil {
					return err
				}
				fmt.Fprintf(c.out, "set keys.kek: %s\n", res.KEK)
				if res.File != "" {
					fmt.Fprintf(c.out, "then delete %s and its copies: it still opens every key\n", res.File)
				}
				return nil
			})
		},
	}
}

func (c *cli) keysWebhook() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use: "webhook -o FILE", Short: "Write the newest secret of webhooks, for their receivers", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withRegisters(cmd.Context(), func(ops services.RegisterOperations) error {
				r, err := ops.WebhookSecret(cmd.Context())
				if err != nil {
					return err
				}
				return c.newFile(out, []byte(r.Secret+"\n"))
			})
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "the file, which must not exist; it gets mode 0600")
	_ = cmd.MarkFlagRequired("out")
	return cmd
}
