package ledger_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	core "github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/audit/ledger/witness"
	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/services/ledger"
)

// keeper is a receiver of published checkpoints and a Kafka topic.
type keeper struct {
	mu     sync.Mutex
	status int
	posts  []string
	kafka  []broker.Message
	fail   error
}

func (k *keeper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.posts = append(k.posts, string(b))
	w.WriteHeader(k.status)
}

func (k *keeper) Produce(_ context.Context, topic string, msgs ...broker.Message) error {
	if topic != "checkpoints.v1" || k.fail != nil {
		return errors.Join(errors.New("failed to produce"), k.fail)
	}
	k.kafka = append(k.kafka, msgs...)
	return nil
}

// openWith opens a ledger with a configuration of its own.
func openWith(t *testing.T, cfg ledger.Config, d ledger.Deps) *ledger.Ledger {
	t.Helper()
	l := openConfig(t, cfg, d)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func startWitness(t *testing.T) (ledger.WitnessConfig, *httptest.Server) {
	t.Helper()
	k, err := core.VerifierKey(signer.Public(), "example/test")
	must(t, err)
	w, err := witness.New(witness.Config{Dir: t.TempDir(), Name: "witness.example", Logs: []string{k}})
	must(t, err)
	srv := httptest.NewServer(w)
	t.Cleanup(srv.Close)
	return ledger.WitnessConfig{Name: "w1", URL: srv.URL, Key: w.Public()}, srv
}

func TestPublish(t *testing.T) {
	ctx, st, k := context.Background(), newMemory(), &keeper{status: http.StatusNoContent}
	srv := httptest.NewServer(k)
	defer srv.Close()
	wc, _ := startWitness(t)
	file := filepath.Join(t.TempDir(), "kept")
	l := openWith(t, ledger.Config{
		Dir: t.TempDir(), Publish: ledger.PublishConfig{File: file, URL: srv.URL, Topic: "checkpoints.v1"}, Witnesses: []ledger.WitnessConfig{wc},
	}, ledger.Deps{Store: st, Producer: k})
	l.Publish(ctx)
	if len(k.posts) != 0 {
		t.Error("an empty log was published")
	}
	st.close("c1")
	must(t, l.Step(ctx))
	k.fail = errors.New("away")
	l.Publish(ctx) // is tried again
	k.fail = nil
	l.Publish(ctx)
	l.Publish(ctx) // is done
	b, err := os.ReadFile(file)
	must(t, err)
	want := string(b)
	if diff := cmp.Diff(k.posts, []string{want, want}); diff != "" && (len(k.posts) != 2 || k.posts[1] != want) {
		t.Errorf("(-got +want)\n%s", diff)
	}
	if len(k.kafka) != 1 || string(k.kafka[0].Value) != want || string(k.kafka[0].Key) != "example/test" {
		t.Errorf("to Kafka: %+v", k.kafka)
	}
	if !strings.Contains(want, "\n1\n") || strings.Count(want, "— ") != 2 || !strings.Contains(want, "— witness.example ") {
		t.Errorf("published %q", want)
	}
	rec := httptest.NewRecorder()
	l.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/checkpoint", nil))
	if rec.Body.String() != want {
		t.Errorf("served %q, want the cosigned one", rec.Body)
	}
}

func TestWitnessedState(t *testing.T) {
	ctx, st, dir := context.Background(), newMemory(), t.TempDir()
	wc, srv := startWitness(t)
	now := time.Now()
	d := ledger.Deps{Store: st, Now: func() time.Time { return now }}
	cfg := ledger.Config{Dir: dir, Witnesses: []ledger.WitnessConfig{wc}}
	l := openWith(t, cfg, d)
	f := follow(t, cfg, d)
	check := func(what string, want ...string) {
		t.Helper()
		for name, v := range map[string]interface {
			State(context.Context) (ledger.State, error)
		}{"writer": l, "follower": f} {
			s, err := v.State(ctx)
			must(t, err)
			if diff := cmp.Diff(s.Witnesses, want); diff != "" {
				t.Errorf("%s, %s: (-got +want)\n%s", what, name, diff)
			}
		}
	}
	st.close("c1")
	must(t, l.Step(ctx))
	check("before the witness was asked")
	l.Publish(ctx)
	check("signed", "w1")
	st.close("c2")
	must(t, l.Step(ctx))
	check("lately signed", "w1")
	now = now.Add(2 * time.Hour)
	check("signed long ago")
	res, err := f.Verify(ctx, st, ledger.VerifyOptions{}, nil)
	must(t, err)
	if !res.Witnessed || !cmp.Equal(res.Witnesses, []string{"w1"}) || len(res.Silent) != 0 {
		t.Errorf("%+v", res)
	}
	srv.Close()
	res, err = l.Verify(ctx, st, ledger.VerifyOptions{}, nil)
	must(t, err)
	if res.Witnessed || len(res.Witnesses) != 0 || !cmp.Equal(res.Silent, []string{"w1"}) {
		t.Errorf("%+v", res)
	}
}

// TestWitnessNoticesRollback rolls log and store back together, which nothing on
// the machine shows, and then lets the log grow another way.
func TestWitnessNoticesRollback(t *testing.T) {
	ctx := context.Background()
	wc, _ := startWitness(t)
	honest := newMemory()
	l := openWith(t, ledger.Config{Dir: t.TempDir(), Witnesses: []ledger.WitnessConfig{wc}}, ledger.Deps{Store: honest})
	for _, c := range []string{"c1", "c2", "c3"} {
		honest.close(c)
	}
	must(t, l.Step(ctx))
	l.Publish(ctx)

	var told []core.Problem
	st := newMemory()
	l = openWith(t, ledger.Config{Dir: t.TempDir(), Witnesses: []ledger.WitnessConfig{wc}}, ledger.Deps{Store: st,
		Contradicted: func(_ context.Context, witness string, p core.Problem) {
			if witness == "w1" {
				told = append(told, p)
			}
		}})
	rolled, forked := core.Problem{Kind: core.LogRolledBack, Size: 1, Other: 3}, core.Problem{Kind: core.LogForked, Size: 4, Other: 3}
	for _, step := range []struct {
		chunks []string
		want   core.Problem
	}{{[]string{"c1"}, rolled}, {[]string{"x2", "x3", "x4"}, forked}} {
		for _, c := range step.chunks {
			st.close(c)
		}
		must(t, l.Step(ctx))
		l.Publish(ctx)
		res, err := l.Verify(ctx, st, ledger.VerifyOptions{}, nil)
		must(t, err)
		if diff := cmp.Diff(res.Problems, []core.Problem{step.want}); diff != "" || res.Witnessed {
			t.Errorf("witnessed %v (-got +want)\n%s", res.Witnessed, diff)
		}
	}
	if diff := cmp.Diff(told, []core.Problem{rolled, forked}); diff != "" {
		t.Errorf("told (-got +want)\n%s", diff)
	}
}

// TestPublishKeepsSignatures publishes again while the witness is away.
func TestPublishKeepsSignatures(t *testing.T) {
	ctx, st, dir := context.Background(), newMemory(), t.TempDir()
	wc, srv := startWitness(t)
	file := filepath.Join(t.TempDir(), "kept")
	cfg := ledger.Config{Dir: dir, Publish: ledger.PublishConfig{File: file}, Witnesses: []ledger.WitnessConfig{wc}}
	l := openConfig(t, cfg, ledger.Deps{Store: st})
	st.close("c1")
	must(t, l.Step(ctx))
	l.Publish(ctx)
	must(t, l.Close())
	srv.Close()
	must(t, os.Remove(file))
	l = openConfig(t, cfg, ledger.Deps{Store: st})
	l.Publish(ctx)
	must(t, l.Close())
	b, err := os.ReadFile(file)
	must(t, err)
	if !strings.Contains(string(b), "— witness.example ") {
		t.Errorf("published %q", b)
	}
}

// TestRunPublishing publishes on the clock and ends with its context.
func TestRunPublishing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kept")
	st := newMemory()
	l := openWith(t, ledger.Config{Dir: t.TempDir(), Every: time.Minute, Publish: ledger.PublishConfig{File: file}}, ledger.Deps{Store: st})
	st.close("c1")
	must(t, l.Step(context.Background()))
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- l.RunPublishing(ctx) }()
		time.Sleep(59 * time.Second)
		synctest.Wait()
		if _, err := os.Stat(file); err == nil {
			t.Error("published too early")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if _, err := os.Stat(file); err != nil {
			t.Error(err)
		}
		cancel()
		must(t, <-done)
	})
}

func TestValidate(t *testing.T) {
	wc, _ := startWitness(t)
	with := func(f func(*ledger.WitnessConfig)) ledger.Config {
		w := wc
		f(&w)
		return ledger.Config{Witnesses: []ledger.WitnessConfig{wc, w}}
	}
	for _, tc := range []struct {
		name string
		cfg  ledger.Config
		want string
	}{
		{"nothing", ledger.Config{}, ""},
		{"all", ledger.Config{Listen: "127.0.0.1:8082", Every: time.Minute, Publish: ledger.PublishConfig{File: "f", URL: "https://x", Topic: "t"},
			Witnesses: []ledger.WitnessConfig{wc}}, ""},
		{"a listener without port", ledger.Config{Listen: "localhost"}, "ledger.listen: "},
		{"too often", ledger.Config{Every: time.Millisecond}, "ledger.every: "},
		{"an address of another kind", ledger.Config{Publish: ledger.PublishConfig{URL: "ftp://x"}}, "ledger.publish.url: "},
		{"a name twice", with(func(*ledger.WitnessConfig) {}), "ledger.witnesses[1]: "},
		{"no name", with(func(w *ledger.WitnessConfig) { w.Name = "" }), "ledger.witnesses[1]: "},
		{"no address", with(func(w *ledger.WitnessConfig) { w.Name, w.URL = "w2", "x" }), "ledger.witnesses[1].url: "},
		{"no key", with(func(w *ledger.WitnessConfig) { w.Name, w.Key = "w2", "x" }), "ledger.witnesses[1].key: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := tc.cfg.Validate()
			if (err == nil) != (tc.want == "") || err != nil && !strings.HasPrefix(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}

func newMemory() *memory { return &memory{leaves: map[string]uint64{}} }
