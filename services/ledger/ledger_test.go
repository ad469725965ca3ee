package ledger_test

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tallystick/tallystick/audit"
	core "github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/services/ledger"
)

type key struct{ ed25519.PrivateKey }

func (k key) Public() ed25519.PublicKey       { return k.PrivateKey.Public().(ed25519.PublicKey) }
func (k key) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(k.PrivateKey, msg), nil }

var signer = key{ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}

// memory is a store of empty chunks.
type memory struct {
	mu     sync.Mutex
	chunks []*audit.Chunk
	leaves map[string]uint64
	fail   error
	set    chan struct{} // a value for each leaf set
}

func (m *memory) close(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := &audit.Chunk{ID: id, Version: 1, Opened: time.Now(), Roots: map[string][]byte{}}
	for _, t := range core.Tables {
		c.Roots[t] = core.NewTable(nil).Root()
	}
	m.chunks = append(m.chunks, c)
}

func (m *memory) ClosedAmong(_ context.Context, chunks []*audit.Chunk) ([]*audit.Chunk, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*audit.Chunk
	for _, c := range chunks {
		if i := slices.IndexFunc(m.chunks, func(o *audit.Chunk) bool { return o.Key() == c.Key() }); i >= 0 {
			out = append(out, m.chunks[i])
		}
	}
	return out, nil
}

func (m *memory) ClosedWithoutLeaf(context.Context, time.Time, int) ([]*audit.Chunk, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*audit.Chunk
	for _, c := range m.chunks {
		if _, ok := m.leaves[c.ID]; !ok {
			out = append(out, c)
		}
	}
	return out, nil
}

// refuse makes SetLeaf fail with err from now on.
func (m *memory) refuse(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = err
}

func (m *memory) SetLeaf(_ context.Context, chunk string, _ uint16, index uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	m.leaves[chunk] = index
	if m.set != nil {
		m.set <- struct{}{}
	}
	return nil
}

func (m *memory) EachState(_ context.Context, f func(audit.ChunkState) error) error {
	for _, c := range m.chunks {
		if err := f(audit.ChunkState{ChunkKey: c.Key(), Closed: true, Opened: c.Opened}); err != nil {
			return err
		}
	}
	return nil
}
func (m *memory) EachStored(context.Context, func(audit.ChunkKey) error) error           { return nil }
func (m *memory) EachSuperseded(context.Context, func(audit.ChunkKey) error) error       { return nil }
func (m *memory) EachReplayed(context.Context, func(string, uint64, uint64) error) error { return nil }
func (m *memory) EntriesOf(context.Context, []string, func(audit.ChunkKey, uint32, *audit.Entry) error) error {
	return nil
}
func (m *memory) RejectionsOf(context.Context, []string, func(audit.ChunkKey, uint32, *audit.Rejection) error) error {
	return nil
}
func (m *memory) CapsulesOf(context.Context, []string, func(audit.ChunkKey, uint32, *audit.Capsule) error) error {
	return nil
}
func (m *memory) OriginalsOf(context.Context, []string, func(audit.ChunkKey, uint32, *audit.Original) error) error {
	return nil
}
func (m *memory) FindingsOf(context.Context, []string, func(audit.ChunkKey, uint32, *audit.Finding) error) error {
	return nil
}

// late is what the ledger said of late chunks.
type late []string

func (l *late) LateLeaf(_ context.Context, chunk string, waiting int, since, now time.Time) error {
	*l = append(*l, fmt.Sprintf("%s, %d waiting for %s", chunk, waiting, now.Sub(since)))
	return nil
}

func open(t testing.TB, dir string, d ledger.Deps) *ledger.Ledger {
	t.Helper()
	return openConfig(t, ledger.Config{Dir: dir}, d)
}

func openConfig(t testing.TB, cfg ledger.Config, d ledger.Deps) *ledger.Ledger {
	t.Helper()
	cfg.Origin = "example/test"
	if cfg.Poll == 0 {
		cfg.Poll = time.Hour
	}
	d.Signer, d.Logger, d.Registerer = signer, slog.New(slog.DiscardHandler), prometheus.NewRegistry()
	l, err := ledger.New(cfg, d)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func follow(t testing.TB, cfg ledger.Config, d ledger.Deps) *ledger.Follower {
	t.Helper()
	cfg.Origin, d.Signer = "example/test", signer
	f, err := ledger.Follow(cfg, d)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestRunSequencesOnNudge(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	st := &memory{leaves: map[string]uint64{}, set: make(chan struct{}, 10)}
	st.close("c0")
	l := open(t, t.TempDir(), ledger.Deps{Store: st})
	done := make(chan error)
	go func() { done <- l.Run(ctx) }()
	wait := func() {
		t.Helper()
		select {
		case <-st.set:
		case <-time.After(10 * time.Second):
			t.Fatal("no leaf in ten seconds")
		}
	}
	wait() // c0, at start
	st.close("c1")
	l.Nudge(&audit.Chunk{ID: "c1", Version: 1})
	wait()
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	state, err := l.State(context.Background())
	if err != nil || state.Size != 2 || state.Waiting != 0 || len(state.Witnesses) != 0 || state.Time.IsZero() {
		t.Errorf("state %+v, error %v", state, err)
	}
	if i, ok := l.Leaf("c1", 1); !ok || i != 1 {
		t.Errorf("leaf %d, %v", i, ok)
	}
	res, err := l.Verify(context.Background(), st, ledger.VerifyOptions{}, nil)
	if err != nil || !res.OK() || res.Chunks != 2 {
		t.Errorf("result %+v, error %v", res, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestLeafOnceAfterCrash stops between the append and SetLeaf.
func TestLeafOnceAfterCrash(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	st := &memory{leaves: map[string]uint64{}, fail: errors.New("store away")}
	st.close("c0")
	l := open(t, dir, ledger.Deps{Store: st})
	if err := l.Step(ctx); err == nil || !strings.Contains(err.Error(), "store away") {
		t.Fatalf("error %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	st.fail = nil
	l = open(t, dir, ledger.Deps{Store: st})
	defer func() { _ = l.Close() }()
	if err := l.Step(ctx); err != nil {
		t.Fatal(err)
	}
	if size := l.Checkpoint().Size; size != 1 || st.leaves["c0"] != 0 {
		t.Errorf("size %d, leaves %v", size, st.leaves)
	}
}

// TestKilledWriter kills a real process again and again in the middle of its
// appends, and checks that each chunk has exactly one leaf in the end.
func TestKilledWriter(t *testing.T) {
	const chunks = 60
	if dir := os.Getenv("LEDGER_TEST_DIR"); dir != "" {
		st := &memory{leaves: map[string]uint64{}}
		for i := range chunks {
			st.close(fmt.Sprintf("c%d", i))
		}
		l := open(t, dir, ledger.Deps{Store: oneByOne{st}})
		for range chunks {
			if err := l.Step(context.Background()); err != nil {
				t.Fatal(err)
			}
			fmt.Println("step")
		}
		fmt.Println("complete")
		return
	}
	dir := t.TempDir()
	kills := 0
	for n := range chunks {
		if killAfter(t, dir, 1+7*n) {
			break
		}
		kills++
	}
	l := open(t, dir, ledger.Deps{Store: &memory{leaves: map[string]uint64{}}})
	defer func() { _ = l.Close() }()
	if size := l.Checkpoint().Size; size != chunks || kills < 5 {
		t.Errorf("%d leaves for %d chunks after %d kills", size, chunks, kills)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "new", "*")); err != nil || len(left) > 0 {
		t.Errorf("files left over: %v, error %v", left, err)
	}
}

// killAfter runs the writer in a process of its own and kills it a moment after
// its step of that number. It reports whether the writer came to its end before.
func killAfter(t *testing.T, dir string, steps int) (complete bool) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run", "^TestKilledWriter$")
	cmd.Env = append(os.Environ(), "LEDGER_TEST_DIR="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	seen := bufio.NewScanner(out)
	for n := 0; n < steps && !complete && seen.Scan(); n++ {
		complete = seen.Text() == "complete"
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	return complete
}

// oneByOne returns one chunk at a time, so that each has its own append.
type oneByOne struct{ *memory }

func (o oneByOne) ClosedWithoutLeaf(ctx context.Context, since time.Time, _ int) ([]*audit.Chunk, error) {
	cs, err := o.memory.ClosedWithoutLeaf(ctx, since, 1)
	return cs[:min(1, len(cs))], err
}

func TestLateChunkIsOneFinding(t *testing.T) {
	ctx := context.Background()
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	var found late
	st := &memory{leaves: map[string]uint64{}, fail: errors.New("store away")}
	st.close("c0")
	l := open(t, t.TempDir(), ledger.Deps{Store: st, Alarm: &found, Now: func() time.Time { return now }})
	defer func() { _ = l.Close() }()
	for range 8 {
		_ = l.Step(ctx)
		now = now.Add(20 * time.Second)
	}
	want := late{"c0, 1 waiting for 1m0s"}
	if diff := cmp.Diff(found, want); diff != "" {
		t.Errorf("(-got +want)\n%s", diff)
	}
	st.fail = nil
	if err := l.Step(ctx); err != nil || len(st.leaves) != 1 {
		t.Errorf("leaves %v, error %v", st.leaves, err)
	}
}

// reports is a register of two rendered reports.
type reports map[string]uint64

func (r reports) ArtefactsWithoutLeaf(context.Context) ([]ledger.Artefact, error) {
	var out []ledger.Artefact
	for _, n := range []string{"gdpr-accountability/1", "lgpd-record/2"} {
		if _, ok := r[n]; !ok {
			out = append(out, ledger.Artefact{Name: n, Digest: [32]byte{1}})
		}
	}
	return out, nil
}

func (r reports) SetArtefactLeaf(_ context.Context, name string, index uint64) error {
	r[name] = index
	return nil
}

func TestArtefactsGetLeaves(t *testing.T) {
	st, rs := &memory{leaves: map[string]uint64{}}, reports{}
	st.close("c0")
	l := open(t, t.TempDir(), ledger.Deps{Store: st, Artefacts: rs})
	defer func() { _ = l.Close() }()
	for range 2 {
		if err := l.Step(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(rs, reports{"gdpr-accountability/1": 1, "lgpd-record/2": 2}); diff != "" || l.Checkpoint().Size != 3 {
		t.Errorf("size %d (-got +want)\n%s", l.Checkpoint().Size, diff)
	}
}

// asked keeps since when the ledger looks for chunks.
type asked struct {
	*memory
	mu    sync.Mutex
	since []time.Time
}

func (a *asked) ClosedWithoutLeaf(ctx context.Context, since time.Time, n int) ([]*audit.Chunk, error) {
	a.mu.Lock()
	a.since = append(a.since, since)
	a.mu.Unlock()
	return a.memory.ClosedWithoutLeaf(ctx, since, n)
}

// TestLookingBack: a poll looks at the last hour only, each hour and a first
// start at all.
func TestLookingBack(t *testing.T) {
	dir, st := t.TempDir(), &asked{memory: newMemory()}
	began := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	now := began
	clock := func() time.Time { return now }
	l := open(t, dir, ledger.Deps{Store: st, Now: clock})
	st.close("c1")
	must(t, l.Step(context.Background()))
	now = now.Add(time.Minute)
	must(t, l.Step(context.Background()))
	must(t, l.Close())
	now = now.Add(3 * time.Hour)
	l = open(t, dir, ledger.Deps{Store: st, Now: clock})
	must(t, l.Step(context.Background()))
	want := []time.Time{{}, began.Add(-time.Hour), began.Add(-time.Hour)}
	if diff := cmp.Diff(st.since, want); diff != "" {
		t.Errorf("(-got +want)\n%s", diff)
	}
	must(t, l.Close())
	synctest.Test(t, func(t *testing.T) {
		l := open(t, dir, ledger.Deps{Store: st})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- l.Run(ctx) }()
		time.Sleep(2*time.Hour + time.Minute)
		synctest.Wait()
		cancel()
		must(t, <-done)
		must(t, l.Close())
		all := 0
		for _, s := range st.since[len(want):] {
			if s.IsZero() {
				all++
			}
		}
		if all != 2 {
			t.Errorf("looked at all chunks %d times in two hours", all)
		}
	})
}
