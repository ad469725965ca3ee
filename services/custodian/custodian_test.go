package custodian_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tallystick/tallystick/audit/custody"
	"github.com/tallystick/tallystick/audit/evidence"
	"github.com/tallystick/tallystick/masking/reencrypt"
)

func TestTwoOfThree(t *testing.T) {
	s := newScene(t)
	s.give(nil)
	value, said, err := s.read(nil)
	s.expect(value, said, err, all("ok"))

	s.bundle.Capsules[0].Fragments = nil
	s.places[0].stop()
	value, said, err = s.read(nil)
	s.expect(value, said, err, map[string]string{"custodian-1": "away", "custodian-2": "ok", "custodian-3": "ok"})

	s.bundle.Capsules[0].Fragments = nil
	s.places[2].stop()
	value, said, err = s.read(nil)
	s.expect(value, said, err, map[string]string{"custodian-1": "away", "custodian-2": "ok", "custodian-3": "away"})

	// Back again, from what they kept.
	s.places[0].start()
	value, said, err = s.read(nil)
	s.expect(value, said, err, map[string]string{"custodian-1": "ok", "custodian-2": "ok", "custodian-3": "away"})
}

// TestBundleAlone: with the fragments in it, a bundle opens without custodians,
// for its reader only, and also after the grant's end.
func TestBundleAlone(t *testing.T) {
	s := newScene(t)
	s.give(nil)
	_, _, err := s.read(nil)
	must(t, err)
	var b strings.Builder
	must(t, s.bundle.Write(&b))
	if strings.Contains(b.String(), clear) {
		t.Error("the bundle has the original in clear")
	}
	s.bundle, err = evidence.Read([]byte(b.String()))
	must(t, err)
	for _, p := range s.places {
		p.stop()
	}
	s.now = s.now.AddDate(1, 0, 0)
	value, said, err := s.read(nil)
	s.expect(value, said, err, map[string]string{})
	other, err := reencrypt.GenerateKey()
	must(t, err)
	if _, _, err := s.read(func(r *custody.Reading) { r.Key = other }); !errors.Is(err, reencrypt.ErrReceiver) {
		t.Errorf("another reader opened it: %v", err)
	}
}
