package custodian_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/custody"
	"github.com/tallystick/tallystick/audit/evidence"
	"github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/masking/grant"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/plainaccess"
	"github.com/tallystick/tallystick/masking/reencrypt"
	"github.com/tallystick/tallystick/masking/seal"
	"github.com/tallystick/tallystick/services/custodian"
)

const (
	origin = "tallystick/test"
	clear  = "maria.silva@example.com"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func folder(t *testing.T, roles ...keys.Role) *keys.Store {
	t.Helper()
	s, _, err := keys.CreateFolder(filepath.Join(t.TempDir(), "keys"), "", roles...)
	must(t, err)
	return s
}

func person(t *testing.T) *keys.Signer {
	t.Helper()
	s, err := folder(t, keys.RolePerson).PersonSigner()
	must(t, err)
	return s
}

// scene is a grant of 2 of 3 with its custodians, which listen, and a bundle of
// one original. Ana requests, ben and eva approve and revoke.
type scene struct {
	t             *testing.T
	now           time.Time
	pins          grant.Pins
	officer       *keys.Store
	signer        *reencrypt.PrivateKey
	ana, ben, eva *keys.Signer
	sign          *keys.Signer // the reader's
	key           *reencrypt.PrivateKey
	reader        *grant.Reader
	places        []*place
	log           *ledger.Log
	logDir        string

	request   *grant.Document
	grant     *grant.Grant
	envelopes []grant.Envelope
	bundle    *evidence.Bundle
}

// place is one custodian.
type place struct {
	s     *scene
	name  string
	cfg   *custodian.Config
	deps  custodian.Deps
	db    *registers.DB
	dir   string
	key   *keys.Signer
	inbox grant.Custodian
	addr  string
	stop  func()
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{t: t, now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), officer: folder(t, keys.RolePerson, keys.RoleLedger), ana: person(t), ben: person(t), eva: person(t), sign: person(t)}
	var err error
	s.signer, err = reencrypt.GenerateKey()
	must(t, err)
	s.key, err = reencrypt.GenerateKey()
	must(t, err)
	officer, err := s.officer.PersonSigner()
	must(t, err)
	ledgerKey, err := s.officer.LedgerSigner()
	must(t, err)
	s.logDir = t.TempDir()
	s.log, err = ledger.OpenLog(t.Context(), s.logDir, ledgerKey, origin)
	must(t, err)
	t.Cleanup(func() { _ = s.log.Close() })
	text, err := ledger.VerifierKey(ledgerKey.Public(), origin)
	must(t, err)
	s.pins = grant.Pins{Officer: grant.KeyText(officer.Public()), Signer: base64.StdEncoding.EncodeToString(s.signer.Public().Bytes()), Ledger: text, People: []grant.Person{
		{Name: "ana", Key: grant.KeyText(s.ana.Public()), May: []grant.Act{grant.ActRequest}},
		{Name: "ben", Key: grant.KeyText(s.ben.Public()), May: []grant.Act{grant.ActApprove, grant.ActRevoke}},
		{Name: "eva", Key: grant.KeyText(s.eva.Public()), May: []grant.Act{grant.ActApprove, grant.ActConfirm}},
	}}
	for _, m := range []string{"2026-10", "2026-11"} {
		_, err := s.officer.CreateVaultKey("identity", m)
		must(t, err)
	}
	s.reader, err = grant.NewReader("Supervisory authority", s.sign, s.key)
	must(t, err)
	must(t, s.reader.Sign(grant.ActConfirm, s.eva))
	for i := range 3 {
		s.place(fmt.Sprint("custodian-", i+1))
	}
	s.bundle = s.sealed("c1", "identity", s.now.Add(-time.Hour))
	return s
}

func (s *scene) place(name string) {
	store, kek, err := keys.CreateFolder(filepath.Join(s.t.TempDir(), "keys"), "", keys.RolePerson, keys.RoleInbox)
	must(s.t, err)
	p := &place{s: s, name: name, dir: s.t.TempDir(), cfg: &custodian.Config{Name: name, Listen: "127.0.0.1:0", Pins: s.pins, Watcher: grant.KeyText(s.ana.Public())}}
	p.key, err = store.PersonSigner()
	must(s.t, err)
	public, err := store.InboxPublic()
	must(s.t, err)
	p.inbox.Key = p.key.Public()
	p.inbox.Inbox, err = keys.InboxEncrypt(public)
	must(s.t, err)
	p.db, err = registers.Open(s.t.Context(), filepath.Join(p.dir, "registers.db"))
	must(s.t, err)
	s.t.Cleanup(func() { _ = p.db.Close() })
	p.deps = custodian.Deps{Keys: store, KEK: kek, Register: p.db, Now: func() time.Time { return s.now }}
	p.start()
	s.places = append(s.places, p)
}

func (p *place) start() {
	p.s.t.Helper()
	c, err := custodian.New(p.cfg, p.deps)
	must(p.s.t, err)
	p.addr = c.Addr()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	p.stop = func() {
		cancel()
		if err := <-done; err != nil {
			p.s.t.Errorf("%s ended with %v", p.name, err)
		}
		p.stop = func() {}
	}
	p.s.t.Cleanup(func() { p.stop() })
}

func (p *place) client(by grant.Signer) *custody.Client {
	p.s.t.Helper()
	c, err := custody.NewClient(p.addr, p.key.Public(), by)
	must(p.s.t, err)
	return c
}

// sealed is a bundle of one entry and its original, in a chunk of its own.
func (s *scene) sealed(chunk, class string, at time.Time) *evidence.Bundle {
	s.t.Helper()
	vault := vault{s}
	o := seal.NewOriginals(vault, chunk, 1)
	e := &audit.Entry{Stream: "AbCdEfGhIjKlMnOp", Offset: 100, EventTime: at, Chunk: chunk, Version: 1}
	original, err := o.Seal(e, &audit.Unsealed{Class: class, Field: "principal_id", Value: plain.New(clear)})
	must(s.t, err)
	capsule := o.Capsules()[0]
	rows := map[string][]byte{ledger.TableEntries: ledger.AppendEntry(nil, e), ledger.TableOriginals: ledger.AppendOriginal(nil, &original), ledger.TableCapsules: ledger.AppendCapsule(nil, &capsule)}
	c := &audit.Chunk{ID: chunk, Version: 1, Salt: []byte("salt"), Entries: 1, Capsules: 1, Originals: 1, Roots: map[string][]byte{}}
	for name, row := range rows {
		table := ledger.NewTable(c.Salt)
		table.Add(row)
		c.Roots[name] = table.Root()
	}
	index, err := s.log.Append(s.t.Context(), ledger.ChunkLeaf(c, s.now))
	must(s.t, err)
	prove := func(name string) *ledger.RowProof {
		set := ledger.NewRowSet(name, c.Salt, 1000, nil)
		set.Add(0, rows[name])
		p, err := set.Prove(s.t.Context(), ledger.OpenReader(s.logDir), s.log.Checkpoint(), index[0], 0, rows[name])
		must(s.t, err)
		return p
	}
	b := &evidence.Bundle{Capsules: []evidence.Capsule{{ID: capsule.ID, Proof: *prove(ledger.TableCapsules)}},
		Originals: []evidence.Original{{Original: original, Proof: *prove(ledger.TableOriginals)}}}
	must(s.t, b.AddEntry(e, prove(ledger.TableEntries)))
	return b
}

// vault seals to the officer's keys.
type vault struct{ s *scene }

func (v vault) Key(class, month string) (*reencrypt.PublicKey, string) {
	k, err := v.s.officer.CreateVaultKey(class, month)
	must(v.s.t, err)
	p, err := reencrypt.NewPublicKey(k.Key)
	must(v.s.t, err)
	return p, k.KeyID
}

func (s *scene) approve(change func(*grant.Request)) {
	s.t.Helper()
	r := grant.Request{Reader: s.reader.Fingerprint(), Class: "identity", From: s.now.AddDate(0, -1, 0), Until: s.now, Purpose: "investigation",
		Ground: "GDPR Art. 58(1)(e)", Ticket: "CASE-7", Ends: s.now.AddDate(0, 0, 7), Transforms: 10, PerHour: 5}
	if change != nil {
		change(&r)
	}
	var err error
	s.request, err = grant.NewRequest(r)
	must(s.t, err)
	must(s.t, s.request.Sign(grant.ActRequest, s.ana))
	must(s.t, s.request.Sign(grant.ActApprove, s.ben))
	must(s.t, s.request.Sign(grant.ActApprove, s.eva))
}

// give makes the grant and hands the shares out.
func (s *scene) give(change func(*grant.Request)) {
	s.t.Helper()
	s.approve(change)
	var to []grant.Custodian
	for _, p := range s.places {
		to = append(to, p.inbox)
	}
	var err error
	s.grant, s.envelopes, err = s.pins.Make(s.request, s.reader, s.officer, s.signer, 2, to, s.now)
	must(s.t, err)
	officer, err := s.officer.PersonSigner()
	must(s.t, err)
	for i, p := range s.places {
		must(s.t, p.client(officer).Keep(s.t.Context(), &s.envelopes[i]))
	}
}

// read opens the bundle as the reader; outcomes are by custodian: ok, a reason,
// or what else.
func (s *scene) read(change func(*custody.Reading)) (string, map[string]string, error) {
	s.t.Helper()
	r := &custody.Reading{Bundle: s.bundle, Grant: s.grant, Pins: &s.pins, Sign: s.sign, Key: s.key, Now: func() time.Time { return s.now }}
	for _, p := range s.places {
		r.Custodians = append(r.Custodians, custody.Asked{Name: p.name, Client: p.client(s.sign)})
	}
	if change != nil {
		change(r)
	}
	opened, outcomes, err := r.Open(s.t.Context())
	said := map[string]string{}
	for _, o := range outcomes {
		var refusal *custody.Refusal
		switch {
		case o.Err == nil:
			said[o.Custodian] = "ok"
		case errors.As(o.Err, &refusal):
			said[o.Custodian] = refusal.Reason
		case errors.Is(o.Err, reencrypt.ErrProof), errors.Is(o.Err, reencrypt.ErrPoint), errors.Is(o.Err, reencrypt.ErrSignature):
			said[o.Custodian] = "forged"
		default:
			said[o.Custodian] = "away"
		}
	}
	if len(opened) == 0 {
		return "", said, err
	}
	return opened[0].Value.Reveal(plainaccess.Token{}), said, err
}

// all is an outcome that all three custodians share.
func all(outcome string) map[string]string {
	return map[string]string{"custodian-1": outcome, "custodian-2": outcome, "custodian-3": outcome}
}

func (s *scene) expect(value string, said map[string]string, err error, wantSaid map[string]string) {
	s.t.Helper()
	if wantErr := value == ""; wantErr != errors.Is(err, custody.ErrTooFew) || !wantErr && value != clear {
		s.t.Errorf("opened %d bytes, error %v", len(value), err)
	}
	if d := cmp.Diff(said, wantSaid); d != "" {
		s.t.Errorf("custodians (-got +want):\n%s", d)
	}
}
