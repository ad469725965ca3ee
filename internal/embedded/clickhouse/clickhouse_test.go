package clickhouse_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tallystick/tallystick/internal/embedded/clickhouse"
	"github.com/tallystick/tallystick/internal/text"
)

func openEngine(t *testing.T, dir string, o clickhouse.Options) *clickhouse.Engine {
	t.Helper()
	if _, err := os.Stat(clickhouse.LibraryPath()); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("libchdb is missing: run make fetch")
		}
		t.Skip("libchdb is missing: run make fetch")
	}
	e, err := clickhouse.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// ask sends one statement and returns status and body.
func ask(t *testing.T, e *clickhouse.Engine, sql string, params ...string) (int, string) {
	t.Helper()
	res, err := send(context.Background(), e, sql, nil, params...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return res.StatusCode, "body: " + err.Error()
	}
	return res.StatusCode, string(b)
}

func send(ctx context.Context, e *clickhouse.Engine, sql string, data io.Reader, params ...string) (*http.Response, error) {
	q := url.Values{"default_format": {"TSV"}}
	for i := 0; i < len(params); i += 2 {
		q.Set(params[i], params[i+1])
	}
	body := data
	if data == nil {
		body = strings.NewReader(sql)
	} else {
		q.Set("query", sql)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://embedded/?"+q.Encode(), body)
	if err != nil {
		return nil, err
	}
	return e.Transport().RoundTrip(req)
}

func TestStatements(t *testing.T) {
	e := openEngine(t, t.TempDir(), clickhouse.Options{})
	for _, sql := range []string{"CREATE DATABASE shop", "CREATE TABLE shop.t (a UInt64, b String) ENGINE = MergeTree ORDER BY a"} {
		if code, body := ask(t, e, sql); code != 200 || body != "" {
			t.Fatalf("%s: %d %s", sql, code, body)
		}
	}
	for _, tc := range []struct {
		name, sql string
		params    []string
		code      int
		body      string // beginning of the body
	}{
		{"select", "SELECT 1", nil, 200, "1\n"},
		{"empty", "SELECT 1 WHERE 0", nil, 200, ""},
		{"show", "SHOW DATABASES LIKE 'shop'", nil, 200, "shop\n"},
		{"explain", "EXPLAIN SYNTAX SELECT 1", nil, 200, "SELECT 1"},
		{"describe in a database", "DESCRIBE TABLE t", []string{"database", "shop"}, 200, "a\tUInt64"},
		{"database that is missing", "SELECT 1", []string{"database", "no'`pe"}, 500, "Code: 81."},
		{"parameter", "SELECT {x:String}, {n:Array(UInt8)}", []string{"param_x", `it's \\ {y}`, "param_n", "[1,2]"}, 200, `it\'s \\ {y}` + "\t[1,2]\n"},
		{"setting", "SELECT getSetting('max_block_size')", []string{"max_block_size", "77"}, 200, "77\n"},
		{"settings end with the statement", "SELECT getSetting('max_block_size') = 77", nil, 200, "0\n"},
		{"unknown setting", "SELECT 1", []string{"no_such_setting", "1"}, 500, "Code: 115."},
		{"readonly", "INSERT INTO shop.t VALUES (1, 'x')", []string{"readonly", "1", "max_result_rows", "5"}, 500, "Code: 164."},
		{"readonly create", "CREATE TABLE shop.u (a Int8) ENGINE = Memory", []string{"readonly", "2"}, 500, "Code: 164."},
		{"readonly holds against SETTINGS", "SELECT 1 SETTINGS readonly = 0", []string{"readonly", "2"}, 500, "Code: 164."},
		{"max_result_rows", "SELECT number FROM numbers(100)", []string{"max_result_rows", "5", "result_overflow_mode", "throw"}, 500, "Code: 396."},
		{"max_result_rows, stop", "SELECT count() FROM (SELECT number FROM numbers(100))", []string{"max_result_rows", "5", "readonly", "1"}, 200, "100\n"},
		{"max_execution_time", "SELECT sum(sleepEachRow(0.1)) FROM numbers(30)", []string{"max_execution_time", "1", "max_block_size", "1", "max_threads", "1"}, 500, "Code: 159."},
		{"syntax", "SELEC 1", nil, 500, "Code: 62."},
		{"insert without data in the body", "INSERT INTO shop.t VALUES (7, 'seven')", nil, 200, ""},
		{"what it wrote", "SELECT * FROM shop.t", nil, 200, "7\tseven\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, body := ask(t, e, tc.sql, tc.params...)
			if code != tc.code || !strings.HasPrefix(body, tc.body) || tc.body == "" && body != "" {
				t.Errorf("got %d %q, want %d %q", code, body, tc.code, tc.body)
			}
		})
	}
}

func TestInsertStreamsTheBody(t *testing.T) {
	e := openEngine(t, t.TempDir(), clickhouse.Options{})
	ask(t, e, "CREATE DATABASE shop")
	ask(t, e, "CREATE TABLE shop.t (a UInt64) ENGINE = MergeTree ORDER BY a")
	res, err := send(context.Background(), e, "INSERT INTO t FORMAT CSV", strings.NewReader(strings.Repeat("12345\n", 1_000_000)), "database", "shop")
	if err != nil || res.StatusCode != 200 {
		t.Fatal(res, err)
	}
	if _, body := ask(t, e, "SELECT count(), sum(a) FROM shop.t"); body != "1000000\t12345000000\n" {
		t.Fatalf("got %q", body)
	}
	res, err = send(context.Background(), e, "INSERT INTO t FORMAT CSV", strings.NewReader("1\nnot a number\n"), "database", "shop")
	if err != nil || res.StatusCode != 500 {
		t.Fatalf("malformed data: %v, %v", res, err)
	}
	_ = res.Body.Close()
}

func TestStreamedSelect(t *testing.T) {
	e := openEngine(t, t.TempDir(), clickhouse.Options{Connections: 1})
	_, body := ask(t, e, "SELECT number FROM numbers(1000000)")
	if n := strings.Count(body, "\n"); n != 1_000_000 {
		t.Fatalf("got %d rows", n)
	}
	// An error in the middle ends the body with that error.
	_, body = ask(t, e, "SELECT throwIf(number = 900000) FROM numbers(1000000)", "max_threads", "1")
	if !strings.HasPrefix(body, "body: Code: 395.") {
		t.Fatalf("got %.100q", body)
	}
	// A body that is closed early gives its slot free.
	for range 3 {
		res, err := send(context.Background(), e, "SELECT number FROM system.numbers", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(io.Discard, res.Body, 100_000); err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
	}
	if _, body := ask(t, e, "SELECT 1"); body != "1\n" {
		t.Fatal(body)
	}
}

// TestKeptConnections: a statement gets what it says itself and nothing of those
// before it on the same connection.
func TestKeptConnections(t *testing.T) {
	e := openEngine(t, t.TempDir(), clickhouse.Options{})
	for _, sql := range []string{"CREATE DATABASE a", "CREATE DATABASE b", "CREATE TABLE a.t (n Int8) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 100"} {
		if status, body := ask(t, e, sql); status != http.StatusOK {
			t.Fatal(body)
		}
	}
	if n := e.Kept(); n != 0 {
		t.Errorf("%d connections are kept after statements that change something", n)
	}
	for i := range 2 {
		for _, st := range []struct {
			sql, want string
			params    []string
		}{
			{"SELECT {x:String}", "one", []string{"param_x", "one"}},
			{"SELECT {x:String}", "two", []string{"param_x", "two"}},
			{"SELECT currentDatabase()", "a", []string{"database", "a"}},
			{"SELECT currentDatabase()", "b", []string{"database", "b"}},
			{"SELECT getSetting('max_threads')", "3", []string{"max_threads", "3"}},
			{"SELECT getSetting('max_threads')", "2", []string{"max_threads", "2"}},
			{"SELECT getSetting('readonly')", "1", []string{"readonly", "1"}},
			{"SELECT getSetting('readonly')", "2", []string{"readonly", "2"}},
			{"SELECT getSetting('readonly')", "0", nil},
		} {
			if _, body := ask(t, e, st.sql, st.params...); body != st.want+"\n" {
				t.Errorf("round %d, %s with %q: %q", i, st.sql, st.params, body)
			}
		}
		for _, p := range []string{"", "param_x", "param_y"} {
			params := []string{p, "1"}
			if p == "" {
				params = nil
			}
			if status, _ := ask(t, e, "SELECT {z:String}", params...); status == http.StatusOK {
				t.Errorf("round %d: a parameter of another statement was used", i)
			}
		}
		for _, token := range []string{"t1", "t2", "t1"} {
			res, err := send(t.Context(), e, "INSERT INTO t FORMAT TSV", strings.NewReader("1\n"), "database", "a", "insert_deduplication_token", token)
			if err != nil || res.StatusCode != http.StatusOK {
				t.Fatal(res, err)
			}
		}
	}
	if _, body := ask(t, e, "SELECT count() FROM a.t"); body != "2\n" {
		t.Errorf("%s rows of two tokens", body)
	}
	kept := e.Kept()
	if kept == 0 || kept > clickhouse.MaxKept {
		t.Errorf("%d connections are kept", kept)
	}
	for range 3 {
		if status, _ := ask(t, e, "SELECT throwIf(number = 3) FROM numbers(5)", "max_threads", "1"); status == http.StatusOK {
			t.Error("no error")
		}
	}
	if n := e.Kept(); n > kept {
		t.Errorf("%d connections are kept after errors, %d before", n, kept)
	}
	out, err := e.Late(t.Context(), "SHOW TABLES FROM a")
	if err != nil || out == nil {
		t.Fatalf("a kill that came late: %v, %v", out, err)
	}
	if b, err := io.ReadAll(out); err != nil || string(b) != "t\n" {
		t.Errorf("a kill that came late: %q, %v", b, err)
	}
}

func TestCancelledStatementsLeaveThePoolWhole(t *testing.T) {
	e := openEngine(t, t.TempDir(), clickhouse.Options{Connections: 2})
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
			defer cancel()
			start := time.Now()
			res, err := send(ctx, e, "SELECT sleepEachRow(0.5) FROM numbers(2) SETTINGS max_block_size = 1", nil)
			if err == nil { // the first chunk came before the deadline
				_ = res.Body.Close()
			} else if !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			if d := time.Since(start); d > 2*time.Second {
				t.Errorf("returned after %s", d)
			}
		})
	}
	wg.Wait()
	if _, body := ask(t, e, "SELECT 1"); body != "1\n" {
		t.Fatal(body)
	}
}

func TestCancelledSelectIsKilled(t *testing.T) {
	e := openEngine(t, t.TempDir(), clickhouse.Options{Connections: 1})
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	_, err := send(ctx, e, "SELECT count() FROM numbers(1000000000000000) WHERE sipHash64(number) = 1", nil)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	// The only slot is free again soon, long before the statement would end.
	ctx, cancel = context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	res, err := send(ctx, e, "SELECT 1", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	// A stream that nobody closes yet ends with its context too.
	ctx, cancel = context.WithCancel(context.Background())
	res, err = send(ctx, e, "SELECT number FROM system.numbers", nil)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.Copy(io.Discard, res.Body); err == nil {
		t.Fatal("the body ended without an error")
	}
	_ = res.Body.Close()
}

// blocking gives some data, says that it did, and then waits.
type blocking struct {
	data    *bytes.Reader
	reached chan struct{}
	release chan struct{}
}

func (b *blocking) Read(p []byte) (int, error) {
	if b.data.Len() > 0 {
		return b.data.Read(p)
	}
	close(b.reached)
	<-b.release
	return 0, io.ErrUnexpectedEOF
}

func TestInsertWithBrokenBodyWritesNothing(t *testing.T) {
	e := openEngine(t, t.TempDir(), clickhouse.Options{})
	ask(t, e, "CREATE DATABASE shop")
	ask(t, e, "CREATE TABLE shop.t (a UInt64) ENGINE = MergeTree ORDER BY a")
	b := &blocking{data: bytes.NewReader(bytes.Repeat([]byte("1\n"), 1000)), reached: make(chan struct{}), release: make(chan struct{})}
	go func() {
		<-b.reached
		close(b.release)
	}()
	if _, err := send(context.Background(), e, "INSERT INTO shop.t FORMAT CSV", b); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("got %v", err)
	}
	if _, body := ask(t, e, "SELECT count() FROM shop.t"); body != "0\n" {
		t.Fatalf("got %q", body)
	}
}

func TestOpenErrorsHaveHints(t *testing.T) {
	dir := t.TempDir()
	e := openEngine(t, dir, clickhouse.Options{})
	if _, err := clickhouse.Open(t.TempDir(), clickhouse.Options{}); err == nil || text.HintOf(err) == "" {
		t.Fatalf("a second engine: %v", err)
	}
	if os.Getenv("TALLYSTICK_TEST_OPEN") != "" {
		return
	}
	// Another process finds the folder taken.
	cmd := exec.Command(os.Args[0], "-test.run=TestOpenInChild", "-test.v")
	cmd.Env = append(os.Environ(), "TALLYSTICK_TEST_OPEN="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("in use by process")) {
		t.Fatalf("%v: %s", err, out)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := send(context.Background(), e, "SELECT 1", nil); !errors.Is(err, clickhouse.ErrClosed) {
		t.Fatalf("after Close: %v", err)
	}
}

// TestOpenInChild runs in the child process of TestOpenErrorsHaveHints.
func TestOpenInChild(t *testing.T) {
	dir := os.Getenv("TALLYSTICK_TEST_OPEN")
	if dir == "" {
		t.Skip("runs as a child only")
	}
	missing := filepath.Join(t.TempDir(), "libchdb.so")
	if _, err := clickhouse.Open(dir, clickhouse.Options{Library: missing}); text.HintOf(err) != "make fetch" {
		t.Fatalf("a missing library: %v", err)
	}
	_, err := clickhouse.Open(dir, clickhouse.Options{})
	if err == nil || text.HintOf(err) == "" {
		t.Fatalf("a folder in use: %v", err)
	}
	t.Log(err)
}

func TestReopenAnotherFolder(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	for i, dir := range []string{a, b, a} {
		e := openEngine(t, dir, clickhouse.Options{})
		want := "0\n"
		if i == 2 {
			want = "1\n"
		}
		if _, body := ask(t, e, "SELECT count() FROM system.databases WHERE name = 'kept'"); body != want {
			t.Fatalf("round %d: got %q, want %q", i, body, want)
		}
		if i == 0 {
			ask(t, e, "CREATE DATABASE kept")
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHandler(t *testing.T) {
	e := openEngine(t, t.TempDir(), clickhouse.Options{})
	srv := httptest.NewServer(e.Handler())
	defer srv.Close()
	res, err := http.Post(srv.URL+"/?default_format=CSV", "", strings.NewReader("SELECT 'a', 2"))
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if string(b) != "\"a\",2\n" {
		t.Fatalf("got %q", b)
	}
}
