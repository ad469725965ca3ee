package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/tallystick/tallystick/audit/custody"
	"github.com/tallystick/tallystick/internal/durable"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking"
	"github.com/tallystick/tallystick/masking/grant"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/services"
)

// signerName is the officer's keyset that signs fragments.
const signerName = "signer"

// officerFlags open the key officer's store with two halves.
type officerFlags struct {
	store  string
	halves []string
}

func (o *officerFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.store, "store", "", "the key officer's folder")
	cmd.Flags().StringArrayVar(&o.halves, "half", nil, "a half of its key; given twice, by two people")
	for _, f := range []string{"store", "half"} {
		_ = cmd.MarkFlagRequired(f)
	}
}

func (o *officerFlags) open() (*keys.Store, error) {
	if len(o.halves) != 2 {
		return nil, &text.Hint{Err: errors.New("the key officer's store opens with two halves"), Hint: "--half FILE --half FILE, one of each person"}
	}
	if _, err := os.Stat(o.store); err != nil {
		return nil, fmt.Errorf("failed to open the key officer's store: %w", err)
	}
	kek, err := keys.SharedKEK(o.halves[0], o.halves[1])
	if err != nil {
		return nil, err
	}
	return keys.Open(o.store, kek)
}

func (c *cli) keysOfficer() *cobra.Command {
	var o officerFlags
	cmd := &cobra.Command{
		Use: "officer --store DIR --half FILE --half FILE", Short: "Make the key officer's store, and the two halves that open it",
		Long: "The store has the private delegator keys: who opens it reads every original without a custodian. Each half alone says\n" +
			"nothing about the key; give each to another person, and keep the store off the servers. It prints the two public keys\n" +
			"that tallystick.yaml, pins and custodians name.",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if len(o.halves) != 2 {
				return &text.Hint{Err: errors.New("the key officer's store has two halves"), Hint: "--half FILE --half FILE, where no file is yet"}
			}
			if _, err := os.Stat(o.store); err == nil {
				return &text.Hint{Err: fmt.Errorf("the key officer's store %s exists", o.store), Hint: "tallystick keys vault makes the keys of further months in it"}
			}
			if err := keys.CreateHalves(o.halves[0], o.halves[1]); err != nil {
				return err
			}
			if err := os.MkdirAll(o.store, 0o700); err != nil {
				return fmt.Errorf("failed to make the key officer's store: %w", err)
			}
			s, err := o.open()
			if err != nil {
				return err
			}
			if err := s.Create(keys.RolePerson); err != nil {
				return err
			}
			pair, err := s.CreateReencrypt(signerName)
			if err != nil {
				return err
			}
			signer, _, err := pair.Primary()
			if err != nil {
				return err
			}
			officer, err := s.PersonSigner()
			if err != nil {
				return err
			}
			fmt.Fprintf(c.out, "officer: %s\nsigner: %s\n", grant.KeyText(officer.Public()), base64.StdEncoding.EncodeToString(signer.Public().Bytes()))
			return nil
		},
	}
	o.add(cmd)
	return cmd
}

func (c *cli) keysVault() *cobra.Command {
	var o officerFlags
	var classes []string
	var from, out string
	var months int
	cmd := &cobra.Command{
		Use: "vault --store DIR --half FILE --half FILE --class CLASS --from 2026-11 --months 6 -o vault.json", Short: "Make the vault keys of a class for coming months, and sign their public halves",
		Long: "The file is for vault.keys of tallystick.yaml: the auditor seals originals to these keys and can't open them. Months that\n" +
			"are there stay as they are.",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			first, err := time.Parse("2006-01", from)
			if err != nil || months < 1 || months > 120 {
				return &text.Hint{Err: errors.New("the months are not understood"), Hint: "--from 2026-11 --months 6, at most 120"}
			}
			s, err := o.open()
			if err != nil {
				return err
			}
			var list []keys.VaultKey
			for _, class := range classes {
				if !masking.ValidClass(class) {
					return &text.Hint{Err: fmt.Errorf("%q is no vault class", class), Hint: "the masking policy names them; built in are identity and network"}
				}
				for m := range months {
					k, err := s.CreateVaultKey(class, first.AddDate(0, m, 0).Format("2006-01"))
					if err != nil {
						return err
					}
					list = append(list, k)
					fmt.Fprintf(c.out, "%s %s %s\n", k.Class, k.Month, k.KeyID)
				}
			}
			return keys.WriteVaultKeys(out, list)
		},
	}
	o.add(cmd)
	f := cmd.Flags()
	f.StringArrayVar(&classes, "class", nil, "vault class of the masking policy; may be given again")
	f.StringVar(&from, "from", time.Now().UTC().Format("2006-01"), "first month")
	f.IntVar(&months, "months", 3, "how many months")
	f.StringVarP(&out, "output", "o", "vault.json", "file of signed public keys; what it has is kept")
	_ = cmd.MarkFlagRequired("class")
	f.Lookup("from").DefValue = "this month"
	return cmd
}

// keyFolder is the folder of keys of whoever acts.
type keyFolder struct {
	dir        string
	passphrase bool
}

func (k *keyFolder) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&k.dir, "keys", "", "your folder of keys")
	_ = cmd.MarkFlagRequired("keys")
}

func (k *keyFolder) addNew(cmd *cobra.Command) {
	k.add(cmd)
	cmd.Flags().BoolVar(&k.passphrase, "passphrase", false, "wrap the keys by a passphrase instead of the key file DIR.kek")
}

func (k *keyFolder) create(c *cli, roles ...keys.Role) (*keys.Store, error) {
	var passphrase string
	var err error
	if k.passphrase {
		if passphrase, err = c.password(); err != nil {
			return nil, err
		}
	}
	s, _, err := keys.CreateFolder(k.dir, passphrase, roles...)
	return s, err
}

func (k *keyFolder) signer(c *cli) (*keys.Signer, error) {
	s, _, err := keys.OpenFolder(k.dir, c.passphrase)
	if err != nil {
		return nil, err
	}
	return s.PersonSigner()
}

func (c *cli) keysPerson() *cobra.Command {
	var k keyFolder
	cmd := &cobra.Command{Use: "person --keys DIR", Short: "Make the key with which you request, approve, confirm or revoke", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			s, err := k.create(c, keys.RolePerson)
			if err != nil {
				return err
			}
			signer, err := s.PersonSigner()
			if err != nil {
				return err
			}
			fmt.Fprintf(c.out, "key: %s\n", grant.KeyText(signer.Public()))
			return nil
		}}
	k.addNew(cmd)
	return cmd
}

func (c *cli) keysCustodian() *cobra.Command {
	var k keyFolder
	var card custody.Card
	var out string
	cmd := &cobra.Command{Use: "custodian --keys DIR --name NAME --address HOST:PORT -o CARD", Short: "Make a custodian's keys, and the card by which others reach it", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			s, err := k.create(c, keys.RolePerson, keys.RoleInbox)
			if err != nil {
				return err
			}
			signer, err := s.PersonSigner()
			if err != nil {
				return err
			}
			card.Key = grant.KeyText(signer.Public())
			if card.Inbox, err = s.InboxPublic(); err != nil {
				return err
			}
			fmt.Fprintf(c.out, "key: %s\n", card.Key)
			return saveJSON(out, &card)
		}}
	k.addNew(cmd)
	f := cmd.Flags()
	f.StringVar(&card.Name, "name", "", "name of the custodian")
	f.StringVar(&card.Address, "address", "127.0.0.1:7443", "HOST:PORT at which others reach it")
	f.StringVarP(&out, "output", "o", "custodian.json", "the card")
	_ = cmd.MarkFlagRequired("name")
	return cmd
}

// folderKeys lists the keys of a folder or of the key officer's store.
func (c *cli) folderKeys(dir string, o *officerFlags) (*services.KeyList, error) {
	var s *keys.Store
	var err error
	if dir != "" {
		s, _, err = keys.OpenFolder(dir, c.passphrase)
	} else {
		s, err = o.open()
	}
	if err != nil {
		return nil, err
	}
	list, err := s.List()
	out := &services.KeyList{}
	for _, k := range list {
		out.Keys = append(out.Keys, services.KeyInfo{Role: string(k.Role), ID: k.KeyID, Status: k.Status, Created: k.Created})
	}
	return out, err
}

func (c *cli) keysWatcher() *cobra.Command {
	return &cobra.Command{Use: "watcher", Short: "Print the key that custodians have to let read their trails", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withOperations(cmd.Context(), func(ops services.Operations) error {
				k, err := ops.WatcherKey(cmd.Context())
				if err == nil {
					fmt.Fprintf(c.out, "watcher: %s\n", k.Key)
				}
				return err
			})
		}}
}

// saveJSON writes a file that holds no secret; it replaces none.
func saveJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	err = durable.New(path, append(b, '\n'), 0o644)
	if errors.Is(err, fs.ErrExist) {
		return &text.Hint{Err: fmt.Errorf("the file %s exists", path), Hint: "give another path with -o, or move the file away"}
	}
	if err != nil {
		return fmt.Errorf("failed to write %s: %w", path, err)
	}
	return nil
}
