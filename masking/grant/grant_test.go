package grant_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/masking/grant"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/reencrypt"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// folder is a folder of keys of somebody.
func folder(t *testing.T, roles ...keys.Role) *keys.Store {
	t.Helper()
	root := t.TempDir()
	kek, err := keys.LocalKEK(filepath.Join(root, "kek"))
	must(t, err)
	s, err := keys.Open(filepath.Join(root, "keys"), kek)
	must(t, err)
	must(t, s.Create(roles...))
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func person(t *testing.T) *keys.Signer {
	t.Helper()
	s, err := folder(t, keys.RolePerson).PersonSigner()
	must(t, err)
	return s
}

// scene has everybody: ana requests, ben and eva approve, eva confirms.
type scene struct {
	pins               *grant.Pins
	officer            *keys.Store
	signer             *reencrypt.PrivateKey
	ana, ben, eva, rui *keys.Signer // rui is pinned for nothing
	readerSign         *keys.Signer
	readerKey          *reencrypt.PrivateKey
	reader             *grant.Reader
	request            *grant.Document
	custodians         []grant.Custodian
	inboxes            []*keys.Store
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{officer: folder(t, keys.RolePerson), ana: person(t), ben: person(t), eva: person(t), rui: person(t), readerSign: person(t)}
	var err error
	s.signer, err = reencrypt.GenerateKey()
	must(t, err)
	s.readerKey, err = reencrypt.GenerateKey()
	must(t, err)
	officer, err := s.officer.PersonSigner()
	must(t, err)
	s.pins = &grant.Pins{Officer: grant.KeyText(officer.Public()), Signer: base64.StdEncoding.EncodeToString(s.signer.Public().Bytes()), People: []grant.Person{
		{Name: "ana", Key: grant.KeyText(s.ana.Public()), May: []grant.Act{grant.ActRequest, grant.ActApprove}},
		{Name: "ben", Key: grant.KeyText(s.ben.Public()), May: []grant.Act{grant.ActApprove, grant.ActRevoke}},
		{Name: "eva", Key: grant.KeyText(s.eva.Public()), May: []grant.Act{grant.ActApprove, grant.ActConfirm}},
	}}
	for _, m := range []string{"2026-10", "2026-11"} {
		_, err := s.officer.CreateVaultKey("identity", m)
		must(t, err)
	}
	s.reader, err = grant.NewReader("Supervisory authority", s.readerSign, s.readerKey)
	must(t, err)
	must(t, s.reader.Sign(grant.ActConfirm, s.eva))
	s.request, err = grant.NewRequest(s.ask())
	must(t, err)
	must(t, s.request.Sign(grant.ActRequest, s.ana))
	must(t, s.request.Sign(grant.ActApprove, s.ben))
	must(t, s.request.Sign(grant.ActApprove, s.eva))
	for range 3 {
		k := folder(t, keys.RolePerson, keys.RoleInbox)
		self, err := k.PersonSigner()
		must(t, err)
		public, err := k.InboxPublic()
		must(t, err)
		inbox, err := keys.InboxEncrypt(public)
		must(t, err)
		s.inboxes = append(s.inboxes, k)
		s.custodians = append(s.custodians, grant.Custodian{Key: self.Public(), Inbox: inbox})
	}
	return s
}

func (s *scene) ask() grant.Request {
	return grant.Request{Reader: s.reader.Fingerprint(), Class: "identity", From: now.AddDate(0, -1, 0), Until: now, Purpose: "investigation",
		Ground: "GDPR Art. 58(1)(e)", Ticket: "CASE-7", Ends: now.AddDate(0, 0, 7), Transforms: 10, PerHour: 5}
}

func (s *scene) open(t *testing.T, e *grant.Envelope, i int) (*grant.Share, error) {
	t.Helper()
	self, err := s.inboxes[i].PersonSigner()
	must(t, err)
	dec, err := s.inboxes[i].InboxDecrypt()
	must(t, err)
	return e.Open(self.Public(), dec)
}

func TestGrant(t *testing.T) {
	s := newScene(t)
	g, envelopes, err := s.pins.Make(s.request, s.reader, s.officer, s.signer, 2, s.custodians, now)
	must(t, err)
	if len(envelopes) != 3 || len(g.Vault) != 2 || g.ID() != grant.ID(s.request.Text) {
		t.Fatalf("%d envelopes, %d months", len(envelopes), len(g.Vault))
	}
	capsule, secret := encapsulated(t, g, "2026-11")
	want, err := secret.Key("x")
	must(t, err)
	var verified []*reencrypt.VerifiedFragment
	for i := range 2 {
		b, err := json.Marshal(envelopes[i])
		must(t, err)
		e, err := grant.ParseEnvelope(b)
		must(t, err)
		share, err := s.open(t, e, i)
		must(t, err)
		r, card, err := s.pins.CheckShare(share, now)
		must(t, err)
		if card.Name != "Supervisory authority" || r.Ticket != "CASE-7" {
			t.Errorf("request %+v of %s", r, card.Name)
		}
		kf, err := reencrypt.ParseKeyFragment(share.Fragments[1])
		must(t, err)
		cf, err := kf.Transform(capsule)
		must(t, err)
		parties, err := s.pins.Parties(g, "2026-11")
		must(t, err)
		v, err := cf.Verify(capsule, parties)
		must(t, err)
		verified = append(verified, v)
	}
	opened, err := s.readerKey.Open(verified)
	must(t, err)
	if got, err := opened.Key("x"); err != nil || string(got) != string(want) {
		t.Errorf("another secret, error %v", err)
	}
	if _, err := s.open(t, &envelopes[0], 1); !errors.Is(err, grant.ErrNotForThis) {
		t.Errorf("another custodian opened it: %v", err)
	}
}

func encapsulated(t *testing.T, g *grant.Grant, month string) (*reencrypt.Capsule, reencrypt.Secret) {
	t.Helper()
	for _, v := range g.Vault {
		if v.Month == month {
			k, err := reencrypt.NewPublicKey(v.Key)
			must(t, err)
			c, secret, err := k.Encapsulate()
			must(t, err)
			return c, secret
		}
	}
	t.Fatal("no such month")
	return nil, reencrypt.Secret{}
}

func TestMakeRefuses(t *testing.T) {
	again := func(s *scene, t *testing.T, change func(*grant.Request)) {
		r := s.ask()
		change(&r)
		var err error
		s.request, err = grant.NewRequest(r)
		must(t, err)
		must(t, s.request.Sign(grant.ActRequest, s.ana))
		must(t, s.request.Sign(grant.ActApprove, s.ben))
		must(t, s.request.Sign(grant.ActApprove, s.eva))
	}
	for _, tc := range []struct {
		name   string
		change func(t *testing.T, s *scene)
		want   error
	}{
		{"one approval", func(_ *testing.T, s *scene) { s.request.Signatures = s.request.Signatures[:2] }, grant.ErrApprovals},
		{"the same approval twice", func(_ *testing.T, s *scene) { s.request.Signatures[2] = s.request.Signatures[1] }, grant.ErrApprovals},
		{"the requester approves", func(t *testing.T, s *scene) {
			s.request.Signatures = s.request.Signatures[:2]
			must(t, s.request.Sign(grant.ActApprove, s.ana))
		}, grant.ErrApprovals},
		{"a stranger approves", func(t *testing.T, s *scene) { must(t, s.request.Sign(grant.ActApprove, s.rui)) }, grant.ErrStranger},
		{"an approval of another request", func(t *testing.T, s *scene) {
			old := s.request.Signatures[1]
			again(s, t, func(r *grant.Request) { r.Ticket = "CASE-8" })
			s.request.Signatures[1] = old
		}, grant.ErrSignature},
		{"an approval changed into a request", func(_ *testing.T, s *scene) { s.request.Signatures[1].Act = grant.ActRequest }, grant.ErrSignature},
		{"an invented approval", func(_ *testing.T, s *scene) { s.request.Signatures[1].By = s.pins.People[2].Key }, grant.ErrSignature},
		{"no requester", func(_ *testing.T, s *scene) { s.request.Signatures = s.request.Signatures[1:] }, grant.ErrRequester},
		{"a requester who may not", func(t *testing.T, s *scene) {
			s.request.Signatures = s.request.Signatures[1:]
			must(t, s.request.Sign(grant.ActRequest, s.eva))
		}, grant.ErrStranger},
		{"a changed text", func(_ *testing.T, s *scene) { s.request.Text = strings.Replace(s.request.Text, "CASE-7", "CASE-9", 1) }, grant.ErrSignature},
		{"ended", func(t *testing.T, s *scene) { again(s, t, func(r *grant.Request) { r.Ends = now }) }, grant.ErrEnded},
		{"another reader", func(t *testing.T, s *scene) {
			other, err := grant.NewReader("Supervisory authority", s.readerSign, s.signer)
			must(t, err)
			must(t, other.Sign(grant.ActConfirm, s.eva))
			s.reader = other
		}, grant.ErrReader},
		{"an unconfirmed reader", func(_ *testing.T, s *scene) { s.reader.Signatures = s.reader.Signatures[:1] }, grant.ErrConfirmed},
		{"a reader confirmed by a stranger", func(t *testing.T, s *scene) { must(t, s.reader.Sign(grant.ActConfirm, s.rui)) }, grant.ErrStranger},
		{"a reader who holds no key", func(_ *testing.T, s *scene) { s.reader.Proof[5]++ }, grant.ErrUnproven},
		{"threshold of one", nil, grant.ErrThreshold},
		{"a month without key", func(t *testing.T, s *scene) {
			again(s, t, func(r *grant.Request) { r.From = now.AddDate(0, -3, 0) })
		}, keys.ErrNoKeyset},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newScene(t)
			threshold := 2
			if tc.change == nil {
				threshold = 1
			} else {
				tc.change(t, s)
			}
			if _, _, err := s.pins.Make(s.request, s.reader, s.officer, s.signer, threshold, s.custodians, now); !errors.Is(err, tc.want) {
				t.Errorf("error %v, want %v", err, tc.want)
			}
		})
	}
}

func TestCheckShareRefuses(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(t *testing.T, s *scene, share *grant.Share)
		want   error
	}{
		{"untouched", func(*testing.T, *scene, *grant.Share) {}, nil},
		{"a fragment missing", func(_ *testing.T, _ *scene, share *grant.Share) { share.Fragments = share.Fragments[:1] }, grant.ErrFragments},
		{"fragments exchanged", func(_ *testing.T, _ *scene, share *grant.Share) {
			share.Fragments[0], share.Fragments[1] = share.Fragments[1], share.Fragments[0]
		}, reencrypt.ErrSignature},
		{"a month missing", func(_ *testing.T, _ *scene, share *grant.Share) {
			share.Vault, share.Fragments = share.Vault[:1], share.Fragments[:1]
		}, grant.ErrFragments},
		{"another signer", func(t *testing.T, s *scene, _ *grant.Share) {
			s.pins.Signer = base64.StdEncoding.EncodeToString(s.readerKey.Public().Bytes())
		}, reencrypt.ErrSignature},
		{"another officer", func(_ *testing.T, s *scene, _ *grant.Share) { s.pins.Officer = s.pins.People[0].Key }, keys.ErrVaultKey},
		{"a vault key of another class", func(t *testing.T, s *scene, share *grant.Share) {
			k, err := s.officer.CreateVaultKey("network", "2026-11")
			must(t, err)
			share.Vault[1] = k
		}, grant.ErrFragments},
		{"a threshold of one", func(_ *testing.T, _ *scene, share *grant.Share) { share.Threshold = 1 }, grant.ErrThreshold},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newScene(t)
			_, envelopes, err := s.pins.Make(s.request, s.reader, s.officer, s.signer, 2, s.custodians, now)
			must(t, err)
			share, err := s.open(t, &envelopes[0], 0)
			must(t, err)
			tc.change(t, s, share)
			if _, _, err := s.pins.CheckShare(share, now); !errors.Is(err, tc.want) {
				t.Errorf("error %v, want %v", err, tc.want)
			}
		})
	}
}

func TestReadAndRevoke(t *testing.T) {
	s := newScene(t)
	card, err := s.reader.Card()
	must(t, err)
	d, err := grant.NewRead("g", "c", now, s.readerSign)
	must(t, err)
	r, err := grant.CheckRead(d, card)
	if err != nil || r.Grant != "g" || r.Capsule != "c" || !r.Time.Equal(now) {
		t.Errorf("read %+v, error %v", r, err)
	}
	d.Text = strings.Replace(d.Text, "grant: g", "grant: h", 1)
	if _, err := grant.CheckRead(d, card); !errors.Is(err, grant.ErrSignature) {
		t.Errorf("a changed read: %v", err)
	}
	if d, err = grant.NewRead("g", "c", now, s.ana); err != nil {
		t.Fatal(err)
	}
	if _, err := grant.CheckRead(d, card); !errors.Is(err, grant.ErrReader) {
		t.Errorf("a read of somebody else: %v", err)
	}
	v, err := grant.NewRevocation(grant.Revocation{Grant: "g", Reason: "case closed"})
	must(t, err)
	if _, _, err := s.pins.CheckRevocation(v); !errors.Is(err, grant.ErrStranger) {
		t.Errorf("nobody signed: %v", err)
	}
	must(t, v.Sign(grant.ActRevoke, s.ben))
	if x, name, err := s.pins.CheckRevocation(v); err != nil || name != "ben" || x.Grant != "g" {
		t.Errorf("%+v by %s, error %v", x, name, err)
	}
	must(t, v.Sign(grant.ActRevoke, s.ana))
	if _, _, err := s.pins.CheckRevocation(v); !errors.Is(err, grant.ErrStranger) {
		t.Errorf("ana may not: %v", err)
	}
}

func TestRequestText(t *testing.T) {
	s := newScene(t)
	r, err := grant.ParseRequest(s.request.Text)
	must(t, err)
	if d := cmp.Diff(r.Months, []string{"2026-10", "2026-11"}); d != "" {
		t.Errorf("months (-got +want):\n%s", d)
	}
	for name, change := range map[string]func(string) string{
		"a line more":      func(s string) string { return s + "x: y\n" },
		"a line less":      func(s string) string { return strings.Replace(s, "ticket: CASE-7\n", "", 1) },
		"other months":     func(s string) string { return strings.Replace(s, "2026-10 2026-11", "2026-11", 1) },
		"another order":    func(s string) string { return strings.Replace(s, "ticket: CASE-7\nends", "ends", 1) },
		"another zone":     func(s string) string { return strings.Replace(s, "00:00Z", "00:00+00:00", 1) },
		"a space more":     func(s string) string { return strings.Replace(s, "CASE-7", "CASE-7 ", 1) },
		"a carriage":       func(s string) string { return strings.Replace(s, "CASE-7", "CASE\r7", 1) },
		"zeros":            func(s string) string { return strings.Replace(s, "transforms: 10", "transforms: 010", 1) },
		"another kind":     func(s string) string { return strings.Replace(s, "request v1", "request v2", 1) },
		"nothing":          func(string) string { return "" },
		"a long nonce":     func(s string) string { return strings.Replace(s, "nonce: ", "nonce: 00", 1) },
		"no transforms":    func(s string) string { return strings.Replace(s, "transforms: 10", "transforms: 0", 1) },
		"span and nothing": func(s string) string { return strings.Replace(s, "until: 2026-11-21", "until: 2026-10-21", 1) },
	} {
		if _, err := grant.ParseRequest(change(s.request.Text)); !errors.Is(err, grant.ErrText) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if _, err := grant.NewRequest(grant.Request{Reader: "r", Class: "c", From: now, Until: now.Add(time.Hour), Purpose: "a\nb", Ground: "g", Ticket: "t", Ends: now, Transforms: 1, PerHour: 1}); !errors.Is(err, grant.ErrText) {
		t.Errorf("a purpose of two lines: %v", err)
	}
}

func FuzzTexts(f *testing.F) {
	f.Add("tallystick grant request v1\nreader: r\nclass: c\nmonths: 2026-11\nfrom: 2026-11-01T00:00:00Z\nuntil: 2026-11-02T00:00:00Z\npurpose: p\nground: g\nticket: t\nends: 2026-12-01T00:00:00Z\ntransforms: 1\nper-hour: 1\nnonce: 00112233445566778899aabbccddeeff\n")
	f.Add("tallystick read v1\ngrant: g\n")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := grant.ParseRequest(text); err != nil && !errors.Is(err, grant.ErrText) {
			t.Fatalf("an error of another kind: %v", err)
		}
		for _, parse := range []func([]byte) error{
			func(b []byte) error { _, err := grant.ParseDocument(b); return err },
			func(b []byte) error { _, err := grant.ParseEnvelope(b); return err },
			func(b []byte) error {
				r, err := grant.ParseReader(b)
				if err == nil {
					_, err = r.Card()
				}
				return err
			},
		} {
			_ = parse([]byte(text))
		}
	})
}
