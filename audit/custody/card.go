package custody

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tallystick/tallystick/masking/grant"
	"github.com/tallystick/tallystick/masking/keys"
)

// Card is how others reach a custodian and know it.
type Card struct {
	Name    string          `json:"name"`
	Address string          `json:"address"` // HOST:PORT
	Key     string          `json:"key"`     // public key, base64
	Inbox   json.RawMessage `json:"inbox"`   // what shares are sealed to
}

// ReadCard reads the file of a card.
func ReadCard(path string) (*Card, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("failed to read a custodian's card: %w", err)
	}
	var c Card
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil || c.Name == "" || c.Name != filepath.Base(c.Name) {
		return nil, fmt.Errorf("failed to read a custodian's card: %s is malformed", path)
	}
	if _, err := keys.ParsePublic(c.Key); err != nil {
		return nil, fmt.Errorf("failed to read a custodian's card: %s: %w", path, err)
	}
	return &c, nil
}

// Recipient is the custodian as a share is sealed to it.
func (c *Card) Recipient() (grant.Custodian, error) {
	key, err := keys.ParsePublic(c.Key)
	if err != nil {
		return grant.Custodian{}, err
	}
	inbox, err := keys.InboxEncrypt(c.Inbox)
	return grant.Custodian{Key: key, Inbox: inbox}, err
}

// Client returns a client of the custodian that shows the certificate of signer.
func (c *Card) Client(signer grant.Signer) (*Client, error) {
	key, err := keys.ParsePublic(c.Key)
	if err != nil {
		return nil, errors.New("the custodian's card has no key")
	}
	return NewClient(c.Address, key, signer)
}
