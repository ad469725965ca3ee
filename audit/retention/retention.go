// Package retention decides how long each class of the record is kept and what
// legal holds keep longer.
//
// It removes nothing: services/ledger writes the tombstones and has the store
// remove what is due, and whoever erases a person asks Holds first. The register
// of holds is in internal/registers.
package retention

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tallystick/tallystick/internal/text"
)

// Class is a class of what a chunk holds. A chunk's whole class goes at once.
type Class string

// The classes. Originals of one vault class are a class of their own:
// originals:identity.
const (
	Entries    Class = "entries"
	Findings   Class = "findings"
	Rejections Class = "rejections"
	Originals  Class = "originals"
)

const vaultPrefix = string(Originals) + ":"

var vaultClass = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// OriginalsOf is the class of the originals of a vault class.
func OriginalsOf(vault string) Class { return Class(vaultPrefix + vault) }

// Vault returns the vault class of a class of originals, "" of others and of all
// originals.
func (c Class) Vault() string {
	v, _ := strings.CutPrefix(string(c), vaultPrefix)
	if v == string(c) {
		return ""
	}
	return v
}

// Table is the table of the ledger that a class is, or is a part of.
func (c Class) Table() string {
	if c.Vault() != "" {
		return string(Originals)
	}
	return string(c)
}

// Valid reports whether c is one of the classes.
func (c Class) Valid() bool {
	switch c {
	case Entries, Findings, Rejections, Originals:
		return true
	}
	return vaultClass.MatchString(c.Vault())
}

// holds reports whether a hold on class c keeps class p, or a part of it.
func (c Class) holds(p Class) bool {
	return c == p || c.Table() == p.Table() && (c.Vault() == "" || p.Vault() == "")
}

// Config is the section retention of tallystick.yaml: how long each class is
// kept after the newest line of its chunk. Its zero value keeps rejections for
// 30 days and everything else as long as the installation.
type Config struct {
	// Entries is how long entries are kept. Default: no end. At least as long as
	// rejections.
	Entries time.Duration `yaml:"entries,omitempty"`
	// Findings is how long findings are kept. Default: no end.
	Findings time.Duration `yaml:"findings,omitempty"`
	// Rejections is how long rejections are kept; they hold sealed lines. Default
	// 720h.
	Rejections time.Duration `yaml:"rejections,omitempty"`
	// Originals is how long sealed originals are kept, by vault class; default
	// is for classes that are not named. Without it they are kept as long as
	// entries. Never longer than entries.
	Originals map[string]time.Duration `yaml:"originals,omitempty"`
}

// DefaultRejections is Config.Rejections where it is not set.
const DefaultRejections = 30 * 24 * time.Hour

// others names the vault classes that Config.Originals does not name.
const others = "default"

// shortest is the shortest retention: the record is looked through once an hour.
const shortest = 24 * time.Hour

// Validate reports the first fault, with the field's path.
func (c *Config) Validate() error {
	type field struct {
		path string
		d    time.Duration
	}
	list := []field{{"retention.entries", c.Entries}, {"retention.findings", c.Findings}, {"retention.rejections", c.Rejections}}
	for _, class := range slices.Sorted(maps.Keys(c.Originals)) {
		if !vaultClass.MatchString(class) {
			return &text.Hint{Err: errors.New("retention.originals: not the name of a vault class"), Hint: "write originals: {identity: 2160h, default: 720h}"}
		}
		at := "retention.originals." + class
		list = append(list, field{at, c.Originals[class]})
		if c.Entries > 0 && c.Originals[class] > c.Entries {
			return &text.Hint{Err: fmt.Errorf("%s: longer than retention.entries", at), Hint: "keep originals at most as long as the entries they belong to"}
		}
	}
	for _, f := range list {
		if f.d != 0 && f.d < shortest {
			return &text.Hint{Err: fmt.Errorf("%s: shorter than a day", f.path), Hint: "write 720h for 30 days"}
		}
	}
	if c.Entries > 0 && c.Entries < c.rejections() {
		return &text.Hint{Err: errors.New("retention.entries: shorter than retention.rejections"), Hint: "a line is an entry or a rejection: keep rejections at most as long as entries"}
	}
	return nil
}

func (c *Config) rejections() time.Duration {
	if c.Rejections == 0 {
		return DefaultRejections
	}
	return c.Rejections
}

// Of returns how long a class is kept, 0 for as long as the installation.
func (c *Config) Of(class Class) time.Duration {
	switch class {
	case Entries:
		return c.Entries
	case Findings:
		return c.Findings
	case Rejections:
		return c.rejections()
	}
	for _, key := range []string{class.Vault(), others} {
		if d, ok := c.Originals[key]; ok {
			return d
		}
	}
	return c.Entries
}
