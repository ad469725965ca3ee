package store_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tallystick/tallystick/internal/embedded/clickhouse"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/store/storetest"
	"github.com/tallystick/tallystick/internal/text"
)

// openAt opens a store on a folder of its own; the caller calls shut.
func openAt(t *testing.T, dir string) (s *store.Store, shut func()) {
	t.Helper()
	e, err := clickhouse.Open(dir, clickhouse.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err = store.Open(context.Background(), store.Config{}, store.Deps{Transport: e.Transport()})
	if err != nil {
		_ = e.Close()
		t.Fatal(err)
	}
	return s, func() { _, _ = s.Close(), e.Close() }
}

func TestTokensHoldAfterReopen(t *testing.T) {
	storetest.Need(t)
	dir := t.TempDir()
	c := newChunk("lines.v1-3-100-aaaa")
	for range 2 {
		s, shut := openAt(t, dir)
		b, _ := fill(t, c, 1, 500)
		if err := s.InsertEntries(context.Background(), c, b); err != nil {
			t.Fatal(err)
		}
		for sql, want := range map[string]any{"SELECT count() FROM entries": uint64(500), "SELECT sum(entries) FROM entries_hourly": uint64(500)} {
			if got := scalar(t, s, sql); got != want {
				t.Errorf("%s: got %v, want %v", sql, got, want)
			}
		}
		shut()
	}
}

// insertForever is the child of TestKillInMidInsert.
func insertForever(t *testing.T, dir string) {
	s, _ := openAt(t, dir)
	for i := 0; ; i++ {
		c := newChunk(fmt.Sprintf("lines.v1-0-%d-aaaa", i))
		b, _ := fill(t, c, uint64(i), 2000)
		if err := s.InsertEntries(context.Background(), c, b); err != nil {
			t.Fatal(err)
		}
		fmt.Println("inserted", i)
	}
}

func TestKillInMidInsert(t *testing.T) {
	storetest.Need(t)
	if dir := os.Getenv("TALLYSTICK_TEST_KILL"); dir != "" {
		insertForever(t, dir)
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKillInMidInsert$")
	cmd.Env = append(os.Environ(), "TALLYSTICK_TEST_KILL="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	last := -1
	for sc := bufio.NewScanner(out); sc.Scan(); {
		if _, err := fmt.Sscanf(sc.Text(), "inserted %d", &last); err == nil && last >= 5 {
			_ = cmd.Process.Kill()
		}
	}
	if err := cmd.Wait(); err == nil || last < 5 {
		t.Fatalf("the child ended by itself after %d: %v", last, err)
	}
	s, shut := openAt(t, dir)
	defer shut()
	// Every chunk that was acknowledged is whole, and the one in flight is whole
	// or absent; inserting all of them again counts each once.
	if n := scalar(t, s, fmt.Sprintf("SELECT count() FROM entries WHERE toUInt32(splitByChar('-', chunk)[3]) <= %d", last)); n != uint64(2000*(last+1)) {
		t.Fatalf("%v rows after %d inserts", n, last+1)
	}
	for i := range last + 2 {
		c := newChunk(fmt.Sprintf("lines.v1-0-%d-aaaa", i))
		b, _ := fill(t, c, uint64(i), 2000)
		if err := s.InsertEntries(context.Background(), c, b); err != nil {
			t.Fatal(err)
		}
	}
	for _, sql := range []string{
		"SELECT count() FROM (SELECT chunk FROM entries GROUP BY chunk HAVING count() != 2000)",
		"SELECT sum(entries) - (SELECT count() FROM entries_all) FROM entries_hourly",
	} {
		if got := fmt.Sprint(scalar(t, s, sql)); got != "0" {
			t.Errorf("%s: got %s, want 0", sql, got)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	open := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(open, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		cfg  store.Config
		want string
	}{
		{"a password that others can read", store.Config{Address: "http://127.0.0.1:1", PasswordFile: open}, "open to other users"},
		{"no address", store.Config{}, "not the URL"},
		{"not HTTP", store.Config{Address: "tcp://127.0.0.1:9000"}, "not the URL"},
		{"nobody there", store.Config{Address: "http://127.0.0.1:1"}, "connection refused"},
		{"bad database", store.Config{Address: "http://127.0.0.1:1", Database: "a b"}, "not a name"},
		{"no password file", store.Config{Address: "http://127.0.0.1:1", PasswordFile: "/nonexistent"}, "password"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := store.Open(ctx, tc.cfg, store.Deps{})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v, want %q", err, tc.want)
			}
			if tc.name == "nobody there" && text.HintOf(err) == "" {
				t.Fatal("no hint")
			}
		})
	}
}

func TestOverHTTP(t *testing.T) {
	srv := httptest.NewServer(storetest.Engine(t).Handler())
	defer srv.Close()
	ctx := context.Background()
	s, err := store.Open(ctx, store.Config{Address: srv.URL, Database: "over_http"}, store.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	c := newChunk("lines.v1-3-100-aaaa")
	b, want := fill(t, c, 1, 20_000) // more than a buffer of the connection
	for range 2 {
		if err := s.InsertEntries(ctx, c, b); err != nil {
			t.Fatal(err)
		}
	}
	if got := entriesOf(t, s, c); len(got) != len(want) || !reflect.DeepEqual(got[19_999], want[19_999]) {
		t.Fatalf("%d rows", len(got))
	}
	if _, err := s.Select(ctx, "SELECT nothing_like_it"); store.Code(err) != 47 {
		t.Fatalf("code %d, %v", store.Code(err), err)
	}
	// A server that is gone is an error, not a loss.
	srv.CloseClientConnections()
	srv.Close()
	if err := s.InsertEntries(ctx, newChunk("lines.v1-3-200-bbbb"), b); err == nil {
		t.Fatal("an insert without a server succeeded")
	}
}

// TestCancelledInsert cuts inserts at several moments: each is whole or absent,
// the block may be reused at once, and inserting again completes it.
func TestCancelledInsert(t *testing.T) {
	s := storetest.Open(t)
	for i, d := range []time.Duration{0, time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond, 60 * time.Millisecond} {
		c := newChunk(fmt.Sprintf("lines.v1-3-%d-aaaa", i))
		b, want := fill(t, c, uint64(i), 5000)
		ctx, cancel := context.WithTimeout(context.Background(), d)
		_ = s.InsertEntries(ctx, c, b)
		cancel()
		b.Reset()
		for j := range want {
			if err := b.Append(&want[j]); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.InsertEntries(context.Background(), c, b); err != nil {
			t.Fatal(err)
		}
		if got := entriesOf(t, s, c); !reflect.DeepEqual(got, want) {
			t.Fatalf("after %s: %d rows of %d", d, len(got), len(want))
		}
	}
	if n := scalar(t, s, "SELECT sum(entries) FROM entries_hourly"); n != uint64(25_000) {
		t.Fatalf("%v in the rollup", n)
	}
}
