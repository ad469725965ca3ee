package bench_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/embedded/clickhouse"
	"github.com/tallystick/tallystick/internal/store"
)

// chunkRows is how many entries an auditor inserts at once on a busy site.
const chunkRows = totalLines

// How far the lines of a chunk reach in time and in the stream.
const (
	chunkTime  = chunkRows / 40 * time.Second
	chunkBytes = chunkRows * 204
)

// recorder keeps the first insert of entries that goes through it.
type recorder struct {
	http.RoundTripper
	req  *http.Request
	body []byte
}

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	if r.req == nil && strings.HasPrefix(req.URL.Query().Get("query"), "INSERT INTO entries_all") {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		r.req, r.body = req.Clone(context.Background()), body
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	return r.RoundTripper.RoundTrip(req)
}

// again sends the recorded insert under another token, as the lines that follow
// those of the time before: no client is at work.
func (r *recorder) again(token string) error {
	for column, step := range map[string]uint64{"\x0aevent_time\x14DateTime64(9, 'UTC')": uint64(chunkTime), "\x06offset\x06UInt64": chunkBytes} {
		at := bytes.Index(r.body, []byte(column))
		if at < 0 {
			return fmt.Errorf("there is no column %q in the block", column)
		}
		values := r.body[at+len(column):][:8*chunkRows]
		for i := 0; i < len(values); i += 8 {
			v := binary.LittleEndian.Uint64(values[i:])
			binary.LittleEndian.PutUint64(values[i:], v+step)
		}
	}
	q := r.req.URL.Query()
	q.Set("insert_deduplication_token", token)
	req := r.req.Clone(context.Background())
	req.URL.RawQuery = q.Encode()
	req.Body = io.NopCloser(bytes.NewReader(r.body))
	res, err := r.RoundTripper.RoundTrip(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if b, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d: %s: %w", res.StatusCode, b, err)
	}
	return nil
}

// processed are the entries that the stages make of the workload's lines.
func processed(b *testing.B) []*audit.Entry {
	b.Helper()
	list, batch := stages(b), &audit.Batch{Source: "shop", Tap: "local", Received: time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC), Lines: generated()}
	for _, s := range list {
		if err := s.Stage.Process(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
	out := make([]*audit.Entry, len(batch.Entries))
	for i := range batch.Entries {
		e := &batch.Entries[i]
		e.Chunk, e.Version, e.Row = "lines.v1-0-12-0a1b2c3d", 1, uint32(i)
		out[i] = e
	}
	return out
}

// BenchmarkIntake inserts chunks of the workload's entries into the product's
// table, with its rollups and the merges that the inserts cause: already encoded,
// which is what the engine alone takes in; encoded and then inserted; and as the
// auditor does it, which encodes a chunk while the one before goes in. An
// operation is a chunk, so -benchtime 50x is five million entries.
func BenchmarkIntake(b *testing.B) {
	es := processed(b)
	e, err := clickhouse.Open(b.TempDir(), clickhouse.Options{})
	if err != nil {
		b.Skip(err)
	}
	b.Cleanup(func() { _ = e.Close() })
	databases := 0
	open := func(b *testing.B) (*store.Store, *recorder) {
		r := &recorder{RoundTripper: e.Transport()}
		databases++
		s, err := store.Open(context.Background(), store.Config{Database: fmt.Sprintf("intake_%d", databases)}, store.Deps{Transport: r})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = s.Close() })
		return s, r
	}
	b.Run("encoded", func(b *testing.B) {
		s, r := open(b)
		insert(b, s, encode(b, store.NewEntryBlock(), es), 0)
		measured(b, e, func(i int) error { return r.again(fmt.Sprint("again-", i)) })
	})
	b.Run("encode-insert", func(b *testing.B) {
		s, _ := open(b)
		blk := store.NewEntryBlock()
		insert(b, s, encode(b, blk, es), 0)
		measured(b, e, func(i int) error {
			insert(b, s, encode(b, blk, es), i)
			return nil
		})
	})
	b.Run("auditor", func(b *testing.B) {
		s, _ := open(b)
		blocks := [2]*store.EntryBlock{store.NewEntryBlock(), store.NewEntryBlock()}
		insert(b, s, encode(b, blocks[0], es), 0)
		var inserting sync.WaitGroup
		measured(b, e, func(i int) error {
			blk := encode(b, blocks[i%2], es)
			inserting.Wait()
			inserting.Go(func() { insert(b, s, blk, i) })
			if i == b.N {
				inserting.Wait()
			}
			return nil
		})
		inserting.Wait()
	})
}

// encode encodes the entries of the lines that follow those of the time before.
func encode(b *testing.B, blk *store.EntryBlock, es []*audit.Entry) *store.EntryBlock {
	for _, e := range es {
		e.EventTime, e.Offset = e.EventTime.Add(chunkTime), e.Offset+chunkBytes
	}
	blk.Reset()
	for at := 0; at < len(es); at += blockLines {
		if err := blk.AppendAll(es[at:min(at+blockLines, len(es))]); err != nil {
			b.Error(err)
		}
	}
	return blk
}

func insert(b *testing.B, s *store.Store, blk *store.EntryBlock, i int) {
	if err := s.InsertEntries(context.Background(), &audit.Chunk{ID: fmt.Sprint("chunk-", i), Version: 1}, blk); err != nil {
		b.Error(err)
	}
}

// measured runs op for each chunk, waits for the merges, and reports rows/s of
// the inserts and the processor time of a row, merges included.
func measured(b *testing.B, e *clickhouse.Engine, op func(i int) error) {
	before := processorTime()
	i := 0
	for b.Loop() {
		i++
		if err := op(i); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(i)*chunkRows/b.Elapsed().Seconds(), "rows/s")
	settle(b, e)
	b.ReportMetric(float64((processorTime()-before).Nanoseconds())/float64(i)/chunkRows, "cpu-ns/row")
	b.ReportMetric(float64(i), "chunks")
}

// settle waits until no merge runs and none begins.
func settle(b *testing.B, e *clickhouse.Engine) {
	for still := 0; still < 5; time.Sleep(200 * time.Millisecond) {
		req, err := http.NewRequest(http.MethodPost, "http://embedded/", strings.NewReader("SELECT count() FROM system.merges"))
		if err != nil {
			b.Fatal(err)
		}
		res, err := e.Transport().RoundTrip(req)
		if err != nil {
			b.Fatal(err)
		}
		n, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			b.Fatal(err)
		}
		if still++; strings.TrimSpace(string(n)) != "0" {
			still = 0
		}
	}
}

func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
