package custodian

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/internal/strictyaml"
	"github.com/tallystick/tallystick/masking/grant"
	"github.com/tallystick/tallystick/masking/keys"
)

// Config is the custodian's own file. It shares nothing with the
// configuration of the installation whose fragments it keeps.
type Config struct {
	// Name is what lists and errors call this custodian. Required.
	Name string `yaml:"name"`
	// Keys is the folder that tallystick keys custodian made. Default keys
	// beside the file.
	Keys string `yaml:"keys,omitempty"`
	// Data is the folder of shares and of the trail. Default data beside the
	// file.
	Data string `yaml:"data,omitempty"`
	// Listen is HOST:PORT. Default 127.0.0.1:7443.
	Listen string `yaml:"listen,omitempty"`
	// Watcher is the public key of the installation that may read the trail,
	// base64. Optional: without it nobody may.
	Watcher string `yaml:"watcher,omitempty"`
	// Pins are the keys that the custodian believes.
	Pins grant.Pins `yaml:"pins"`
}

// LoadConfig reads the custodian's file. Relative paths are relative to its
// folder.
func LoadConfig(path string) (*Config, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("failed to read the custodian's configuration: %w", err)
	}
	c := Config{Keys: "keys", Data: "data", Listen: "127.0.0.1:7443"}
	doc, err := strictyaml.Decode(path, b, &c)
	if err != nil {
		return nil, err
	}
	if c.Name == "" {
		return nil, doc.Fault("", "add name: custodian-1", "the custodian has no name")
	}
	err = c.Pins.Validate(func(at, hint, format string, args ...any) error { return doc.Fault("pins."+at, hint, format, args...) })
	if err != nil {
		return nil, err
	}
	if _, _, err := ledger.ParseVerifierKey(c.Pins.Ledger); err != nil {
		return nil, doc.Fault("pins.ledger", "copy the line that tallystick ledger key printed", "pins.ledger: %v", err)
	}
	if c.Watcher != "" {
		if _, err := keys.ParsePublic(c.Watcher); err != nil {
			return nil, doc.Fault("watcher", "copy the line that tallystick keys watcher printed", "watcher: %v", err)
		}
	}
	for _, p := range []*string{&c.Keys, &c.Data} {
		if !filepath.IsAbs(*p) {
			*p = filepath.Join(filepath.Dir(path), *p)
		}
	}
	return &c, nil
}
