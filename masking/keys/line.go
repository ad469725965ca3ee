package keys

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/tallystick/tallystick/internal/durable"
)

// lineTimesFile says when each line key was made, retired and last used. It
// holds no secret; a key that it does not name was made with the keyset's file.
const lineTimesFile = "line.times"

// usedEvery is how often the last use of a line key is noted.
const usedEvery = time.Hour

// LineKey is one of the keys that taps seal lines with.
type LineKey struct {
	ID      string
	Created time.Time // UTC
	Retired time.Time // when a later key took its place, UTC; zero for the newest
	// Used is when it last opened a batch, to within an hour, UTC; zero if it
	// never did. A tap that has an old public half still seals with a retired key.
	Used time.Time
}

// Destroyable is when nothing needs the key any more that was sealed under it
// and is kept for so long; zero for the newest key.
func (k LineKey) Destroyable(kept time.Duration) time.Time {
	switch {
	case k.Retired.IsZero():
		return time.Time{}
	case k.Used.After(k.Retired):
		return k.Used.Add(kept)
	}
	return k.Retired.Add(kept)
}

type lineTimes struct {
	Created time.Time `json:"created"`
	Retired time.Time `json:"retired,omitzero"`
	Used    time.Time `json:"used,omitzero"`
}

// LineKeys are the line keys whose private half still exists, the oldest first.
func (s *Store) LineKeys() ([]LineKey, error) {
	h, err := s.handle(RoleLine)
	if err != nil {
		return nil, err
	}
	times, err := s.lineTimes()
	if err != nil {
		return nil, err
	}
	f, err := os.Stat(s.path(RoleLine))
	if err != nil {
		return nil, fmt.Errorf("failed to read the line keys: %w", err)
	}
	var out []LineKey
	for i := range h.Len() {
		e, err := h.Entry(i)
		if err != nil {
			return nil, err
		}
		t, ok := times[keyID(e.KeyID())]
		if !ok {
			t.Created = f.ModTime().UTC()
		}
		if !e.IsPrimary() && t.Retired.IsZero() { // it was retired, but that could not be noted
			t.Retired = f.ModTime().UTC()
		}
		out = append(out, LineKey{ID: keyID(e.KeyID()), Created: t.Created, Retired: t.Retired, Used: t.Used})
	}
	slices.SortStableFunc(out, func(a, b LineKey) int { return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID)) })
	return out, nil
}

func (s *Store) lineTimes() (map[string]lineTimes, error) {
	times := map[string]lineTimes{}
	b, err := os.ReadFile(filepath.Join(s.dir, lineTimesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return times, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &times)
	}
	if err != nil {
		return nil, fmt.Errorf("failed to read the times of the line keys: %w", err)
	}
	return times, nil
}

// RotateLine makes a new line key, which taps seal with from then on, and
// returns its id. What was sealed before opens until DestroyLine. Only the
// process with the auditor rotates, one call at a time.
func (s *Store) RotateLine(now time.Time) (string, error) {
	p, err := parameters(RoleLine)
	if err != nil {
		return "", err
	}
	var added string
	err = s.changeLine(func(m *keyset.Manager, keys []LineKey) ([]LineKey, error) {
		id, err := m.AddNewKeyFromParameters(p)
		if err != nil {
			return nil, err
		}
		for i := range keys {
			if keys[i].Retired.IsZero() {
				keys[i].Retired = now.UTC()
			}
		}
		added = keyID(id)
		return append(keys, LineKey{ID: added, Created: now.UTC()}), m.SetPrimary(id)
	})
	if err != nil {
		return "", fmt.Errorf("failed to rotate the line key: %w", err)
	}
	return added, s.publish()
}

// DestroyLines destroys the private halves of the line keys that were retired,
// and last used, longer ago than what they sealed is kept. It returns their
// ids: nobody can open again what they sealed.
func (s *Store) DestroyLines(now time.Time, kept time.Duration) (ids []string, err error) {
	have, err := s.LineKeys()
	if err != nil {
		return nil, err
	}
	due := func(k LineKey) bool {
		at := k.Destroyable(kept)
		return !at.IsZero() && !at.After(now)
	}
	if !slices.ContainsFunc(have, due) {
		return nil, nil
	}
	err = s.changeLine(func(m *keyset.Manager, keys []LineKey) ([]LineKey, error) {
		for _, k := range keys {
			if !due(k) {
				continue
			}
			id, err := parseKeyID(k.ID)
			if err != nil {
				return nil, err
			}
			if err := m.Delete(id); err != nil {
				return nil, err
			}
			ids = append(ids, k.ID)
		}
		return slices.DeleteFunc(keys, due), nil
	})
	if err != nil {
		return nil, fmt.Errorf("failed to destroy retired line keys: %w", err)
	}
	return ids, nil
}

// changeLine writes the keyset as f leaves it, then the times.
func (s *Store) changeLine(f func(*keyset.Manager, []LineKey) ([]LineKey, error)) error {
	s.changes.Lock()
	defer s.changes.Unlock()
	have, err := s.LineKeys()
	if err != nil {
		return err
	}
	h, err := s.handle(RoleLine)
	if err != nil {
		return err
	}
	m := keyset.NewManagerFromHandle(h)
	left, err := f(m, have)
	if err != nil {
		return err
	}
	if err := s.write(RoleLine, m); err != nil {
		return err
	}
	return s.noteLines(left)
}

func (s *Store) noteLines(keys []LineKey) error {
	times := map[string]lineTimes{}
	for _, k := range keys {
		times[k.ID] = lineTimes{Created: k.Created, Retired: k.Retired, Used: k.Used}
	}
	b, err := json.MarshalIndent(times, "", "  ")
	if err != nil {
		return err
	}
	return durable.Replace(filepath.Join(s.dir, lineTimesFile), append(b, '\n'), 0o600)
}

// usedLine notes that a retired key opened a batch.
func (s *Store) usedLine(id string, now time.Time) error {
	s.changes.Lock()
	defer s.changes.Unlock()
	keys, err := s.LineKeys()
	if err != nil {
		return err
	}
	for i := range keys {
		if keys[i].ID == id {
			keys[i].Used = now.UTC()
		}
	}
	return s.noteLines(keys)
}
