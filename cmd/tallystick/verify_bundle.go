package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/tallystick/tallystick/audit/evidence"
	"github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/internal/text"
)

// verifyBundle checks an evidence bundle with nothing but the ledger's key.
func (c *cli) verifyBundle(path, keyFile string) error {
	b, err := readFile(path, evidence.Read)
	if err != nil {
		return err
	}
	raw, err := os.ReadFile(keyFile)
	if err != nil {
		return fmt.Errorf("failed to read the ledger's public key: %w", err)
	}
	key, err := ledger.ParseKeyFile(raw)
	if err != nil {
		return &text.Hint{Err: err, Hint: "get what tallystick ledger key prints from the installation, not with the bundle"}
	}
	checked, err := b.Check(key)
	if errors.Is(err, ledger.ErrProof) || errors.Is(err, evidence.ErrBundle) {
		fmt.Fprintln(c.out, "FAULT", oneLine(err.Error()))
		return errNo
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%d entries, %d sealed originals, %d capsules; leaves: %d\n", len(checked.Entries), len(checked.Originals), len(checked.Capsules), checked.Leaves)
	fmt.Fprintln(c.out, "unwitnessed: whoever controlled the installation could have rewritten it before")
	fmt.Fprintln(c.out, "verified")
	return nil
}
