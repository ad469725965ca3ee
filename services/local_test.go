package services_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/services"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// attach reaches the running site as the command line does.
func (s *site) attach() services.Operations {
	s.t.Helper()
	ops, end, err := services.Attach(context.Background(), s.cfg, "test", discard())
	if err != nil {
		s.t.Fatal(err)
	}
	if _, ok := ops.(*services.Client); !ok {
		s.t.Fatal("the running instance was not found")
	}
	s.t.Cleanup(func() { _ = end() })
	return ops
}

// TestActsThroughTheSocket: an act through the socket equals the act in the
// process, its errors keep their hints, and the trail names the OS user.
func TestActsThroughTheSocket(t *testing.T) {
	s := newSite(t)
	path := s.write("shop.log", append(pages(time.Now().UTC().AddDate(0, 0, -1), 0, 100), "garbage")...)
	s.start()
	client, ctx := s.attach(), context.Background()

	var last services.Progress
	sum, err := client.Ingest(ctx, services.IngestRequest{Files: []string{path}, Format: "auto"}, func(p services.Progress) { last = p })
	if err != nil || sum.Entries != 100 || sum.Rejections != 1 {
		t.Fatalf("%+v, %v", sum, err)
	}
	if last.Lines != 101 || last.Done == 0 || last.Done != last.Total {
		t.Errorf("last progress: %+v", last)
	}
	again, err := s.app.Ingest(ctx, services.IngestRequest{Files: []string{path}, Format: "auto"}, func(services.Progress) {})
	if err != nil || again.Duplicates != 101 {
		t.Errorf("the same in the process: %+v, %v", again, err)
	}
	for _, sql := range []string{"SELECT source, status_code, event_time, query_keys, client_ip FROM entries ORDER BY offset LIMIT 7", "SELECT 1 WHERE 0", "SELECT nothing FROM entries", "DROP TABLE entries"} {
		a, aerr := client.Query(ctx, services.QueryRequest{SQL: sql})
		b, berr := s.app.Query(ctx, services.QueryRequest{SQL: sql})
		same(t, sql, a, b, aerr, berr)
	}
	a, aerr := client.Verify(ctx, services.VerifyRequest{}, nil)
	b, berr := s.app.Verify(ctx, services.VerifyRequest{}, func(services.Progress) {})
	same(t, "verify", a, b, aerr, berr)
	ca, aerr := client.Checkpoint(ctx)
	cb, berr := s.app.Checkpoint(ctx)
	same(t, "checkpoint", ca, cb, aerr, berr)
	until := time.Now().UTC().Truncate(24 * time.Hour)
	r := services.RenderRequest{Kind: "gdpr-accountability", From: until.AddDate(0, 0, -1), Until: until, Format: "csv"}
	ra, aerr := client.Render(ctx, r)
	if aerr != nil || len(ra.Data) == 0 || ra.Name == "" {
		t.Errorf("report: %v", aerr)
	}
	r.Kind = "nothing"
	_, aerr = client.Render(ctx, r)
	_, berr = s.app.Render(ctx, r)
	same(t, "no such report", 0, 0, aerr, berr)

	accounts, end, err := services.AttachRegisters(ctx, s.cfg, "test", discard())
	if err != nil {
		t.Fatal(err)
	}
	if accounts, ok := accounts.(*services.Client); !ok {
		t.Error("the running instance was not found for its registers")
	} else if err := accounts.AddUser(ctx, services.UserRequest{Name: "anna", Password: "correct horse battery", Roles: []string{"auditor"}}); err != nil {
		t.Error(err)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
	aerr = client.AddUser(ctx, services.UserRequest{Name: "anna", Password: "correct horse battery", Roles: []string{"auditor"}})
	berr = s.app.AddUser(ctx, services.UserRequest{Name: "anna", Password: "correct horse battery", Roles: []string{"auditor"}})
	same(t, "a second anna", 0, 0, aerr, berr)
	if err := client.ResetPassword(ctx, services.UserRequest{Name: "anna", Password: "another long password"}); err != nil {
		t.Error(err)
	}
	_, aerr = client.ImportRequests(ctx, services.ImportRequest{Name: "requests.csv", Data: []byte("nonsense\n")})
	_, berr = s.app.ImportRequests(ctx, services.ImportRequest{Name: "requests.csv", Data: []byte("nonsense\n")})
	same(t, "import", 0, 0, aerr, berr)
	trail(t, s)
}

// TestIngestOfAPipe: lines reach a running instance through its socket, however
// many they are; a pipe that breaks is told.
func TestIngestOfAPipe(t *testing.T) {
	s := newSite(t)
	s.cfg.Sources = []source.Config{{Name: "shop", Format: "nginx:combined", File: filepath.Join(s.dir, "none.log")}}
	s.start()
	const lines = 20_000
	var in strings.Builder
	for i := range lines {
		fmt.Fprintf(&in, "192.0.2.9 - - [21/Nov/2026:11:00:09 +0000] \"GET /static/%d.png HTTP/1.1\" 200 9 \"-\" \"curl/8\"\n", i)
	}
	got, err := s.attach().Ingest(context.Background(), services.IngestRequest{Format: "auto", Input: strings.NewReader(in.String())}, nil)
	if err != nil || got.Lines != lines || got.Entries != lines {
		t.Fatalf("%+v, %v", got, err)
	}
	if n := s.count("SELECT count() FROM entries WHERE source = 'ingest-nginx-combined'"); n != lines {
		t.Errorf("%d entries are of the source that was made for the pipe", n)
	}
	broken := io.MultiReader(strings.NewReader(in.String()), iotest.ErrReader(errors.New("broken pipe")))
	if got, err := s.attach().Ingest(context.Background(), services.IngestRequest{Format: "nginx:combined", Input: broken}, nil); err == nil {
		t.Errorf("a broken pipe looks whole: %+v", got)
	}
}

// same compares answers and errors with their hints.
func same[T any](t *testing.T, what string, a, b T, aerr, berr error) {
	t.Helper()
	if d := cmp.Diff(a, b, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("%s: (-socket +process)\n%s", what, d)
	}
	if (aerr == nil) != (berr == nil) || aerr != nil && (aerr.Error() != berr.Error() || text.HintOf(aerr) != text.HintOf(berr)) {
		t.Errorf("%s: socket: %v (%s), process: %v (%s)", what, aerr, text.HintOf(aerr), berr, text.HintOf(berr))
	}
}

// trail wants every act, and all under the OS user.
func trail(t *testing.T, s *site) {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	acts, err := s.app.Registers().Acts(context.Background(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, a := range acts {
		seen[a.Act] = true
		if a.Actor != "os:"+me.Username {
			t.Errorf("%s is in the trail under %s", a.Act, a.Actor)
		}
	}
	for _, want := range []string{"ingest", "sql", "ledger.verify", "user.add", "user.reset", "requests.import"} {
		if !seen[want] {
			t.Errorf("%s is not in the trail", want)
		}
	}
	if _, err := s.app.Registers().CheckPassword(context.Background(), "anna", "another long password"); err != nil {
		t.Errorf("the new password: %v", err)
	}
	if _, err := s.app.Registers().CheckPassword(context.Background(), "anna", "correct horse battery"); !errors.Is(err, registers.ErrSignIn) {
		t.Errorf("the old password: %v", err)
	}
}

// TestSocketBelongsToItsOwner: nobody else can open it or look beside it.
func TestSocketBelongsToItsOwner(t *testing.T) {
	s := newSite(t)
	s.start()
	st, err := os.Stat(services.SocketPath(s.cfg.Data))
	if err != nil {
		t.Fatal(err)
	}
	if st.Mode().Type() != fs.ModeSocket || st.Mode().Perm()&0o077 != 0 {
		t.Errorf("the socket's mode is %s", st.Mode())
	}
	err = filepath.WalkDir(s.cfg.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && path == s.cfg.Data && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("the data folder's mode is %s", info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	path := services.SocketPath(s.cfg.Data)
	s.stop()
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket stays after the end: %v", err)
	}
}

// TestSocketOfAStranger: a socket that belongs to someone else is not believed.
func TestSocketOfAStranger(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give a file away")
	}
	s := newSite(t)
	s.start()
	path := services.SocketPath(s.cfg.Data)
	if err := os.Chown(path, 12345, -1); err != nil {
		t.Fatal(err)
	}
	_, _, err := services.Attach(context.Background(), s.cfg, "test", discard())
	if err == nil || text.HintOf(err) == "" {
		t.Errorf("%v, want the hint of a folder in use", err)
	}
}

// TestLongDataPath: a data folder whose path is too long for a socket names a
// short one.
func TestLongDataPath(t *testing.T) {
	s := newSite(t)
	run := filepath.Join(s.dir, "run")
	if err := os.Mkdir(run, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_RUNTIME_DIR", run)
	s.cfg.Data = filepath.Join(s.dir, strings.Repeat("long", 20), strings.Repeat("path", 20), "data")
	if before := services.SocketPath(s.cfg.Data); before == "" {
		t.Error("no path before the folder exists")
	}
	if _, err := os.Stat(s.cfg.Data); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("asking for the socket made the data folder: %v", err)
	}
	s.start()
	path := services.SocketPath(s.cfg.Data)
	if len(path) >= 108 || !strings.HasPrefix(path, run) {
		t.Errorf("%d bytes of path, in the runtime folder: %v", len(path), strings.HasPrefix(path, run))
	}
	if res, err := s.attach().Query(context.Background(), services.QueryRequest{SQL: entriesCount}); err != nil || res.Rows[0][0] != "0" {
		t.Errorf("%v, %v", res, err)
	}
}

const secondProcess = "TALLYSTICK_TEST_SECOND"

// TestSecondProcess: another process on a folder in use is told so, and the
// first goes on.
func TestSecondProcess(t *testing.T) {
	if data := os.Getenv(secondProcess); data != "" {
		cfg := services.DefaultConfig(filepath.Dir(data))
		cfg.Data, cfg.Console.Listen = data, "127.0.0.1:0"
		_, err := services.New(context.Background(), services.Options{Config: cfg, Targets: services.Targets, Logger: discard()})
		if err == nil {
			t.Fatal("two processes have one folder")
		}
		t.Logf("error: %v", err)
		t.Logf("hint: %s", text.HintOf(err))
		return
	}
	s := newSite(t)
	s.start()
	cmd := exec.Command(os.Args[0], "-test.run=^TestSecondProcess$", "-test.v")
	cmd.Env = append(os.Environ(), secondProcess+"="+s.cfg.Data)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"is in use by another process", "hint: stop the other tallystick, or give another folder with --data"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%s\ndoes not say %q", out, want)
		}
	}
	if n := s.count(entriesCount); n != 0 {
		t.Errorf("%d entries", n)
	}
}

// TestAttachWithoutInstance: with nothing running the acts happen in a process
// of their own, which leaves the record whole.
func TestAttachWithoutInstance(t *testing.T) {
	s := newSite(t)
	path := s.write("shop.log", pages(time.Now().UTC().Add(-time.Hour), 0, 100)...)
	ops, end, err := services.Attach(context.Background(), s.cfg, "test", discard())
	if err != nil {
		t.Fatal(err)
	}
	sum, err := ops.Ingest(context.Background(), services.IngestRequest{Files: []string{path}, Format: "auto"}, func(services.Progress) {})
	if err := errors.Join(err, end()); err != nil || sum.Entries != 100 {
		t.Fatalf("%+v, %v", sum, err)
	}
	s.start()
	if n := s.count("SELECT count() FROM chunks WHERE state = 'closed' AND (id, version) NOT IN (SELECT chunk, version FROM leaves)"); n != 0 {
		t.Errorf("%d chunks were left without a leaf", n)
	}
	if v := s.verify(); !v.OK || v.Rows < 100 {
		t.Errorf("verify: %+v", v)
	}
}
