package services_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/tallystick/tallystick/audit/erased"
	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/services"
)

// The person of these tests, by every identifier that the lines have.
const (
	anasMail = "ana.silva@example.org"
	anasName = "ana.silva"
	anasAddr = "203.0.113.77"
	request  = "DSR-7"
	password = "a few unrelated words" // of every account
)

var anasIDs = []services.Identifier{{Kind: "email", Value: anasMail}, {Kind: "user", Value: anasName}}

const erasureMap = `organisation: {key: own, name: Aurora, country: DE}
systems:
- {key: shop, name: Shop, country: DE}
purposes:
- key: sale
  name: {en: Sale, pt-BR: Venda}
  data_use: essential.service
  legal_basis: {gdpr: "6(1)(b)"}
  categories: [user.contact]
  subject_types: [customer]
  retention: 24 months
  from: 2025-01-01
resources:
- {system: shop, match: "GET /products/*", categories: []}
- {system: shop, match: "GET /find?who={subject:email}", categories: [user.contact.email], subject_types: [customer], purposes: [sale]}
`

// ofAna are lines of several days about Ana, by Ana, and about others.
func ofAna(from time.Time, days int) (lines []string, about int) {
	for d := range days {
		at := from.AddDate(0, 0, d)
		for i := range 5 {
			lines = append(lines,
				combined(at, "192.0.2.8", "-", "GET /find?who="+anasMail+" HTTP/1.1", 200, "-", "curl/8.5.0"),
				combined(at, anasAddr, anasName, fmt.Sprintf("GET /products/%d HTTP/1.1", i), 200, "-", "curl/8.5.0"),
				combined(at, "192.0.2.9", "-", fmt.Sprintf("GET /find?who=bob%d@example.org HTTP/1.1", i), 200, "-", "curl/8.5.0"))
			about += 2
			at = at.Add(time.Second)
		}
	}
	return lines, about
}

// erasureSite is a site with lines about Ana of some days before now.
func erasureSite(t *testing.T) (s *site, about int) {
	s = newSite(t)
	s.cfg.Kafka.Keep = time.Hour
	s.cfg.DataMap = s.write("datamap.yaml", erasureMap)
	s.vault(time.Now().UTC())
	lines, about := ofAna(time.Now().UTC().AddDate(0, 0, -3).Truncate(time.Second), 3)
	path := s.write("shop.log", lines...)
	s.cfg.Sources = []source.Config{{Name: "shop", File: path, Format: "nginx:combined", System: "shop", Principal: []string{"remote_user"}}}
	s.start("ledger", "auditor")
	s.ingest(services.IngestRequest{Files: []string{path}, Format: "nginx:combined"})
	register := "id,law,type,received,manner,verification,acknowledged,extended,responded,outcome,denial_reason\n" +
		request + ",gdpr,erasure,2026-01-05,web,verified,,,,open,\nDSR-8,gdpr,access,2026-01-05,web,verified,,,,open,\nDSR-9,gdpr,erasure,2026-01-05,web,open,,,,open,\n"
	for _, name := range []string{"ana.officer", "bea.officer"} {
		if err := s.app.AddUser(t.Context(), services.UserRequest{Name: name, Password: password, Roles: []string{"officer", "key_officer"}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.app.ImportRequests(t.Context(), services.ImportRequest{Name: "requests.csv", Data: []byte(register)}); err != nil {
		t.Fatal(err)
	}
	return s, about
}

// ask is one call of erase, under an account where it needs one.
func (s *site) ask(r services.EraseRequest) erased.Answer {
	s.t.Helper()
	res, err := s.app.Erase(s.t.Context(), asAna(r))
	if err != nil {
		s.t.Fatal(err)
	}
	return res.Answer
}

// asAna is a request under the account of the site that asks for erasures.
func asAna(r services.EraseRequest) services.EraseRequest {
	r.User, r.Password = "ana.officer", password
	return r
}

// approved asks for Ana's erasure and has a second person approve it.
func (s *site) approved() {
	s.t.Helper()
	a := s.ask(services.EraseRequest{Request: request, Identifiers: anasIDs})
	if a.State != erased.StateWaiting {
		s.t.Fatalf("%+v", a)
	}
	decide := func(name string) error {
		return s.app.Decide(s.t.Context(), services.DecideRequest{ID: a.Approval, User: name, Password: password, Approve: true})
	}
	if err := decide("ana.officer"); !errors.Is(err, registers.ErrOwnRequest) {
		s.t.Errorf("whoever asked approves: %v", err)
	}
	if err := decide("bea.officer"); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) find() erased.Found {
	s.t.Helper()
	return s.ask(services.EraseRequest{Request: request, Identifiers: anasIDs, DryRun: true}).Found
}

// TestErasure: a person is found before an erasure and not after it, nothing
// brings the person back, the record verifies, old proofs hold, and once the
// keys of the days are gone no key, table or file confirms a guess but the
// tombstones.
func TestErasure(t *testing.T) {
	s, about := erasureSite(t)
	links := s.count("SELECT uniqExact(day, pseudonym) FROM subject_links")
	found := s.find()
	if found.Entries != uint64(about) || found.Links != 6 || found.Originals == 0 || found.Identifiers != 2 {
		t.Errorf("before: %+v of %d entries", found, about)
	}
	originals := s.count("SELECT count() FROM originals WHERE sealed != ''")
	entry := s.rows("SELECT event_id FROM entries WHERE url_template LIKE '%find%' AND has(subject_kinds, 'email') ORDER BY offset LIMIT 1")[0][0]
	proof, err := s.app.Prove(t.Context(), services.ProveRequest{Entry: entry})
	if err != nil {
		t.Fatal(err)
	}
	report := s.plantReport()
	if hits := s.bruteForce(); hits["table subject_links"] == 0 {
		t.Error("the brute force does not find what is there: ", hits)
	}
	for _, bad := range []string{"DSR-8", "DSR-9", "DSR-10"} {
		if _, err := s.app.Erase(t.Context(), asAna(services.EraseRequest{Request: bad, Identifiers: anasIDs})); err == nil {
			t.Errorf("%s asks for no erasure of a verified person, and gets one", bad)
		}
	}
	for _, r := range []services.EraseRequest{{DryRun: true}, {}, {User: "ana.officer"}, {User: "os:root", Password: password}} {
		r.Request, r.Identifiers = request, anasIDs
		if _, err := s.app.Erase(t.Context(), r); !errors.Is(err, registers.ErrSignIn) {
			t.Errorf("without an account: %v", err)
		}
	}
	if _, err := s.app.Erase(t.Context(), asAna(services.EraseRequest{Request: request, DryRun: true, Identifiers: []services.Identifier{anasIDs[0], {Kind: "e-mail", Value: anasMail}}})); err == nil ||
		!strings.Contains(err.Error(), "identifier 2") || strings.Contains(err.Error(), "e-mail") || !strings.HasSuffix(text.HintOf(err), ": email, user") {
		t.Errorf("an unknown kind: %v, hint %q", err, text.HintOf(err))
	}
	hold, err := s.app.AddHold(t.Context(), services.Hold{Reason: "matter 17", Request: request})
	if err != nil {
		t.Fatal(err)
	}
	s.approved()
	if _, err := s.app.Erase(t.Context(), services.EraseRequest{Request: request}); err == nil || !strings.Contains(err.Error(), "legal hold") {
		t.Errorf("a request that is held is carried out: %v", err)
	}
	if err := s.app.LiftHold(t.Context(), services.LiftRequest{ID: hold.ID, Reason: "settled"}); err != nil {
		t.Fatal(err)
	}
	answer := s.ask(services.EraseRequest{Request: request})
	if d := answer.Destroyed; answer.State != erased.StateDone || d == nil || d.Links != 6 || d.Originals != found.Originals || d.Reports != 1 || answer.Leaf == nil {
		t.Errorf("answer: %+v", answer)
	}
	if !answer.Complete.After(answer.Done.Add(29 * 24 * time.Hour)) {
		t.Errorf("the rest is gone on %s already", answer.Complete)
	}
	if _, err := os.Stat(report); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the stored report is there:", err)
	}
	if again := s.ask(services.EraseRequest{Request: request}); *again.Leaf != *answer.Leaf || !again.Done.Equal(answer.Done) {
		t.Errorf("erased twice: %+v, then %+v", answer, again)
	}
	key, err := os.ReadFile(filepath.Join(s.cfg.Data, "ledger", "ledger.pub"))
	if err != nil {
		t.Fatal(err)
	}
	clean := func(when string) {
		t.Helper()
		if f := s.find(); f != (erased.Found{Identifiers: 2}) {
			t.Errorf("%s: %+v", when, f)
		}
		if v := s.verify(); !v.OK {
			t.Errorf("%s: %v", when, v.Faults)
		}
		if _, err := services.CheckProof(proof.Proof, key); err != nil {
			t.Errorf("%s: an old proof does not hold: %v", when, err)
		}
	}
	clean("after")
	if n := s.count("SELECT uniqExact(day, pseudonym) FROM subject_links"); n != links {
		t.Errorf("%d links, before %d: what was erased can be counted", n, links)
	}
	if n := s.count("SELECT count() FROM originals WHERE sealed != ''"); n != originals-int(found.Originals) {
		t.Errorf("%d originals are left of %d", n, originals)
	}

	s.evidenceWithout(entry)
	s.replay(services.ReplayRequest{From: time.Now().AddDate(0, 0, -10), Until: time.Now().Add(time.Hour)})
	clean("after re-processing")
	more, _ := ofAna(time.Now().UTC().AddDate(0, 0, -2).Truncate(time.Second), 2)
	path := s.write("old.log", more...)
	s.ingest(services.IngestRequest{Files: []string{path}, Format: "nginx:combined", Source: "shop", New: true})
	clean("after lines of before")
	if n := s.count("SELECT count() FROM findings WHERE control = 'RT-01'"); n != 0 {
		t.Errorf("%d findings about lines of before", n)
	}
	afterwards := func(name string, at time.Time, findings int) {
		t.Helper()
		path := s.write(name, combined(at, "192.0.2.8", "-", "GET /find?who="+anasMail+" HTTP/1.1", 200, "-", "curl/8.5.0"))
		s.ingest(services.IngestRequest{Files: []string{path}, Format: "nginx:combined", Source: "shop", New: true})
		if n := s.count("SELECT count() FROM findings WHERE control = 'RT-01' AND severity = 'critical'"); n != findings {
			t.Errorf("%s: %d findings, want %d", name, n, findings)
		}
	}
	today := answer.Begun.Truncate(24 * time.Hour)
	afterwards("today.log", today.Add(24*time.Hour-time.Second), 0) // a tombstone knows the day alone
	clean("after a line of the same day")

	if err := s.app.TurnKeys(t.Context(), time.Now().AddDate(0, 0, 45)); err != nil {
		t.Fatal(err)
	}
	for place, n := range s.bruteForce() {
		if place != "table tombstones" && place != "registers.db" && place != "registers.db-wal" {
			t.Errorf("a guess is confirmed %d times by %s", n, place)
		} else if place == "table tombstones" && n != 2+2*2 {
			t.Errorf("%d tombstones of two values and their tags of two years", n)
		}
	}
	bob := s.ask(services.EraseRequest{Request: request, Identifiers: []services.Identifier{{Kind: "email", Value: "bob1@example.org"}}, DryRun: true}).Found
	if bob.Links != 3 || bob.Entries < 3 {
		t.Errorf("who was not erased is not found through links once the keys of the days are gone: %+v", bob)
	}
	afterwards("tomorrow.log", today.AddDate(0, 0, 1), 1)
	if f := s.find(); f.Links != 1 || f.Entries != 1 {
		t.Errorf("who comes back on a later day is not found: %+v", f)
	}
	s.lookedUpTooOften()
	if log := s.log.String(); strings.Contains(log, anasName) || strings.Contains(log, anasAddr) {
		t.Error("the log has a value of the person")
	}
}

// lookedUpTooOften looks people up until that is refused, which the trail has too.
func (s *site) lookedUpTooOften() {
	s.t.Helper()
	for range 30 {
		if _, err := s.app.Registers().RecordAtMost(s.t.Context(), "eve", "erasure.find", request, "", 30, time.Hour); err != nil {
			s.t.Fatal(err)
		}
	}
	if _, err := s.app.Erase(s.t.Context(), asAna(services.EraseRequest{Request: request, Identifiers: anasIDs, DryRun: true})); !errors.Is(err, registers.ErrLimit) {
		s.t.Errorf("a person can be looked up without end: %v", err)
	}
	acts, err := s.app.Registers().Acts(s.t.Context(), 1)
	if err != nil || acts[0].Allowed || acts[0].Actor != "ana.officer" || acts[0].Act != "erasure.find" || acts[0].Reason != "identifiers: 2" {
		s.t.Errorf("the trail ends with %+v, %v", acts, err)
	}
}

// evidenceWithout puts out a bundle of an entry whose originals were erased,
// beside one whose were not.
func (s *site) evidenceWithout(entry string) {
	s.t.Helper()
	other := s.rows("SELECT event_id FROM originals WHERE sealed != '' AND field = 'subjects.0' ORDER BY `offset` LIMIT 1")[0][0]
	mine := s.count("SELECT count() FROM originals WHERE sealed != '' AND event_id = '" + entry + "'")
	theirs := s.count("SELECT count() FROM originals WHERE sealed != '' AND event_id = '" + other + "'")
	res, err := s.app.Evidence(s.t.Context(), services.EvidenceRequest{Entries: []string{entry, other}, Reason: "CASE-9"})
	if err != nil {
		s.t.Fatal(err)
	}
	if res.Entries != 2 || res.Originals != mine+theirs || theirs == 0 {
		s.t.Errorf("the bundle has %d entries and %d originals of %d and %d", res.Entries, res.Originals, mine, theirs)
	}
}

// plantReport stores a report that shows one of Ana's pseudonyms, and one that
// shows none, and returns the folder of the first.
func (s *site) plantReport() string {
	s.t.Helper()
	name := s.rows("SELECT subjects[1] FROM entries WHERE has(subject_kinds, 'email') ORDER BY offset LIMIT 1")[0][0]
	dir := filepath.Join(s.cfg.Data, "reports")
	for run, content := range map[string]string{"RUN1": `{"rows":[["` + name + `"]]}`, "RUN2": `{"rows":[["` + name + `x"]]}`} {
		if err := os.MkdirAll(filepath.Join(dir, run), 0o700); err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, run, "report.json"), []byte(content), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	return filepath.Join(dir, "RUN1")
}

const (
	dyingConfig = "TALLYSTICK_TEST_ERASING"
	dyingStep   = "TALLYSTICK_TEST_ERASING_STEP"
)

// eraseUntilKilled is the process that dies before a step of an erasure.
func eraseUntilKilled(t *testing.T, config string) {
	cfg, err := services.LoadConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	app, err := services.New(context.Background(), services.BeforeErasureSteps(services.Options{
		Config: cfg, Targets: []string{"ledger", "auditor"}, Version: "test", Logger: discard(),
	}, func(step string) error {
		if step == os.Getenv(dyingStep) {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Fatal(app.Run(context.Background()))
}

// killedBefore runs the site in a process of its own, which is killed before a
// step.
func (s *site) killedBefore(step string) {
	s.t.Helper()
	b, err := yaml.Marshal(s.cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	config := s.write("dying.yaml", string(b))
	cmd := exec.CommandContext(s.t.Context(), os.Args[0], "-test.run=^TestErasureInterrupted$")
	cmd.Env = append(os.Environ(), dyingConfig+"="+config, dyingStep+"="+step)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		s.t.Fatalf("before %s: the process was to be killed and ended itself: %v\n%s", step, err, out)
	}
}

// TestErasureInterrupted: an erasure that ends between any two steps, or is
// killed there, goes on to the same end, and what a back-up of the store brings
// back is erased again before anything is served.
func TestErasureInterrupted(t *testing.T) {
	if config := os.Getenv(dyingConfig); config != "" {
		eraseUntilKilled(t, config)
		return
	}
	s, about := erasureSite(t)
	s.stop()
	backup := filepath.Join(s.dir, "backup")
	copyFolder(t, filepath.Join(s.cfg.Data, "clickhouse"), backup)
	killed := errors.New("killed here")
	var at string
	s.step = func(step string) error {
		if step == at {
			return killed
		}
		return nil
	}
	s.start("ledger", "auditor")
	found := s.find()
	s.approved()
	for _, at = range []string{"begin", "originals", "tombstones", "destroy", "reports"} {
		if _, err := s.app.Erase(t.Context(), services.EraseRequest{Request: request}); !errors.Is(err, killed) {
			t.Fatalf("at %s: %v", at, err)
		}
		if at == "destroy" { // between the tombstone and the end of the original the record is whole
			if v := s.verify(); !v.OK {
				t.Errorf("at %s: %v", at, v.Faults)
			}
		}
	}
	s.stop()
	s.killedBefore("links")
	s.killedBefore("finish")
	at = ""
	s.start("ledger", "auditor")
	a := s.ask(services.EraseRequest{Request: request})
	if a.State != erased.StateDone || a.Found.Entries != uint64(about) || a.Found != found || a.Destroyed.Originals != found.Originals {
		t.Errorf("%+v", a)
	}
	gone := func(when string) {
		t.Helper()
		if f := s.find(); f != (erased.Found{Identifiers: 2}) {
			t.Errorf("%s: %+v", when, f)
		}
		if n := s.count("SELECT countIf(sealed = '') FROM originals"); n != int(found.Originals) {
			t.Errorf("%s: %d originals are gone of %d", when, n, found.Originals)
		}
		if v := s.verify(); !v.OK {
			t.Errorf("%s: %v", when, v.Faults)
		}
	}
	gone("after all")
	s.stop()
	if err := os.RemoveAll(filepath.Join(s.cfg.Data, "clickhouse")); err != nil {
		t.Fatal(err)
	}
	copyFolder(t, backup, filepath.Join(s.cfg.Data, "clickhouse"))
	s.open("ledger", "auditor") // nothing runs yet
	if f := s.find(); f != (erased.Found{Identifiers: 2}) {
		t.Errorf("a restored store answers about the person: %+v", f)
	}
	s.run()
	gone("after the restore")
	if !strings.Contains(s.log.String(), "applied again") {
		t.Error("nobody was told that erasures were applied again")
	}
}

func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
