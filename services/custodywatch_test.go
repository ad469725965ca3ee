package services_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit/custody"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/grant"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/reencrypt"
	"github.com/tallystick/tallystick/services"
)

// registered pins three people at a site and returns an approved request with
// its reader.
func (s *site) registered(t *testing.T) (reader *grant.Reader, request *grant.Document) {
	t.Helper()
	person := func() *keys.Signer {
		store, _, err := keys.CreateFolder(filepath.Join(t.TempDir(), "keys"), "", keys.RolePerson)
		if err != nil {
			t.Fatal(err)
		}
		p, err := store.PersonSigner()
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	ana, ben, eva, sign := person(), person(), person(), person()
	key, err := reencrypt.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	s.cfg.Vault.Pins = s.write("pins.yaml", "officer: "+grant.KeyText(ana.Public()), "signer: "+pointText(key), "ledger: none", "people:",
		"- {name: ana, key: "+grant.KeyText(ana.Public())+", may: [request]}",
		"- {name: ben, key: "+grant.KeyText(ben.Public())+", may: [approve]}",
		"- {name: eva, key: "+grant.KeyText(eva.Public())+", may: [approve, confirm]}")
	if reader, err = grant.NewReader("Supervisory authority", sign, key); err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	request, err = grant.NewRequest(grant.Request{Reader: reader.Fingerprint(), Class: "identity", From: now.AddDate(0, 0, -1), Until: now, Purpose: "investigation",
		Ground: "GDPR Art. 58(1)(e)", Ticket: "CASE-7", Ends: now.AddDate(0, 0, 7), Transforms: 1, PerHour: 1})
	for _, err := range []error{err, reader.Sign(grant.ActConfirm, eva), request.Sign(grant.ActRequest, ana), request.Sign(grant.ActApprove, ben), request.Sign(grant.ActApprove, eva)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return reader, request
}

// TestCustody: what custodians did is copied into the trail, is in the ledger,
// and EX-04 judges it by what was registered; all of it once.
func TestCustody(t *testing.T) {
	s := newSite(t)
	reader, request := s.registered(t)
	s.start()
	ctx := t.Context()
	register := func(v any) error {
		t.Helper()
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.app.RegisterGrant(ctx, services.GrantDocument{Document: b})
		return err
	}
	if err := register(request); err == nil || !strings.Contains(text.HintOf(err), "register READER") {
		t.Errorf("a request without its reader: %v", err)
	}
	if err := register(reader); err != nil {
		t.Fatal(err)
	}
	unapproved := *request
	unapproved.Signatures = request.Signatures[:2]
	if err := register(&unapproved); !errors.Is(err, grant.ErrApprovals) {
		t.Errorf("an unapproved request: %v", err)
	}
	if err := register(request); err != nil {
		t.Fatal(err)
	}
	id := grant.ID(request.Text)
	all := []custody.Act{
		{ID: 1, Actor: "officer", Act: "share.keep", Object: "grant " + id, Allowed: true},
		{ID: 2, Actor: "reader:x", Act: "grant.transform", Object: "grant " + id + " capsule 00", Allowed: true},
		{ID: 3, Actor: "reader:x", Act: "grant.transform", Object: "grant " + id, Reason: "limit"},
		{ID: 5, Actor: "officer", Act: "share.keep", Object: "grant 00112233445566778899aabbccddeeff", Allowed: true},
		{ID: 6, Actor: "person:ben", Act: "share.revoke", Object: "grant " + id, Allowed: true},
	}
	trail := func(after int64) ([]custody.Act, error) {
		var out []custody.Act
		for _, a := range all {
			a.At = time.Now()
			if a.ID > after && len(out) < 3 {
				out = append(out, a)
			}
		}
		return out, nil
	}
	for range 2 {
		if err := s.app.ReadTrail(ctx, "k1", trail); err != nil {
			t.Fatal(err)
		}
	}
	got := s.rows("SELECT severity, facts['operation'], facts['deny_by'], system FROM findings WHERE control = 'EX-04' ORDER BY severity")
	want := [][]string{{"critical", "share.keep", "", "k1"}, {"high", "grant.transform", "limit", "k1"}}
	if d := cmp.Diff(got, want); d != "" {
		t.Errorf("findings (-got +want):\n%s", d)
	}
	acts, err := s.app.Registers().Acts(ctx, 100)
	if err != nil {
		t.Fatal(err)
	}
	copied := 0
	for _, a := range acts {
		if strings.HasPrefix(a.Actor, "custodian:k1 ") {
			copied++
		}
	}
	if copied != len(all) {
		t.Errorf("%d acts were copied, want %d", copied, len(all))
	}
	wait(t, "the acts are in the ledger", func() bool {
		left, err := s.app.Registers().UnledgeredCustody(ctx)
		return err == nil && len(left) == 0
	})
	// A trail that goes back is no trail.
	if err := s.app.ReadTrail(ctx, "k1", func(int64) ([]custody.Act, error) { return all[:1], nil }); err == nil {
		t.Error("an act came twice")
	}
	if err := s.app.ReadTrail(ctx, "k2", func(int64) ([]custody.Act, error) { return nil, fmt.Errorf("away") }); err == nil {
		t.Error("a custodian that is away gives no error")
	}
}

func pointText(k *reencrypt.PrivateKey) string {
	return base64.StdEncoding.EncodeToString(k.Public().Bytes())
}
