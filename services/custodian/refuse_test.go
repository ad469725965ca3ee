package custodian_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit/custody"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/masking/grant"
)

func TestRefusals(t *testing.T) {
	for _, tc := range []struct {
		name string
		ask  func(*grant.Request)
		do   func(t *testing.T, s *scene)
		read func(*custody.Reading)
		want string
	}{
		{name: "after the end date", do: func(_ *testing.T, s *scene) { s.now = s.now.AddDate(0, 0, 7) }, want: "ended"},
		{name: "revoked", do: func(t *testing.T, s *scene) { s.revoke(s.ben) }, want: "revoked"},
		{name: "over the limit", ask: func(r *grant.Request) { r.Transforms = 1 }, do: func(t *testing.T, s *scene) { s.spend() }, want: "limit"},
		{name: "over the rate", ask: func(r *grant.Request) { r.PerHour = 1 }, do: func(t *testing.T, s *scene) { s.spend() }, want: "rate"},
		{name: "another span", ask: func(r *grant.Request) { r.Until = r.Until.AddDate(0, 0, -1) }, want: "outside-span"},
		{name: "a capsule on no leaf", do: func(t *testing.T, s *scene) { s.unproven() }, want: "no-inclusion"},
		{name: "a pin that is gone", do: func(_ *testing.T, s *scene) {
			for _, p := range s.places {
				p.cfg.Pins.People = p.cfg.Pins.People[:2]
			}
		}, want: "stranger"},
		{name: "a clock that is wrong", read: func(r *custody.Reading) {
			now := r.Now()
			r.Now = func() time.Time { return now.Add(-time.Hour) }
		}, want: "clock"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newScene(t)
			s.give(tc.ask)
			if tc.do != nil {
				tc.do(t, s)
			}
			value, said, err := s.read(tc.read)
			s.expect(value, said, err, all(tc.want))
			for _, p := range s.places {
				acts, err := p.db.Acts(t.Context(), 1)
				must(t, err)
				if len(acts) != 1 || acts[0].Act != "grant.transform" || acts[0].Allowed || acts[0].Reason != tc.want {
					t.Errorf("%s: the trail ends with %+v", p.name, acts)
				}
			}
		})
	}
}

func (s *scene) revoke(by grant.Signer) {
	s.t.Helper()
	d, err := grant.NewRevocation(grant.Revocation{Grant: s.grant.ID(), Reason: "case closed"})
	must(s.t, err)
	must(s.t, d.Sign(grant.ActRevoke, by))
	for _, p := range s.places {
		must(s.t, p.client(by).Revoke(s.t.Context(), d))
	}
}

// spend reads once.
func (s *scene) spend() {
	s.t.Helper()
	_, _, err := s.read(nil)
	must(s.t, err)
	s.bundle.Capsules[0].Fragments = nil
}

// unproven sends custodians a capsule whose proof is another ledger's; the
// reader's own tool would not.
func (s *scene) unproven() {
	other := newScene(s.t)
	for i, p := range s.places {
		p.cfg.Pins.Ledger = other.pins.Ledger
		p.stop()
		p.start()
		s.places[i] = p
	}
}

func TestWrongReader(t *testing.T) {
	s := newScene(t)
	s.give(nil)
	// Somebody else's signature, and somebody else's connection with a stolen read.
	value, said, err := s.read(func(r *custody.Reading) { r.Sign = s.ana })
	s.expect(value, said, err, all("wrong-reader"))
	value, said, err = s.read(func(r *custody.Reading) {
		for i, p := range s.places {
			r.Custodians[i].Client = p.client(s.ana)
		}
	})
	s.expect(value, said, err, all("wrong-reader"))
}

// forger is a custodian that changes what it answers.
type forger struct {
	custody.Transformer
	at int
}

func (f forger) Read(ctx context.Context, id string, q *custody.ReadRequest) ([]byte, error) {
	b, err := f.Transformer.Read(ctx, id, q)
	if err == nil {
		b[f.at]++
	}
	return b, err
}

func TestForgedFragment(t *testing.T) {
	for _, at := range []int{10, 75, 290, 330} { // the points, the id, the proof, the signature
		s := newScene(t)
		s.give(nil)
		value, said, err := s.read(func(r *custody.Reading) { r.Custodians[1].Client = forger{r.Custodians[1].Client, at} })
		s.expect(value, said, err, map[string]string{"custodian-1": "ok", "custodian-2": "forged", "custodian-3": "ok"})
		s.bundle.Capsules[0].Fragments = nil
		value, said, err = s.read(func(r *custody.Reading) {
			r.Custodians[0].Client, r.Custodians[1].Client = forger{r.Custodians[0].Client, at}, forger{r.Custodians[1].Client, at}
		})
		s.expect(value, said, err, map[string]string{"custodian-1": "forged", "custodian-2": "forged", "custodian-3": "ok"})
	}
}

func reasonOf(err error) string {
	var r *custody.Refusal
	if errors.As(err, &r) {
		return r.Reason
	}
	return fmt.Sprint(err)
}

func TestSharesRefused(t *testing.T) {
	s := newScene(t)
	s.give(nil)
	p := s.places[0]
	keep := func(e *grant.Envelope) string { return reasonOf(p.client(s.ana).Keep(t.Context(), e)) }
	if got := keep(&s.envelopes[0]); got != "replayed-grant" {
		t.Errorf("the same share again: %s", got)
	}
	if got := keep(&s.envelopes[1]); got != "not-for-this-custodian" {
		t.Errorf("another's share: %s", got)
	}
	s.revoke(s.ben)
	if got := keep(&s.envelopes[0]); got != "replayed-grant" {
		t.Errorf("a share after its revocation: %s", got)
	}
	// An officer who invents an approval: the store and the signer are hers.
	s.approve(nil)
	forged := s.pins
	forged.People = slices.Clone(s.pins.People)
	mallory := person(t)
	forged.People[2].Key = grant.KeyText(mallory.Public())
	s.request.Signatures = s.request.Signatures[:2]
	must(t, s.request.Sign(grant.ActApprove, mallory))
	s.reader.Signatures = s.reader.Signatures[:1]
	must(t, s.reader.Sign(grant.ActConfirm, mallory))
	_, envelopes, err := forged.Make(s.request, s.reader, s.officer, s.signer, 2, []grant.Custodian{s.places[0].inbox, s.places[1].inbox}, s.now)
	must(t, err)
	if got := keep(&envelopes[0]); got != "stranger" {
		t.Errorf("an invented approval: %s", got)
	}
	acts, err := p.db.Acts(t.Context(), 1)
	must(t, err)
	if acts[0].Act != "share.keep" || acts[0].Allowed || acts[0].Actor != "person:ana" || acts[0].Reason != "stranger" {
		t.Errorf("the trail ends with %+v", acts[0])
	}
}

func TestReplayedRead(t *testing.T) {
	s := newScene(t)
	s.give(nil)
	b := &s.bundle.Capsules[0]
	read, err := grant.NewRead(s.grant.ID(), b.ID, s.now, s.sign)
	must(t, err)
	q := &custody.ReadRequest{Read: *read, Proof: b.Proof}
	c := s.places[0].client(s.sign)
	_, err = c.Read(t.Context(), s.grant.ID(), q)
	must(t, err)
	if _, err := c.Read(t.Context(), s.grant.ID(), q); reasonOf(err) != "replayed-read" {
		t.Errorf("the same read again: %v", err)
	}
	if _, err := c.Read(t.Context(), "00000000000000000000000000000000", q); reasonOf(err) != "unknown-grant" {
		t.Errorf("another grant: %v", err)
	}
	other := s.sealed("c2", "identity", s.now.Add(-2*time.Hour))
	if q.Proof = other.Capsules[0].Proof; reasonOf(second(c.Read(t.Context(), s.grant.ID(), q))) != "no-inclusion" {
		t.Error("a read of one capsule with the proof of another was answered")
	}
	network := s.sealed("c3", "network", s.now.Add(-time.Hour))
	read, err = grant.NewRead(s.grant.ID(), network.Capsules[0].ID, s.now, s.sign)
	must(t, err)
	q = &custody.ReadRequest{Read: *read, Proof: network.Capsules[0].Proof}
	if _, err := c.Read(t.Context(), s.grant.ID(), q); reasonOf(err) != "outside-span" {
		t.Errorf("another class: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestRevocation(t *testing.T) {
	s := newScene(t)
	s.give(nil)
	d, err := grant.NewRevocation(grant.Revocation{Grant: s.grant.ID(), Reason: "case closed"})
	must(t, err)
	must(t, d.Sign(grant.ActRevoke, s.ana))
	if err := s.places[0].client(s.ana).Revoke(t.Context(), d); reasonOf(err) != "stranger" {
		t.Errorf("ana may not revoke: %v", err)
	}
	row, err := s.places[0].db.Share(t.Context(), s.grant.ID())
	must(t, err)
	if row.Wrapped == "" {
		t.Fatal("it was deleted")
	}
	s.revoke(s.ben)
	for _, p := range s.places {
		p.stop()
		must(t, filepath.WalkDir(p.dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			if strings.Contains(string(b), row.Wrapped[:64]) && p == s.places[0] {
				t.Errorf("%s still has the deleted share", d.Name())
			}
			return err
		}))
	}
	// A revocation that comes before its share keeps it out.
	other := newScene(t)
	other.approve(nil)
	d, err = grant.NewRevocation(grant.Revocation{Grant: grant.ID(other.request.Text), Reason: "a mistake"})
	must(t, err)
	must(t, d.Sign(grant.ActRevoke, other.ben))
	must(t, other.places[0].client(other.ben).Revoke(t.Context(), d))
	_, envelopes, err := other.pins.Make(other.request, other.reader, other.officer, other.signer, 2, []grant.Custodian{other.places[0].inbox, other.places[1].inbox}, other.now)
	must(t, err)
	if err := other.places[0].client(other.ana).Keep(t.Context(), &envelopes[0]); reasonOf(err) != "replayed-grant" {
		t.Errorf("a share after its revocation: %v", err)
	}
}

// broken is a register whose trail can't be written.
type broken struct{ *registers.DB }

var errDisk = errors.New("the disk is full")

func (broken) Record(context.Context, string, string, string, bool, string) error { return errDisk }
func (broken) TakeTransform(context.Context, registers.Share, string, string, string) error {
	return errDisk
}

// TestTrailFirst: what can't be recorded does not happen, a refusal neither.
func TestTrailFirst(t *testing.T) {
	s := newScene(t)
	s.give(nil)
	for _, p := range s.places {
		p.stop()
		p.deps.Register = broken{p.db}
		p.start()
	}
	value, said, err := s.read(nil)
	s.expect(value, said, err, all("fault"))
	value, said, err = s.read(func(r *custody.Reading) { r.Sign = s.ana })
	s.expect(value, said, err, all("fault"))
}

func TestTrailIsShownToTheWatcher(t *testing.T) {
	s := newScene(t)
	s.give(nil)
	_, _, err := s.read(nil)
	must(t, err)
	acts, err := s.places[0].client(s.ana).Trail(t.Context(), 0)
	must(t, err)
	var got []string
	for _, a := range acts {
		got = append(got, a.Act+" "+a.Reason)
	}
	if d := cmp.Diff(got, []string{"share.keep request ana, approve ben, approve eva", "grant.transform "}); d != "" {
		t.Errorf("acts (-got +want):\n%s", d)
	}
	if acts, err = s.places[0].client(s.ana).Trail(t.Context(), acts[1].ID); err != nil || len(acts) != 0 {
		t.Errorf("%d acts after the last, error %v", len(acts), err)
	}
	if _, err := s.places[0].client(s.ben).Trail(t.Context(), 0); reasonOf(err) != "stranger" {
		t.Errorf("ben saw the trail: %v", err)
	}
	// Only the custodian with the pinned key is asked.
	c, err := custody.NewClient(s.places[0].addr, s.places[1].key.Public(), s.ana)
	must(t, err)
	if _, err := c.Trail(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "another key than the one pinned") {
		t.Errorf("an impostor was believed: %v", err)
	}
}

func TestEndedSharesAreDeleted(t *testing.T) {
	s := newScene(t)
	s.give(nil)
	n, err := s.places[0].db.DropEnded(t.Context(), s.now)
	if err != nil || n != 0 {
		t.Errorf("%d deleted early, error %v", n, err)
	}
	n, err = s.places[0].db.DropEnded(t.Context(), s.now.AddDate(0, 0, 7))
	if err != nil || n != 1 {
		t.Errorf("%d deleted, error %v", n, err)
	}
	if row, err := s.places[0].db.Share(t.Context(), s.grant.ID()); err != nil || row.Wrapped != "" {
		t.Errorf("the share is still there, error %v", err)
	}
}
