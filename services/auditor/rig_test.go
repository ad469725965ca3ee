package auditor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/control"
	"github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/audit/pipeline"
	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/broker/brokertest"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/store/storetest"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/reencrypt"
	"github.com/tallystick/tallystick/masking/seal"
	"github.com/tallystick/tallystick/schemas"
	"github.com/tallystick/tallystick/services/auditor"
)

const deadline = 60 * time.Second

// rig is an installation: real broker, store and seals, and stages that judge
// lines by their offsets.
type rig struct {
	t        *testing.T
	store    *faulty
	client   *broker.Client
	keys     *keys.Store
	site     *keys.PRF
	sealer   *seal.Sealer
	controls *control.Set
	cfg      auditor.Config
	keep     bool             // the broker keeps what is done
	month    int              // lines of a month
	vault    vault            // without a pair: no original is kept
	now      func() time.Time // the clock; nil: time.Now
	wire     *wire            // to the store
	log      *lockedBuffer
	cluster  broker.Config
	metrics  *prometheus.Registry // of the auditor that was started last

	mu        sync.Mutex
	published map[string]int
}

func newRig(t *testing.T) *rig {
	t.Helper()
	storetest.Need(t)
	root := t.TempDir()
	kek, err := keys.LocalKEK(filepath.Join(root, "kek.json"))
	must(t, err)
	k, err := keys.Open(filepath.Join(root, "keys"), kek)
	must(t, err)
	must(t, k.Ensure(t.Context()))
	enc, err := k.LineEncrypt()
	must(t, err)
	signer, err := k.TapSigner()
	must(t, err)
	site, err := k.SitePRF()
	must(t, err)
	sealer, err := seal.NewSealer(keys.LocalTap, enc, signer)
	must(t, err)
	builtIn, err := fs.Sub(schemas.Controls, "controls")
	must(t, err)
	controls, err := control.Load(builtIn)
	must(t, err)
	wire := &wire{}
	r := &rig{wire: wire, log: &lockedBuffer{}}
	opened := storetest.OpenWith(t, func(d *store.Deps) {
		wire.next = d.Transport
		d.Transport, d.Now = wire, func() time.Time { return r.clock() }
	})
	pair, err := reencrypt.GenerateKey()
	must(t, err)
	cluster := brokertest.Start(t)
	*r = rig{wire: wire, log: r.log, t: t, vault: vault{pair: pair}, store: &faulty{Store: opened}, client: brokertest.Open(t, cluster), cluster: cluster,
		keys: k, site: site, sealer: sealer, controls: controls, published: map[string]int{}, month: 100_000,
		cfg: auditor.Config{MaxRows: 300, MaxAge: 20 * time.Millisecond, Parallel: 2}}
	return r
}

func (r *rig) clock() time.Time {
	if r.now == nil {
		return time.Now()
	}
	return r.now()
}

// instance is an auditor that runs.
type instance struct {
	*auditor.Auditor
	stop func()
	done chan error
}

// start runs an auditor as a new process would.
func (r *rig) start() *instance { return r.startIn(r.client) }

// otherGroup consumes in a group of its own: whoever has it holds every
// partition, whatever others hold.
type otherGroup struct {
	*broker.Client
	name string
}

func (o otherGroup) Consume(ctx context.Context, _, topic string, handle func(context.Context, *broker.Partition) error) error {
	return o.Client.Consume(ctx, o.name, topic, handle)
}

func (r *rig) startIn(consumer auditor.Consumer) *instance {
	r.t.Helper()
	dec, err := r.keys.LineDecrypt()
	must(r.t, err)
	enc, err := r.keys.LineEncrypt()
	must(r.t, err)
	opener, err := seal.NewOpener(dec, r.keys, r.site)
	must(r.t, err)
	ids, err := r.store.Store.GapIDs(r.t.Context())
	must(r.t, err)
	j := &judge{seen: map[string]bool{}, faults: r.store, month: r.month}
	for _, id := range ids {
		j.seen[id] = true
	}
	r.metrics = prometheus.NewRegistry()
	stages := pipeline.New(pipeline.Named{Name: "judge", Stage: j})
	deps := auditor.Deps{
		Stages: func() (auditor.Processor, audit.Versions) { return stages, audit.Versions{Parser: "1"} }, Opener: opener, Store: r.store, Publisher: r, Consumer: consumer,
		Controls: r.controls, Stored: j.stored, Clean: !r.keep,
		Now: r.clock, Registerer: r.metrics, Logger: slog.New(slog.NewTextHandler(r.log, nil)),
		NewLineSealer: func() (auditor.LineSealer, error) { return seal.NewLineSealer(enc) },
	}
	if r.vault.pair != nil {
		deps.Vault = r.vault
	}
	a, err := auditor.New(r.cfg, deps)
	must(r.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	in := &instance{Auditor: a, done: make(chan error, 1)}
	go func() { in.done <- a.Run(ctx) }()
	in.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-in.done:
			if err != nil {
				r.t.Errorf("the auditor ended with %v", err)
			}
		case <-time.After(deadline):
			r.t.Error("the auditor does not end")
		}
	})
	r.t.Cleanup(in.stop)
	return in
}

// Produce implements auditor.Publisher and remembers what was published.
func (r *rig) Produce(ctx context.Context, topic string, msgs ...broker.Message) error {
	if err := r.store.at(ctx, "before publish"); err != nil {
		return err
	}
	if err := r.client.Produce(ctx, topic, msgs...); err != nil {
		return err
	}
	r.mu.Lock()
	for _, m := range msgs {
		var f audit.Finding
		if err := json.Unmarshal(m.Value, &f); err != nil {
			r.t.Error(err)
		}
		r.published[f.ID]++
	}
	r.mu.Unlock()
	return r.store.at(ctx, "after publish")
}

// drained waits until everything on lines.v1 is committed.
func (r *rig) drained() {
	r.t.Helper()
	until(r.t, "everything is committed", func() bool {
		b, err := r.client.Backlog(r.t.Context(), auditor.Group, auditor.LinesTopic)
		return err == nil && b.Messages == 0
	})
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	limit := time.After(deadline)
	for pause := 10 * time.Millisecond; !ok(); pause = min(2*pause, 160*time.Millisecond) {
		select {
		case <-time.After(pause):
		case <-limit:
			t.Fatalf("it never happened that %s", what)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// width is the length of a line with its end.
const width = 20

// tap seals the lines of one stream. Line n begins at n*width.
type tap struct {
	r        *rig
	boot     string
	stream   string
	sequence uint64
	before   uint64
	head     [32]byte
}

func (r *rig) tap(boot, stream string) *tap {
	return &tap{r: r, boot: boot, stream: seal.StreamName(r.site, "h", stream, "first")}
}

// seal makes the message of lines from <= n < until; salt changes their bytes.
func (tp *tap) seal(from, until int, salt string) broker.Message {
	tp.r.t.Helper()
	lines := make([]audit.Line, 0, until-from)
	for n := from; n < until; n++ {
		text := fmt.Sprintf("%s%-*d", salt, width-1-len(salt), n)
		lines = append(lines, audit.Line{Origin: audit.Origin{Stream: tp.stream, Offset: uint64(n * width)}, Text: plain.New(text), Length: len(text)})
	}
	h := seal.Header{Source: "shop", Stream: tp.stream, Boot: tp.boot, Sequence: tp.sequence + 1, Prev: tp.head,
		Before: tp.before, First: uint64(from * width), Until: uint64(until * width), Received: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)}
	msg, head, err := tp.r.sealer.Seal(h, lines)
	must(tp.r.t, err)
	tp.sequence, tp.before, tp.head = h.Sequence, tp.before+uint64(len(lines)), head
	return broker.Message{Key: []byte(tp.stream), Value: msg}
}

func (tp *tap) send(from, until int) { tp.sendSalted(from, until, "") }

func (tp *tap) sendSalted(from, until int, salt string) {
	tp.r.t.Helper()
	must(tp.r.t, tp.r.client.Produce(tp.r.t.Context(), auditor.LinesTopic, tp.seal(from, until, salt)))
}

// judge is the one stage: line n is rejected if n is 3 modulo 7, else an entry
// in month n/month of the years after 2020; every tenth entry is a violation, and
// each stream one gap.
type judge struct {
	faults *faulty
	month  int

	mu   sync.Mutex
	seen map[string]bool
}

func (j *judge) Process(ctx context.Context, b *audit.Batch) error {
	if err := j.faults.at(ctx, "stage"); err != nil {
		return err
	}
	b.Events = append(b.Events[:0], make([]audit.Event, len(b.Lines))...)
	b.Entries = append(b.Entries[:0], make([]audit.Entry, len(b.Lines))...)
	gap := false
	for i, l := range b.Lines {
		n := int(l.Origin.Offset / width)
		e := &b.Entries[i]
		if rejected(n) {
			b.Reject(i, audit.ReasonSyntax, 1, "a line")
			e.Skip = true
			continue
		}
		*e = audit.Entry{EventTime: timeOf(n, j.month), IngestTime: b.Received, Source: b.Source, SourceFormat: "test",
			Stream: l.Origin.Stream, Generation: l.Origin.Generation, Offset: l.Origin.Offset}
		b.Unsealed = append(b.Unsealed, audit.Unsealed{Line: i, Class: "identity", Field: "principal_id", Value: plain.New("user " + e.EntryID())})
		if violates(n) {
			b.Findings = append(b.Findings, audit.Finding{ID: control.FindingID("AC-01", e.EntryID()), Kind: audit.Violation, Control: "AC-01",
				ControlVersion: 1, Severity: "high", Time: e.EventTime, Until: e.EventTime, Source: b.Source, EntryID: e.EntryID(), Count: 1})
		}
		gap = true
	}
	if id := gapOf(b.Lines[0].Origin.Stream); gap && !j.known(id) {
		b.Findings = append(b.Findings, audit.Finding{ID: id, Kind: audit.Gap, Control: "GP-02", Severity: "low", Source: b.Source,
			Time: b.Received, Until: b.Received, Count: 1})
	}
	return nil
}

func rejected(n int) bool { return n%7 == 3 }
func violates(n int) bool { return n%10 == 0 }

func timeOf(n, month int) time.Time {
	return time.Date(2020, time.Month(1+n/month), 1, 0, 0, n%month, 0, time.UTC)
}

func gapOf(stream string) string { return control.FindingID("GP-02", stream) }

func (j *judge) known(id string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.seen[id]
}

func (j *judge) stored(fs []audit.Finding) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, f := range fs {
		if f.Kind == audit.Gap {
			j.seen[f.ID] = true
		}
	}
}

// faulty is the store, with a hook before and after each step.
type faulty struct {
	*store.Store

	mu   sync.Mutex
	hook func(ctx context.Context, step string) error
}

func (f *faulty) at(ctx context.Context, step string) error {
	f.mu.Lock()
	h := f.hook
	f.mu.Unlock()
	if h == nil {
		return nil
	}
	return h(ctx, step)
}

func (f *faulty) set(h func(context.Context, string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = h
}

func (f *faulty) around(ctx context.Context, step string, do func() error) error {
	if err := f.at(ctx, "before "+step); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return f.at(ctx, "after "+step)
}

func (f *faulty) Position(ctx context.Context, partition int) (next int64, open *audit.Chunk, err error) {
	err = f.around(ctx, "position", func() (err error) {
		next, open, err = f.Store.Position(ctx, partition)
		return err
	})
	return next, open, err
}

func (f *faulty) OpenChunk(ctx context.Context, c *audit.Chunk) error {
	return f.around(ctx, "intent", func() error { return f.Store.OpenChunk(ctx, c) })
}

func (f *faulty) InsertEntries(ctx context.Context, c *audit.Chunk, b *store.EntryBlock) error {
	return f.around(ctx, "entries", func() error { return f.Store.InsertEntries(ctx, c, b) })
}

func (f *faulty) InsertRejectionsBut(ctx context.Context, c *audit.Chunk, rs []audit.Rejection, kept *store.Kept) error {
	return f.around(ctx, "rejections", func() error { return f.Store.InsertRejectionsBut(ctx, c, rs, kept) })
}

func (f *faulty) InsertCapsules(ctx context.Context, c *audit.Chunk, cs []audit.Capsule) error {
	return f.around(ctx, "capsules", func() error { return f.Store.InsertCapsules(ctx, c, cs) })
}

func (f *faulty) InsertOriginalsBut(ctx context.Context, c *audit.Chunk, os []audit.Original, kept *store.Kept) error {
	return f.around(ctx, "originals", func() error { return f.Store.InsertOriginalsBut(ctx, c, os, kept) })
}

func (f *faulty) InsertFindingsBut(ctx context.Context, c *audit.Chunk, fs []audit.Finding, kept *store.Kept) error {
	return f.around(ctx, "findings", func() error { return f.Store.InsertFindingsBut(ctx, c, fs, kept) })
}

func (f *faulty) InsertCompleteness(ctx context.Context, c *audit.Chunk, rows []store.Completeness) error {
	return f.around(ctx, "completeness", func() error { return f.Store.InsertCompleteness(ctx, c, rows) })
}

func (f *faulty) CloseChunk(ctx context.Context, c *audit.Chunk) error {
	return f.around(ctx, "close", func() error { return f.Store.CloseChunk(ctx, c) })
}

var errAway = errors.New("the store is away")

// origin is a line that the record must have, once.
type origin struct {
	Stream     string
	Generation uint32
	N          int
}

func lines(tp *tap, generation uint32, from, until int) []origin {
	var out []origin
	for n := from; n < until; n++ {
		out = append(out, origin{tp.stream, generation, n})
	}
	return out
}

// check compares the whole record with what it must be: rows, findings of
// GV-03 by reason, the others by id, what was published, positions and roots.
func (r *rig) check(want []origin, faults ...string) {
	r.t.Helper()
	ctx := r.t.Context()
	var entries, rejections []string
	ids := map[string]bool{}
	for _, o := range want {
		id := audit.Origin{Stream: o.Stream, Generation: o.Generation, Offset: uint64(o.N * width)}.EntryID()
		if rejected(o.N) {
			rejections = append(rejections, id)
			continue
		}
		entries = append(entries, id)
		ids[gapOf(o.Stream)] = true
		if violates(o.N) {
			ids[control.FindingID("AC-01", id)] = true
		}
	}
	slices.Sort(entries)
	slices.Sort(rejections)
	if d := cmp.Diff(r.column("SELECT event_id FROM entries ORDER BY event_id"), entries); d != "" {
		r.t.Errorf("entries (-got +want):\n%s", d)
	}
	if d := cmp.Diff(r.column("SELECT event_id FROM rejections WHERE reason != 'tap' ORDER BY event_id"), rejections); d != "" {
		r.t.Errorf("rejections (-got +want):\n%s", d)
	}
	slices.Sort(faults)
	found, err := r.store.Select(ctx, "SELECT id, control, facts['reason'] FROM findings ORDER BY id")
	must(r.t, err)
	var stored, reasons []string
	for _, row := range found.Rows {
		id := row[0].(string)
		stored = append(stored, id)
		if row[1] == "GV-03" {
			ids[id] = true
			reasons = append(reasons, row[2].(string))
		}
	}
	slices.Sort(reasons)
	if d := cmp.Diff(reasons, faults); d != "" {
		r.t.Errorf("GV-03 (-got +want):\n%s", d)
	}
	var all []string
	for id := range ids {
		all = append(all, id)
	}
	slices.Sort(all)
	if d := cmp.Diff(stored, all); d != "" {
		r.t.Errorf("findings (-got +want):\n%s", d)
	}
	r.mu.Lock()
	var sent []string
	for id := range r.published {
		sent = append(sent, id)
	}
	r.mu.Unlock()
	slices.Sort(sent)
	if d := cmp.Diff(sent, all); d != "" {
		r.t.Errorf("published (-got +want):\n%s", d)
	}
	received := r.column("SELECT toString(sum(received)) FROM completeness")
	if want := fmt.Sprint(len(entries) + len(rejections)); received[0] != want {
		r.t.Errorf("completeness counts %s lines, want %s", received[0], want)
	}
	hourly := r.column("SELECT toString(sum(entries)) FROM entries_hourly")
	if want := fmt.Sprint(len(entries)); hourly[0] != want {
		r.t.Errorf("the rollup counts %s entries, want %s", hourly[0], want)
	}
	for p := range 2 {
		if _, open, err := r.store.Store.Position(ctx, p); err != nil || open != nil {
			r.t.Errorf("partition %d has an open chunk (%v)", p, err)
		}
	}
	originals := r.checkChunks()
	if r.vault.pair != nil && r.vault.until == "" {
		r.checkOriginals(originals, entries)
	}
}

func (r *rig) column(sql string) []string {
	r.t.Helper()
	res, err := r.store.Select(r.t.Context(), sql)
	must(r.t, err)
	var out []string
	for _, row := range res.Rows {
		out = append(out, fmt.Sprint(row[0]))
	}
	return out
}

// checkChunks recomputes each closed chunk's roots from the stored rows, and
// returns what its originals hold, by entry.
func (r *rig) checkChunks() map[string]string {
	r.t.Helper()
	originals := map[string]string{}
	for p := range 2 {
		closed, err := r.store.ClosedSince(r.t.Context(), p, 0)
		must(r.t, err)
		for _, c := range closed {
			must(r.t, r.checkRoots(c, originals))
		}
	}
	return originals
}

func (r *rig) checkRoots(c *audit.Chunk, originals map[string]string) error {
	ctx := r.t.Context()
	secrets := map[string]reencrypt.Secret{}
	tables := map[string]*ledger.Table{}
	for _, name := range ledger.Tables {
		tables[name] = ledger.NewTable(c.Salt)
	}
	err := errors.Join(
		r.store.EachEntry(ctx, c.ID, c.Version, func(e *audit.Entry) error {
			tables[ledger.TableEntries].Add(ledger.AppendEntry(nil, e))
			return nil
		}),
		r.store.EachRejection(ctx, c.ID, c.Version, func(x *audit.Rejection) error {
			tables[ledger.TableRejections].Add(ledger.AppendRejection(nil, x))
			return nil
		}),
		r.store.EachFinding(ctx, c.ID, c.Version, func(f *audit.Finding) error {
			tables[ledger.TableFindings].Add(ledger.AppendFinding(nil, f))
			return nil
		}),
		r.store.EachCapsule(ctx, c.ID, c.Version, func(k *audit.Capsule) error {
			tables[ledger.TableCapsules].Add(ledger.AppendCapsule(nil, k))
			return r.openCapsule(k, secrets)
		}),
		r.store.EachOriginal(ctx, c.ID, c.Version, func(o *audit.Original) error {
			tables[ledger.TableOriginals].Add(ledger.AppendOriginal(nil, o))
			r.openOriginal(o, secrets, originals)
			return nil
		}))
	for name, table := range tables {
		if table.Count() == 0 && c.Roots[name] == nil && (name == ledger.TableCapsules || name == ledger.TableOriginals) {
			continue
		}
		if string(c.Roots[name]) != string(table.Root()) {
			r.t.Errorf("chunk %s: the root of %s is not that of its rows", c.ID, name)
		}
		if len(c.RowMarks[name]) != len(table.Marks()) {
			r.t.Errorf("chunk %s: %d bytes of marks of %s, want %d", c.ID, len(c.RowMarks[name]), name, len(table.Marks()))
		}
	}
	if got := tables[ledger.TableEntries].Count(); got != uint64(c.Entries) {
		r.t.Errorf("chunk %s has %d entries and says %d", c.ID, got, c.Entries)
	}
	return err
}

// once fails the named step one time with errAway.
func once(step string) (func(context.Context, string) error, *bool) {
	fired := new(bool)
	var mu sync.Mutex
	return func(_ context.Context, at string) error {
		mu.Lock()
		defer mu.Unlock()
		if *fired || !strings.HasSuffix(at, step) {
			return nil
		}
		*fired = true
		return errAway
	}, fired
}
