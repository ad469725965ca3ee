package grant

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/tallystick/tallystick/internal/strictyaml"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/reencrypt"
)

// Pins are the public keys that a tool or a custodian believes, from its own
// configuration file.
type Pins struct {
	// Officer is the key officer's public key: it signs vault keys.
	Officer string `yaml:"officer"`
	// Signer is the key that signs fragments, 33 bytes in base64.
	Signer string `yaml:"signer"`
	// Ledger is the verifier key of the installation's ledger: NAME+HASH+KEY,
	// as tallystick ledger key prints it.
	Ledger string `yaml:"ledger"`
	// People are those who request, approve, confirm and revoke.
	People []Person `yaml:"people"`
}

// Person is somebody whose signature counts.
type Person struct {
	// Name is what lists show.
	Name string `yaml:"name"`
	// Key is the public key that tallystick keys person printed.
	Key string `yaml:"key"`
	// May lists what the person may do: request, approve, confirm, revoke.
	May []Act `yaml:"may"`
}

// ReadPins reads a file of pins.
func ReadPins(path string) (*Pins, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("failed to read the pinned keys: %w", err)
	}
	var p Pins
	doc, err := strictyaml.Decode(path, b, &p)
	if err != nil {
		return nil, err
	}
	if err := p.Validate(func(at, hint, format string, args ...any) error { return doc.Fault(at, hint, format, args...) }); err != nil {
		return nil, err
	}
	return &p, nil
}

// Validate checks the keys. fault makes the error of a place.
func (p *Pins) Validate(fault func(at, hint, format string, args ...any) error) error {
	if _, err := keys.ParsePublic(p.Officer); err != nil {
		return fault("officer", "copy the line that tallystick keys officer printed", "officer: %v", err)
	}
	if _, err := p.signer(); err != nil {
		return fault("signer", "copy the line that tallystick keys officer printed", "signer: %v", err)
	}
	names, seen := map[string]bool{}, map[string]bool{}
	for i, x := range p.People {
		at := fmt.Sprintf("people[%d]", i)
		if _, err := keys.ParsePublic(x.Key); err != nil {
			return fault(at+".key", "copy the line that tallystick keys person printed", "%s: %v", x.Name, err)
		}
		if x.Name == "" || names[x.Name] || seen[x.Key] {
			return fault(at, "give each person an own name and an own key", "person %d has no name, or a name or a key that another has", i+1)
		}
		names[x.Name], seen[x.Key] = true, true
		for _, a := range x.May {
			if !slices.Contains([]Act{ActRequest, ActApprove, ActConfirm, ActRevoke}, a) {
				return fault(at+".may", "use request, approve, confirm, revoke", "%s: %q is no act", x.Name, string(a))
			}
		}
	}
	return nil
}

func (p *Pins) signer() (*reencrypt.PublicKey, error) {
	b, err := base64.StdEncoding.DecodeString(p.Signer)
	if err != nil {
		return nil, ErrText
	}
	return reencrypt.NewPublicKey(b)
}

func (p *Pins) officer() ed25519.PublicKey {
	k, err := keys.ParsePublic(p.Officer)
	if err != nil {
		return nil
	}
	return k
}

// Name is the name of a pinned key, "" if there is none.
func (p *Pins) Name(key string) string {
	for _, x := range p.People {
		if x.Key == key {
			return x.Name
		}
	}
	return ""
}

// Signed says who requested and approved a checked request, for a trail.
func (p *Pins) Signed(d *Document) string {
	var said []string
	for _, act := range []Act{ActRequest, ActApprove} {
		list, err := d.by(act)
		if err != nil {
			return ""
		}
		for _, k := range list {
			said = append(said, string(act)+" "+p.Name(k))
		}
	}
	return strings.Join(said, ", ")
}

// may reports whether a key is pinned for an act.
func (p *Pins) may(key string, act Act) bool {
	for _, x := range p.People {
		if x.Key == key {
			return slices.Contains(x.May, act)
		}
	}
	return false
}

// signed returns the names of the pinned people who signed a document for an
// act. Anybody else's signature for that act is ErrStranger.
func (p *Pins) signed(d *Document, act Act) (keys []string, err error) {
	keys, err = d.by(act)
	for _, k := range keys {
		if !p.may(k, act) {
			return nil, ErrStranger
		}
	}
	return keys, err
}
