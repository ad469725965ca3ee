package audit_test

import (
	"testing"

	"github.com/tallystick/tallystick/audit"
)

func TestParseEntryID(t *testing.T) {
	for _, o := range []audit.Origin{{Stream: "s"}, {Stream: "-a_b-7-", Generation: 1<<32 - 1, Offset: 1<<64 - 1}, {Stream: "AbC", Offset: 10}} {
		if got, err := audit.ParseEntryID(o.EntryID()); err != nil || got != o {
			t.Errorf("%s: %+v, %v", o.EntryID(), got, err)
		}
	}
	for _, id := range []string{"", "s", "s-0", "s-0-", "-0-0", "s-0-x", "s-01-2", "s-0--1", "s-4294967296-0", "s-0-18446744073709551616"} {
		if o, err := audit.ParseEntryID(id); err == nil {
			t.Errorf("%q gave %+v", id, o)
		}
	}
}

func FuzzParseEntryID(f *testing.F) {
	f.Add("AbCdEfGhIjKlMnOp-0-195")
	f.Fuzz(func(t *testing.T, id string) {
		if o, err := audit.ParseEntryID(id); err == nil && o.EntryID() != id {
			t.Errorf("%q became %q", id, o.EntryID())
		}
	})
}
