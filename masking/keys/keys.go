// Package keys keeps the Tink keysets: it makes, loads and lists them, wraps
// them by a key encryption key (KEK), and makes and destroys the day keys of
// pseudonyms.
//
// It is the only importer of Tink's keyset input and output and of its access
// to secret key bytes. It masks and seals nothing itself: masking/seal, masking
// and audit/ledger ask it for primitives, and services opens it.
package keys

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/key"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf/hmacprf"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/tallystick/tallystick/internal/durable"
	"github.com/tallystick/tallystick/internal/text"
)

// Role names what a keyset is for. It is the name of the keyset's file and is
// bound to the keyset as associated data.
type Role string

// The roles. Which process holds which: a tap has tap and site (and the public
// halves of line and install), the auditor line, site and erasure, the ledger ledger,
// the alerter webhook; install stays with whoever enrols taps.
const (
	RoleLine    Role = "line"    // HPKE: taps seal lines, the auditor opens them
	RoleInstall Role = "install" // Ed25519: signs the public keys that taps believe
	RoleTap     Role = "tap"     // Ed25519: signs this tap's batches
	RoleSite    Role = "site"    // PRF: stream names and line marks; opens nothing
	RoleLedger  Role = "ledger"  // Ed25519: signs checkpoints
	RoleWebhook Role = "webhook" // 32 bytes: MAC of webhooks
	RoleErasure Role = "erasure" // PRF: tombstones of erased persons
	RolePerson  Role = "person"  // Ed25519: whoever requests, approves, reads or keeps fragments, and the key officer
	RoleInbox   Role = "inbox"   // HPKE: what is sent to a custodian
)

// roles are an installation's, in the order in which Ensure makes them; known
// are all that a folder may have.
var (
	roles = []Role{RoleInstall, RoleLine, RoleTap, RoleSite, RoleLedger, RoleWebhook, RoleErasure}
	known = append(roles[:len(roles):len(roles)], RolePerson, RoleInbox)
)

// ErrNoKeyset is wrapped by errors about a role that this folder has no keyset of.
var ErrNoKeyset = errors.New("no such keyset")

// Store is a folder of keysets, each wrapped by the KEK. It is safe for use by
// several goroutines; several processes may share the folder.
type Store struct {
	dir string
	kek tink.AEAD

	mu      sync.Mutex
	handles map[Role]*keyset.Handle // guarded by mu
	files   map[Role]fs.FileInfo    // of the keysets as they were read; guarded by mu

	changes sync.Mutex // one change of a keyset at a time
}

// Open opens the folder, creates it if it is missing, and unwraps every
// keyset in it, so that a KEK that does not fit is told at once.
func Open(dir string, kek tink.AEAD) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("failed to create the folder of keysets: %w", err)
	}
	s := &Store{dir: dir, kek: kek, handles: map[Role]*keyset.Handle{}, files: map[Role]fs.FileInfo{}}
	for _, r := range known {
		if _, err := s.handle(r); err != nil && !errors.Is(err, ErrNoKeyset) {
			return nil, err
		}
	}
	return s, nil
}

// Ensure makes every keyset that is missing, the signed public half of the
// line key and the enrolment of the tap "local". What exists is left alone.
func (s *Store) Ensure(ctx context.Context) error {
	for _, r := range roles {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.ensure(r); err != nil {
			return err
		}
	}
	if err := s.publish(); err != nil {
		return err
	}
	tap, err := s.TapSigner()
	if err != nil {
		return err
	}
	have, err := s.enrolled(LocalTap)
	if err != nil && !errors.Is(err, ErrNotEnrolled) {
		return err
	}
	current := func(e enrolment) bool { return tap.Public().Equal(ed25519.PublicKey(e.Key)) }
	if slices.ContainsFunc(have, func(e enrolment) bool { return current(e) && e.Until.IsZero() }) {
		return nil
	}
	// A rotation that was cut off has given the key that is still used an end.
	have = slices.DeleteFunc(have, current)
	return s.enrol(LocalTap, slices.Insert(have, 0, enrolment{Key: tap.Public()})...)
}

func (s *Store) ensure(r Role) error {
	_, err := s.handle(r)
	if !errors.Is(err, ErrNoKeyset) {
		return err
	}
	h, err := generate(r)
	if err != nil {
		return fmt.Errorf("failed to make keyset %s: %w", r, err)
	}
	var b bytes.Buffer
	if err := h.WriteWithAssociatedData(keyset.NewJSONWriter(&b), s.kek, associated(r)); err != nil {
		return fmt.Errorf("failed to wrap keyset %s: %w", r, err)
	}
	if err := durable.New(s.path(r), b.Bytes(), 0o600); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("failed to write keyset %s: %w", r, err)
	}
	_, err = s.handle(r) // the file's keyset: another process may have been first
	return err
}

// generate makes a keyset of one fresh key, by the role's parameters.
func generate(r Role) (*keyset.Handle, error) {
	p, err := parameters(r)
	if err != nil {
		return nil, err
	}
	return fresh(p)
}

func fresh(p key.Parameters) (*keyset.Handle, error) {
	m := keyset.NewManager()
	id, err := m.AddNewKeyFromParameters(p)
	if err != nil {
		return nil, err
	}
	if err := m.SetPrimary(id); err != nil {
		return nil, err
	}
	return m.Handle()
}

func associated(r Role) []byte { return []byte("tallystick keyset " + string(r)) }

func (s *Store) path(r Role) string { return filepath.Join(s.dir, string(r)+".keyset") }

// handle returns the keyset of a role. It is read again when its file has
// changed, so that a rotation needs no restart.
func (s *Store) handle(r Role) (*keyset.Handle, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.follow(r); err != nil {
		return nil, err
	}
	if h := s.handles[r]; h != nil {
		return h, nil
	}
	b, err := os.ReadFile(s.path(r)) // wrapped, so its mode decides nothing
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNoKeyset, r)
	}
	if err != nil {
		return nil, fmt.Errorf("failed to read keyset %s: %w", r, err)
	}
	h, err := keyset.ReadWithAssociatedData(keyset.NewJSONReader(bytes.NewReader(b)), s.kek, associated(r))
	if err != nil {
		return nil, &text.Hint{
			Err:  fmt.Errorf("failed to unwrap keyset %s: the key file does not fit this data folder, or %s was changed", r, s.path(r)),
			Hint: "put back the key file that was made with this data folder, from its back-up",
		}
	}
	s.handles[r] = h
	return h, nil
}

// SitePRF returns the site fingerprint key.
func (s *Store) SitePRF() (*PRF, error) {
	h, err := s.handle(RoleSite)
	if err != nil {
		return nil, err
	}
	return prfOf(h)
}

// ErasurePRF returns the erasure-check key. Who holds it together with the
// register of tombstones can test a guess of who was erased.
func (s *Store) ErasurePRF() (*PRF, error) {
	h, err := s.handle(RoleErasure)
	if err != nil {
		return nil, err
	}
	return prfOf(h)
}

// WebhookSecrets returns the keys of 32 bytes that webhooks are signed with, the
// newest first. Receivers may still have an earlier one until it is disabled.
func (s *Store) WebhookSecrets() ([][]byte, error) {
	h, err := s.handle(RoleWebhook)
	if err != nil {
		return nil, err
	}
	var out [][]byte
	for i := range h.Len() {
		e, err := h.Entry(i)
		if err != nil {
			return nil, err
		}
		if e.KeyStatus() != keyset.Enabled {
			continue
		}
		b, err := secretOf(e)
		if err != nil {
			return nil, err
		}
		if e.IsPrimary() {
			out = slices.Insert(out, 0, b)
		} else {
			out = append(out, b)
		}
	}
	return out, nil
}

// TapSigner returns the signer of this tap's batches as its key is now.
func (s *Store) TapSigner() (*Signer, error) { return s.signer(RoleTap) }

// LedgerSigner returns the signer of checkpoints. Its signatures are raw
// Ed25519, as signed notes have them.
func (s *Store) LedgerSigner() (*Signer, error) { return s.signer(RoleLedger) }

// secretOf returns the bytes of an HMAC key.
func secretOf(e *keyset.Entry) ([]byte, error) {
	k, ok := e.Key().(*hmacprf.Key)
	if !ok {
		return nil, errors.New("the keyset's key is not an HMAC key")
	}
	return k.KeyBytes().Data(insecuresecretdataaccess.Token{}), nil
}

// Info describes one key of the folder; it holds no key material.
type Info struct {
	Role    Role
	KeyID   string
	Created time.Time // of the keyset's file, UTC
	Status  string    // primary, enabled or disabled
}

// List describes the keys of the folder, by role, then the named keysets of
// proxy re-encryption under reencrypt/NAME.
func (s *Store) List() ([]Info, error) {
	var out []Info
	for _, r := range known {
		h, err := s.handle(r)
		if errors.Is(err, ErrNoKeyset) {
			continue
		}
		if err != nil {
			return nil, err
		}
		f, err := os.Stat(s.path(r))
		if err != nil {
			return nil, err
		}
		in, err := describe(r, h, f.ModTime().UTC())
		if err != nil {
			return nil, err
		}
		out = append(out, in...)
	}
	named, err := s.listReencrypt()
	if err != nil {
		return nil, err
	}
	out = append(out, named...)
	return out, nil
}

// describe lists the keys of one keyset.
func describe(r Role, h *keyset.Handle, created time.Time) ([]Info, error) {
	var out []Info
	for i := range h.Len() {
		e, err := h.Entry(i)
		if err != nil {
			return nil, err
		}
		in := Info{Role: r, KeyID: keyID(e.KeyID()), Created: created, Status: "disabled"}
		switch {
		case e.IsPrimary():
			in.Status = "primary"
		case e.KeyStatus() == keyset.Enabled:
			in.Status = "enabled"
		}
		out = append(out, in)
	}
	return out, nil
}

// signed is a public key that the installation key vouches for: the content of
// line.pub and taps/ID.pub.
type signed struct {
	Name      string          `json:"name"` // line, or tap:ID
	KeyID     string          `json:"key_id"`
	Key       json.RawMessage `json:"key"`
	Signature []byte          `json:"signature"`
}

func (s signed) message() []byte {
	b := append([]byte("tallystick public key v1\x00"), s.Name...)
	b = append(append(b, 0), s.KeyID...)
	return append(append(b, 0), s.Key...)
}

func (s signed) verify(install ed25519.PublicKey, name string) error {
	if s.Name != name || !ed25519.Verify(install, s.message(), s.Signature) {
		return fmt.Errorf("the public key of %s: %w", name, errUnsigned)
	}
	return nil
}
