package keys

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/tallystick/tallystick/internal/durable"
	"github.com/tallystick/tallystick/internal/text"
)

// stays says why a role's key is never rotated.
var stays = map[Role]string{
	RoleLedger:  "checkpoints, proofs and witnesses are checked with this key, and a log has one for its life",
	RoleSite:    "it names the streams, so every source would begin again under another name",
	RoleInstall: "taps were given it to tell this installation's keys from others",
}

// Rotate makes a new key for a role of the installation and returns its id.
// Running processes take it without a restart. What the key before sealed,
// signed or named is good for kept longer. Only the process with the auditor
// rotates.
func (s *Store) Rotate(r Role, now time.Time, kept time.Duration) (string, error) {
	switch r {
	case RoleLine:
		return s.RotateLine(now)
	case RoleTap:
		return s.rotateTap(now, kept)
	case RoleWebhook:
		return s.rotateWebhook()
	}
	if why, ok := stays[r]; ok {
		return "", &text.Hint{Err: fmt.Errorf("the %s key is not rotated: %s", r, why), Hint: "where it may be known to others, begin a new installation and keep this one to be read"}
	}
	return "", &text.Hint{Err: fmt.Errorf("%q is no key of an installation", r), Hint: "one of line, tap, webhook, principals"}
}

// rotateTap enrols a new key of the local tap before it is used. The private
// half of the one before is destroyed; its signatures, and those of keys before
// it, are believed for kept at most.
func (s *Store) rotateTap(now time.Time, kept time.Duration) (string, error) {
	s.changes.Lock()
	defer s.changes.Unlock()
	before, err := s.signer(RoleTap)
	if err != nil {
		return "", err
	}
	h, err := generate(RoleTap)
	if err != nil {
		return "", fmt.Errorf("failed to make a tap key: %w", err)
	}
	next, err := signerOf(RoleTap, h)
	if err != nil {
		return "", err
	}
	have, err := s.enrolled(LocalTap)
	if err != nil {
		return "", err
	}
	have = slices.DeleteFunc(have, func(e enrolment) bool { return !e.holds(now) })
	until := now.Add(kept).UTC()
	for i := range have {
		if have[i].Until.IsZero() || have[i].Until.After(until) || ed25519.PublicKey(have[i].Key).Equal(before.Public()) {
			have[i].Until = until
		}
	}
	if err := s.enrol(LocalTap, slices.Insert(have, 0, enrolment{Key: next.Public()})...); err != nil {
		return "", err
	}
	return next.ID, s.write(RoleTap, keyset.NewManagerFromHandle(h))
}

// rotateWebhook keeps the key before beside the new one, so that receivers can
// be given the new one at leisure.
func (s *Store) rotateWebhook() (id string, err error) {
	p, err := parameters(RoleWebhook)
	if err != nil {
		return "", err
	}
	err = s.change(RoleWebhook, func(m *keyset.Manager, h *keyset.Handle) error {
		for i := range h.Len() {
			e, err := h.Entry(i)
			if err != nil {
				return err
			}
			if !e.IsPrimary() {
				if err := m.Delete(e.KeyID()); err != nil {
					return err
				}
			}
		}
		n, err := m.AddNewKeyFromParameters(p)
		if err != nil {
			return err
		}
		id = keyID(n)
		return m.SetPrimary(n)
	})
	return id, err
}

// ErrPrimary is wrapped where an act needs a key that is not the one in use.
var ErrPrimary = errors.New("it is the key in use")

// SetEnabled disables a key that is not in use, or enables it again: a line key
// then opens nothing, and a webhook key signs nothing.
func (s *Store) SetEnabled(r Role, id string, enabled bool) error {
	return s.change(r, func(m *keyset.Manager, h *keyset.Handle) error {
		n, err := other(h, r, id)
		if err != nil {
			return err
		}
		if enabled {
			return m.Enable(n)
		}
		return m.Disable(n)
	})
}

// Destroy destroys a key that is not in use, for ever.
func (s *Store) Destroy(r Role, id string) error {
	return s.change(r, func(m *keyset.Manager, h *keyset.Handle) error {
		n, err := other(h, r, id)
		if err != nil {
			return err
		}
		return m.Delete(n)
	})
}

// ErrNoKey is wrapped where a keyset has no key of an id.
var ErrNoKey = errors.New("no such key")

// other finds a key of h that is not the one in use.
func other(h *keyset.Handle, r Role, id string) (uint32, error) {
	for i := range h.Len() {
		e, err := h.Entry(i)
		switch {
		case err != nil:
			return 0, err
		case keyID(e.KeyID()) != id:
		case e.IsPrimary():
			return 0, &text.Hint{Err: fmt.Errorf("%s key %s: %w", r, id, ErrPrimary), Hint: "rotate it first: tallystick keys rotate " + string(r)}
		default:
			return e.KeyID(), nil
		}
	}
	return 0, fmt.Errorf("%w: %s %s", ErrNoKey, r, id)
}

// change writes the keyset of a role as f leaves it.
func (s *Store) change(r Role, f func(*keyset.Manager, *keyset.Handle) error) error {
	s.changes.Lock()
	defer s.changes.Unlock()
	h, err := s.handle(r)
	if err != nil {
		return err
	}
	m := keyset.NewManagerFromHandle(h)
	if err := f(m, h); err != nil {
		return fmt.Errorf("failed to change the keyset %s: %w", r, err)
	}
	return s.write(r, m)
}

// write replaces the keyset of a role.
func (s *Store) write(r Role, m *keyset.Manager) error {
	h, err := m.Handle()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := h.WriteWithAssociatedData(keyset.NewJSONWriter(&b), s.kek, associated(r)); err != nil {
		return fmt.Errorf("failed to wrap keyset %s: %w", r, err)
	}
	if err := durable.Replace(s.path(r), b.Bytes(), 0o600); err != nil {
		return fmt.Errorf("failed to write keyset %s: %w", r, err)
	}
	return nil
}

// follow forgets a keyset when its file is another than the one that was read.
// The caller holds mu.
func (s *Store) follow(r Role) error {
	f, err := os.Stat(s.path(r))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("failed to read keyset %s: %w", r, err)
	}
	if before := s.files[r]; before != nil && !unchanged(before, f) {
		delete(s.handles, r)
	}
	s.files[r] = f
	return nil
}

// unchanged reports whether nobody wrote a file since. After two changes it may
// have the number again that it had before, so its time and size count too.
func unchanged(before, now fs.FileInfo) bool {
	return os.SameFile(before, now) && before.ModTime().Equal(now.ModTime()) && before.Size() == now.Size()
}
