package services_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	auditledger "github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/audit/ledger/witness"
	"github.com/tallystick/tallystick/services"
	"github.com/tallystick/tallystick/services/ledger"
)

// TestWitnessedSite runs a site under a witness: what it publishes and serves
// can be checked from outside, and a rollback of everything that the site keeps
// shows although nothing on it does.
func TestWitnessedSite(t *testing.T) {
	s := newSite(t)
	// The witness must know the ledger's key, and the site the witness's.
	s.start("ledger", "auditor")
	cp, err := s.app.Checkpoint(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	s.stop()
	w, err := witness.New(witness.Config{Dir: t.TempDir(), Name: "witness.example", Logs: []string{cp.Key}})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(w)
	defer srv.Close()
	kept := filepath.Join(s.dir, "kept.txt")
	s.cfg.Ledger = ledger.Config{Listen: "127.0.0.1:0", Every: time.Second, Publish: ledger.PublishConfig{File: kept, Topic: "checkpoints.v1"},
		Witnesses: []ledger.WitnessConfig{{Name: "w1", URL: srv.URL, Key: w.Public()}}}
	path := s.write("shop.log", pages(time.Now().UTC().Add(-time.Hour), 0, 50)...)
	s.start("ledger", "auditor")
	s.ingest(services.IngestRequest{Files: []string{path}, Format: "nginx:combined"})
	if v := s.verify(); !v.OK || v.Unwitnessed || len(v.Witnesses) != 1 {
		t.Fatalf("%+v", v)
	}
	wait(t, "a published checkpoint", func() bool {
		b, err := os.ReadFile(kept)
		return err == nil && strings.Contains(string(b), "witness.example")
	})
	if strings.Contains(s.log.String(), "failed to publish") {
		t.Error("a publication failed")
	}
	if got := s.get("/checkpoint"); !strings.HasPrefix(got, "tallystick/") || !strings.Contains(got, "— witness.example ") {
		t.Errorf("served %q", got)
	}
	if got := s.get("/tile/entries/000.p/1"); !strings.Contains(got, `"type":"chunk"`) {
		t.Errorf("served %q", got)
	}
	id := s.rows("SELECT event_id FROM entries WHERE row = 7")[0][0]
	proof, err := s.app.Prove(context.Background(), services.ProveRequest{Entry: id})
	if err != nil {
		t.Fatal(err)
	}
	if p, err := services.CheckProof(proof.Proof, []byte(cp.Key+"\n")); err != nil || p.Entry.EntryID() != id {
		t.Errorf("%+v, %v", p, err)
	}
	s.stop()

	// Everything that the site keeps is brought back to an older state.
	backup := filepath.Join(s.dir, "backup")
	if err := os.CopyFS(backup, os.DirFS(s.cfg.Data)); err != nil {
		t.Fatal(err)
	}
	s.start("ledger", "auditor")
	more := services.IngestRequest{Files: []string{s.write("more.log", pages(time.Now().UTC(), 900, 5)...)}, Format: "nginx:combined"}
	s.ingest(more)
	if v := s.verify(); !v.OK || v.Unwitnessed {
		t.Fatalf("%+v", v)
	}
	newest, err := s.app.Checkpoint(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	lost := s.rows("SELECT any(chunk) FROM entries WHERE url_template != '' AND chunk NOT IN (SELECT chunk FROM leaves WHERE leaf = 0)")[0][0]
	s.stop()
	s.restoredStore(backup, more, lost)
	if err := os.RemoveAll(s.cfg.Data); err != nil {
		t.Fatal(err)
	}
	s.cfg.Data = backup
	s.start("ledger", "auditor")
	v, err := s.app.Verify(context.Background(), services.VerifyRequest{Checkpoint: []byte(newest.Note)}, func(services.Progress) {})
	if err != nil || v.OK || len(v.Faults) == 0 || !strings.Contains(v.Faults[0], "rolled back") {
		t.Errorf("against a checkpoint kept elsewhere: %v %+v", err, v)
	}
	v = s.verify()
	// The finding of the first verification has a leaf: what was rolled back and
	// grew again is a fork.
	if v.OK || !v.Unwitnessed || len(v.Faults) != 1 || !strings.Contains(v.Faults[0], "rolled back") && !strings.Contains(v.Faults[0], "rewritten") {
		t.Errorf("%+v", v)
	}
	if n := s.count("SELECT count() FROM findings WHERE control = 'GV-03' AND facts['what'] = '" + string(auditledger.LogRolledBack) + "'"); n == 0 {
		t.Error("no finding")
	}
}

// restoredStore brings the store alone back to a back-up: verify names the chunk
// that is lost, and the lines come back when their file is read again.
func (s *site) restoredStore(backup string, more services.IngestRequest, lost string) {
	s.t.Helper()
	if err := os.RemoveAll(filepath.Join(s.cfg.Data, "clickhouse")); err != nil {
		s.t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(s.cfg.Data, "clickhouse"), os.DirFS(filepath.Join(backup, "clickhouse"))); err != nil {
		s.t.Fatal(err)
	}
	s.start("ledger", "auditor")
	v := s.verify()
	if v.OK || !strings.Contains(strings.Join(v.Faults, "\n"), "Chunk "+lost+" (version 1) is in the ledger and not in the store.") {
		s.t.Errorf("lost %s: %+v", lost, v)
	}
	s.ingest(more) // what Kafka still had came back by itself
	if n := s.count(entriesCount); n != 55 {
		s.t.Errorf("%d entries after the file was read again", n)
	}
	s.stop()
}

// get asks the site's listener for tile clients.
func (s *site) get(path string) string {
	s.t.Helper()
	res, err := http.Get("http://" + s.app.Tiles() + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		s.t.Fatalf("%s: %d %s %v", path, res.StatusCode, b, err)
	}
	return string(b)
}
