package witness_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	cosig "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/audit/ledger/witness"
)

const origin = "tallystick.example/test"

type key struct{ ed25519.PrivateKey }

func testKey(n byte) key {
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = n
	return key{ed25519.NewKeyFromSeed(seed)}
}

func (k key) Public() ed25519.PublicKey       { return k.PrivateKey.Public().(ed25519.PublicKey) }
func (k key) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(k.PrivateKey, msg), nil }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func logKey(t testing.TB) string {
	k, err := ledger.VerifierKey(testKey(1).Public(), origin)
	must(t, err)
	return k
}

func openLog(t testing.TB, k byte) *ledger.Log {
	t.Helper()
	l, err := ledger.OpenLog(context.Background(), t.TempDir(), testKey(k), origin)
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// grow appends n leaves that are this log's own.
func grow(t testing.TB, l *ledger.Log, salt string, n int) ledger.Checkpoint {
	t.Helper()
	var leaves []ledger.Leaf
	for i := range n {
		leaves = append(leaves, ledger.ArtefactLeaf(fmt.Sprint(salt, l.Checkpoint().Size, "-", i), [32]byte{1}, time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)))
	}
	_, err := l.Append(context.Background(), leaves...)
	must(t, err)
	return l.Checkpoint()
}

func open(t testing.TB, dir string) *witness.Witness {
	t.Helper()
	w, err := witness.New(witness.Config{Dir: dir, Name: "witness.example/w1", Logs: []string{logKey(t)}})
	must(t, err)
	return w
}

// serve runs a witness and returns a client of it.
func serve(t testing.TB, w *witness.Witness) *witness.Client {
	t.Helper()
	srv := httptest.NewServer(w)
	t.Cleanup(srv.Close)
	c, err := witness.NewClient("w1", srv.URL+"/", w.Public())
	must(t, err)
	return c
}

// TestCosign grows a log under a witness that restarts, and under a client that
// knows nothing of what the witness has.
func TestCosign(t *testing.T) {
	ctx, dir, l := context.Background(), t.TempDir(), openLog(t, 1)
	c := serve(t, open(t, dir))
	v, err := note.NewVerifier(logKey(t))
	must(t, err)
	for i, n := range []int{1, 1, 254, 300, 0} {
		if i%2 == 1 {
			c = serve(t, open(t, dir))
		}
		cp := l.Checkpoint()
		if n > 0 {
			cp = grow(t, l, "a", n)
		}
		signed, err := c.Cosign(ctx, l.Reader, cp, cp.Raw)
		must(t, err)
		got, err := ledger.ParseCosigned(signed, v, []*ledger.Witness{c.Witness})
		must(t, err)
		if got.Size != cp.Size || len(got.By) != 1 || got.By[0].Witness != "w1" || time.Since(got.By[0].Time) > time.Minute {
			t.Fatalf("%+v", got)
		}
		// Another implementation of cosignature/v1 takes it too.
		cv, err := cosig.NewVerifierForCosignatureV1(open(t, dir).Public())
		must(t, err)
		if opened, err := note.Open(signed, note.VerifierList(cv, v)); err != nil || len(opened.Sigs) != 2 {
			t.Fatalf("%+v, %v", opened, err)
		}
	}
}

func TestCosignContradictions(t *testing.T) {
	ctx := context.Background()
	for _, tc := range []struct {
		name string
		log  func(t *testing.T, seen *ledger.Log) *ledger.Log
		want witness.Contradiction
	}{
		{"rolled back", func(t *testing.T, _ *ledger.Log) *ledger.Log {
			l := openLog(t, 1)
			grow(t, l, "a", 5)
			return l
		}, witness.Contradiction{Witness: "w1", Kind: ledger.LogRolledBack, Size: 5, Other: 10}},
		{"forked at the same size", func(t *testing.T, _ *ledger.Log) *ledger.Log {
			l := openLog(t, 1)
			grow(t, l, "b", 10)
			return l
		}, witness.Contradiction{Witness: "w1", Kind: ledger.LogForked, Size: 10, Other: 10}},
		{"forked and grown", func(t *testing.T, _ *ledger.Log) *ledger.Log {
			l := openLog(t, 1)
			grow(t, l, "b", 20)
			return l
		}, witness.Contradiction{Witness: "w1", Kind: ledger.LogForked, Size: 20, Other: 10}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, seen := open(t, t.TempDir()), openLog(t, 1)
			c := serve(t, w)
			cp := grow(t, seen, "a", 10)
			_, err := c.Cosign(ctx, seen.Reader, cp, cp.Raw)
			must(t, err)
			other := tc.log(t, seen)
			for _, c := range []*witness.Client{c, serve(t, w)} {
				signed, err := c.Cosign(ctx, other.Reader, other.Checkpoint(), other.Checkpoint().Raw)
				var no *witness.Contradiction
				if !errors.As(err, &no) || signed != nil {
					t.Fatalf("signed %q, error %v", signed, err)
				}
				if diff := cmp.Diff(*no, tc.want); diff != "" {
					t.Errorf("(-got +want)\n%s", diff)
				}
			}
			cp = grow(t, seen, "c", 1) // the log that it knows goes on
			if _, err := c.Cosign(ctx, seen.Reader, cp, cp.Raw); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAddRefuses(t *testing.T) {
	w, l := open(t, t.TempDir()), openLog(t, 1)
	cp := grow(t, l, "a", 10)
	other := openLog(t, 2)
	grow(t, other, "a", 10)
	stranger, err := ledger.OpenLog(context.Background(), t.TempDir(), testKey(1), "elsewhere.example")
	must(t, err)
	defer func() { _ = stranger.Close() }()
	for _, tc := range []struct {
		name   string
		body   []byte
		status int
	}{
		{"nonsense", []byte("hello"), http.StatusBadRequest},
		{"an unknown log", (&witness.Request{Checkpoint: stranger.Checkpoint().Raw}).Marshal(), http.StatusNotFound},
		{"another key", (&witness.Request{Checkpoint: other.Checkpoint().Raw}).Marshal(), http.StatusForbidden},
		{"a changed checkpoint", (&witness.Request{Checkpoint: []byte(strings.Replace(string(cp.Raw), "\n10\n", "\n11\n", 1))}).Marshal(), http.StatusForbidden},
		{"an old size that is larger", (&witness.Request{Old: 11, Checkpoint: cp.Raw}).Marshal(), http.StatusBadRequest},
		{"an old size that it has not", (&witness.Request{Old: 3, Checkpoint: cp.Raw}).Marshal(), http.StatusConflict},
		{"a proof from nothing", (&witness.Request{Proof: make(tlog.TreeProof, 1), Checkpoint: cp.Raw}).Marshal(), http.StatusUnprocessableEntity},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := w.Add(tc.body)
			var no *witness.Refusal
			if !errors.As(err, &no) || no.Status != tc.status {
				t.Errorf("error %v, want status %d", err, tc.status)
			}
		})
	}
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/add-checkpoint", nil))
	if rec.Code != http.StatusMethodNotAllowed {
		t.Error(rec.Code)
	}
	rec = httptest.NewRecorder()
	w.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/add-checkpoint", strings.NewReader(strings.Repeat("x", 1<<20))))
	if rec.Code != http.StatusBadRequest {
		t.Error(rec.Code)
	}
	rec = httptest.NewRecorder()
	w.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, "/add-checkpoint", strings.NewReader(string((&witness.Request{Old: 3, Checkpoint: cp.Raw}).Marshal()))))
	if rec.Code != http.StatusConflict || rec.Body.String() != "0\n" || rec.Header().Get("Content-Type") != "text/x.tlog.size" {
		t.Error(rec.Code, rec.Body, rec.Header())
	}
}

// TestWitnessNeverSignsTwoHistories asks for two forks at once, many times.
func TestWitnessNeverSignsTwoHistories(t *testing.T) {
	w := open(t, t.TempDir())
	a, b := openLog(t, 1), openLog(t, 1)
	grow(t, a, "a", 7)
	grow(t, b, "b", 9)
	var wg sync.WaitGroup
	var mu sync.Mutex
	signed := map[string]bool{}
	for i := range 16 {
		cp := []*ledger.Log{a, b}[i%2].Checkpoint()
		wg.Go(func() {
			if _, err := w.Add((&witness.Request{Checkpoint: cp.Raw}).Marshal()); err == nil {
				mu.Lock()
				signed[string(cp.Root)] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(signed) != 1 {
		t.Errorf("%d histories signed", len(signed))
	}
}

func TestClientMistrustsWitness(t *testing.T) {
	ctx, l := context.Background(), openLog(t, 1)
	cp := grow(t, l, "a", 3)
	for _, tc := range []struct {
		name   string
		status int
		body   string
		want   string
	}{
		{"no signature", 200, "", "failed to verify"},
		{"another's signature", 200, "— witness.example/w2 AAAAAAAAAAAAAAAAAAAA\n", "failed to verify"},
		{"a conflict without size", 409, "nothing", "without a size"},
		{"a conflict that goes in circles", 409, "1\n", "without a size"},
		{"a failure", 500, "", "answers 500"},
		{"a flood", 200, strings.Repeat("x", 1<<20), "too long"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sizes := 0
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tc.status)
				body := tc.body
				if body == "1\n" {
					sizes++
					body = fmt.Sprintln(sizes%2 + 1)
				}
				_, _ = w.Write([]byte(body))
			}))
			defer srv.Close()
			c, err := witness.NewClient("w1", srv.URL, open(t, t.TempDir()).Public())
			must(t, err)
			if signed, err := c.Cosign(ctx, l.Reader, cp, cp.Raw); err == nil || !strings.Contains(err.Error(), tc.want) || signed != nil {
				t.Errorf("signed %q, error %v, want %q", signed, err, tc.want)
			}
		})
	}
	for _, bad := range [][2]string{{"ftp://x", open(t, t.TempDir()).Public()}, {"http://x", "nonsense"}} {
		if _, err := witness.NewClient("w", bad[0], bad[1]); err == nil {
			t.Errorf("%v accepted", bad)
		}
	}
}

func TestWitnessKeepsKeyAndName(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir).Public()
	if again := open(t, dir).Public(); again != first {
		t.Errorf("%q, then %q", first, again)
	}
	if _, err := witness.New(witness.Config{Dir: dir, Name: "another"}); err == nil {
		t.Error("another name accepted")
	}
	if _, err := witness.New(witness.Config{Dir: t.TempDir(), Name: "two words"}); err == nil {
		t.Error("a name with a space accepted")
	}
	if _, err := witness.New(witness.Config{Dir: t.TempDir(), Name: "w", Logs: []string{"x"}}); err == nil {
		t.Error("a log's key that is none accepted")
	}
	st, err := os.Stat(filepath.Join(dir, "witness.key"))
	must(t, err)
	if st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", st.Mode())
	}
}

func FuzzParseRequest(f *testing.F) {
	l := openLog(f, 1)
	cp := grow(f, l, "a", 3)
	f.Add((&witness.Request{Old: 2, Proof: make(tlog.TreeProof, 2), Checkpoint: cp.Raw}).Marshal())
	f.Add([]byte("old 0\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := witness.ParseRequest(b); err == nil && string(r.Marshal()) != string(b) {
			t.Errorf("%q became %q", b, r.Marshal())
		}
	})
}
