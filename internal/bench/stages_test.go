// Package bench_test measures the Go parts of a line's way without Kafka and
// ClickHouse: what a tap, the stages and the writing side of the auditor cost.
package bench_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/classify"
	"github.com/tallystick/tallystick/audit/control"
	"github.com/tallystick/tallystick/audit/datamap"
	"github.com/tallystick/tallystick/audit/enrich"
	"github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/audit/normalize"
	"github.com/tallystick/tallystick/audit/parse"
	"github.com/tallystick/tallystick/audit/pipeline"
	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/internal/bench/workload"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/masking"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/seal"
	"github.com/tallystick/tallystick/schemas"
)

// register is a day key register in memory.
type register struct {
	mu   sync.Mutex
	live map[string][2]string
}

func (r *register) DayKey(_ context.Context, domain, kind, period string) (string, string, time.Time, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.live[domain+kind+period]
	return k[0], k[1], time.Now().Add(time.Hour), nil
}

func (r *register) AddDayKey(_ context.Context, domain, kind, period, id, wrapped string, _, _ time.Time) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live[domain+kind+period] = [2]string{id, wrapped}
	return true, nil
}

func (r *register) DestroyDayKeys(context.Context, time.Time) ([]string, error) { return nil, nil }

const (
	totalLines = 100_000
	blockLines = 1024
)

// generated returns the workload as lines of one stream.
func generated() []audit.Line {
	var b bytes.Buffer
	_ = workload.Combined(&b, totalLines, 1) // a buffer takes all
	var out []audit.Line
	at := uint64(0)
	for l := range bytes.Lines(b.Bytes()) {
		text := string(l[:len(l)-1])
		out = append(out, audit.Line{Origin: audit.Origin{Stream: "c3RyZWFtLW9uZS14", Offset: at}, Text: plain.New(text), Length: len(text), Mark: uint32(at)})
		at += uint64(len(l))
	}
	return out
}

func stages(b *testing.B) []pipeline.Named {
	b.Helper()
	must := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	kek, err := keys.LocalKEK(filepath.Join(b.TempDir(), "kek"))
	must(err)
	sources := map[string]source.Config{"shop": {Name: "shop", Format: "nginx:combined"}}
	p, err := parse.New(sources)
	must(err)
	var country enrich.Countries
	if dir, err := os.UserCacheDir(); err == nil {
		found, _ := filepath.Glob(filepath.Join(dir, "tallystick", "country-*", "*.mmdb"))
		if len(found) > 0 {
			c, err := enrich.OpenCountry(found[len(found)-1])
			must(err)
			country = c
		}
	}
	e, err := enrich.New(datamap.Empty(), sources, country)
	must(err)
	set, err := control.Load(schemas.Controls)
	must(err)
	day := keys.NewDayKeys(&register{live: map[string][2]string{}}, kek, 0)
	return []pipeline.Named{
		{Name: "parse", Stage: p}, {Name: "normalize", Stage: normalize.New(sources)}, {Name: "enrich", Stage: e},
		{Name: "classify", Stage: classify.New(nil)}, {Name: "mask", Stage: masking.NewEngine(masking.DefaultPolicy(), day)},
		{Name: "control", Stage: known{control.NewStage(set, nil)}},
	}
}

// known judges and remembers the gaps, as the auditor does after each chunk.
type known struct{ *control.Stage }

func (k known) Process(ctx context.Context, b *audit.Batch) error {
	err := k.Stage.Process(ctx, b)
	k.Stored(b.Findings)
	return err
}

// BenchmarkStages reports what each stage and the writing side cost a line, in
// nanoseconds on one core, and what all of them together allocate.
func BenchmarkStages(b *testing.B) {
	all, list, ctx := generated(), stages(b), context.Background()
	batch := &audit.Batch{Source: "shop", Tap: "local", Received: time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)}
	block, rows, row := store.NewEntryBlock(), ledger.NewTable(make([]byte, ledger.SaltSize)), []byte(nil)
	var es []*audit.Entry
	names := []string{"parse", "normalize", "enrich", "classify", "mask", "control", "hash", "encode"}
	best := make([]time.Duration, len(names))
	round := func() {
		spent := make([]time.Duration, len(names))
		at := time.Now()
		lap := func(i int) {
			now := time.Now()
			spent[i] += now.Sub(at)
			at = now
		}
		block.Reset()
		rows = ledger.NewTable(make([]byte, ledger.SaltSize))
		for rest := all; len(rest) > 0; {
			n := min(blockLines, len(rest))
			batch.Lines = append(batch.Lines[:0], rest[:n]...)
			rest = rest[n:]
			batch.Rejections, batch.Findings = batch.Rejections[:0], batch.Findings[:0]
			at = time.Now()
			for i, s := range list {
				if err := s.Stage.Process(ctx, batch); err != nil {
					b.Fatal(err)
				}
				lap(i)
			}
			for i := range batch.Entries {
				row = ledger.AppendEntry(row[:0], &batch.Entries[i])
				rows.Add(row)
			}
			lap(len(list))
			for i := range batch.Entries {
				es = append(es, &batch.Entries[i])
			}
			if err := block.AppendAll(es); err != nil {
				b.Fatal(err)
			}
			es = es[:0]
			lap(len(list) + 1)
		}
		for i, d := range spent {
			if best[i] == 0 || d < best[i] {
				best[i] = d
			}
		}
	}
	round()
	b.ReportAllocs()
	for b.Loop() {
		round()
	}
	sum := 0.0
	for i, n := range names {
		ns := float64(best[i].Nanoseconds()) / totalLines
		sum += ns
		b.ReportMetric(ns, n+"-ns/line")
	}
	b.ReportMetric(sum, "ns/line")
}

// BenchmarkSeal reports what sealing and opening cost a line.
func BenchmarkSeal(b *testing.B) {
	dir, all := b.TempDir(), generated()
	must := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	kek, err := keys.LocalKEK(filepath.Join(dir, "kek"))
	must(err)
	ks, err := keys.Open(filepath.Join(dir, "keys"), kek)
	must(err)
	must(ks.Ensure(context.Background()))
	enc, err := ks.LineEncrypt()
	must(err)
	signer, err := ks.TapSigner()
	must(err)
	sealer, err := seal.NewSealer(keys.LocalTap, enc, signer)
	must(err)
	dec, err := ks.LineDecrypt()
	must(err)
	site, err := ks.SitePRF()
	must(err)
	opener, err := seal.NewOpener(dec, ks, site)
	must(err)
	const perMessage = seal.TargetRaw / 200
	h := seal.Header{Source: "shop", Stream: "c3RyZWFtLW9uZS14", Boot: "b", Sequence: 1, Received: time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)}
	msg, _, err := sealer.Seal(h, all[:perMessage])
	must(err)
	b.Run("seal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _, err := sealer.Seal(h, all[:perMessage])
			must(err)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/perMessage, "ns/line")
		b.ReportMetric(float64(len(msg))/perMessage, "B/line")
	})
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _, _, err := opener.Open(msg)
			must(err)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/perMessage, "ns/line")
	})
}
