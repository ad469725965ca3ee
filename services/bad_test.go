package services_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/seal"
	"github.com/tallystick/tallystick/services"
)

// TestBadLines: each line becomes an entry or a rejection with its reason, and
// nothing stops.
func TestBadLines(t *testing.T) {
	s := newSite(t)
	now := time.Now().UTC().Add(-time.Minute)
	good := func() string { return page(now, 1) }
	bad := []struct {
		line, reason string
		length       int
	}{
		{"garbage", "syntax", 7},
		{strings.Repeat("x", 10<<20), "too-long", 10 << 20},
		{good()[:60], "syntax", 60},
		{"\x00" + good(), "nul", 0},
		{strings.Replace(good(), "curl", "cu\x00rl", 1), "nul", 0},
		{"", "empty", 0},
		{"\xff\xfe\xfd", "", 3},
		{page(time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC), 1), "time", 0},
		{page(now.AddDate(1, 0, 0), 1), "time", 0},
		{strings.Replace(good(), now.Format("02/Jan"), "31/Feb", 1), "time", 0},
		{strings.Replace(good(), " 200 ", " 2x0 ", 1), "syntax", 0},
	}
	var lines []string
	for _, b := range bad {
		lines = append(lines, good(), b.line)
	}
	lines = append(lines, good())
	path := s.write("shop.log", lines...)
	s.start("ledger", "auditor")
	sum := s.ingest(services.IngestRequest{Files: []string{path}, Format: "nginx:combined"})
	if want := uint64(len(lines)); sum.Lines != want || sum.Entries+sum.Rejections != want || sum.Rejections != uint64(len(bad)) {
		t.Errorf("%+v of %d lines, %d of them bad", sum, len(lines), len(bad))
	}
	rows := s.rows("SELECT reason, length, expected FROM rejections ORDER BY offset")
	if len(rows) != len(bad) {
		t.Fatalf("%d rejections, want %d: %v", len(rows), len(bad), rows)
	}
	for i, b := range bad {
		if b.reason != "" && rows[i][0] != b.reason {
			t.Errorf("bad line %d: reason %s, want %s", i, rows[i][0], b.reason)
		}
		if b.length > 0 && rows[i][1] != fmt.Sprint(b.length) {
			t.Errorf("bad line %d: length %s, want %d", i, rows[i][1], b.length)
		}
	}
	if n := s.count(entriesCount); n != len(lines)-len(bad) {
		t.Errorf("%d entries, want %d", n, len(lines)-len(bad))
	}
	if n := s.count("SELECT toInt64(sum(received)) FROM completeness"); n != len(lines) {
		t.Errorf("completeness counts %d lines of %d", n, len(lines))
	}
	for _, format := range []string{"envoy:json", "kafka:authorizer"} { // lines of another format
		if sum := s.ingest(services.IngestRequest{Files: []string{s.write(strings.ReplaceAll(format, ":", "-")+".log", lines...)}, Format: format, New: true}); sum.Rejections != uint64(len(lines)) {
			t.Errorf("%s: %+v", format, sum)
		}
	}
	if v := s.verify(); !v.OK {
		t.Errorf("verify: %v", v.Faults)
	}
}

// TestBadBatches: a message that can't be believed is rejected with its reason,
// and the partition goes on.
func TestBadBatches(t *testing.T) {
	s := newSite(t)
	path := s.write("shop.log", pages(time.Now().UTC().Add(-time.Hour), 0, 10)...)
	s.cfg.Sources = []source.Config{{Name: "shop", File: path, Format: "nginx:combined"}}
	s.start("ledger", "auditor")
	ctx := context.Background()
	b := &batches{t: t, s: s, stream: "bad-batches-test"}
	own, stranger := b.sealer("local"), b.sealer("stranger")

	first, head := b.seal(own, "boot1", 1, 2, [32]byte{})
	second, head2 := b.seal(own, "boot1", 2, 3, head)
	other, _ := b.seal(own, "boot1", 2, 1, head) // the same sequence with other lines
	fourth, _ := b.seal(own, "boot1", 4, 2, head2)
	unknown, _ := b.seal(stranger, "boot2", 1, 1, [32]byte{})
	broken, _ := b.seal(own, "boot3", 1, 1, [32]byte{1})
	changed := append([]byte(nil), second...)
	changed[len(changed)-1] ^= 1
	for _, m := range [][]byte{first, []byte("garbage"), nil, second, second, other, unknown, broken, changed, fourth} {
		if err := s.app.Broker().Produce(ctx, broker.Lines, broker.Message{Key: []byte(b.stream), Value: m}); err != nil {
			t.Fatal(err)
		}
	}
	s.waitCount(2+3+2, entriesCount) // the batch after the gap is good
	s.waitCount(0, openChunks)
	got := map[string]string{}
	for _, r := range s.rows("SELECT facts['reason'], kind, toString(count()) FROM findings WHERE control = 'GV-03' GROUP BY ALL") {
		got[r[0]] = r[1] + " " + r[2]
	}
	want := map[string]string{"bad-signature": "violation 3", "sequence-reused": "violation 1", "unknown-tap": "violation 1", "broken-chain": "violation 1", "sequence-missing": "gap 1"}
	if d := cmp.Diff(got, want); d != "" {
		t.Errorf("findings by reason (-got +want):\n%s", d)
	}
	if n := s.count("SELECT count() FROM rejections WHERE reason = 'tap'"); n != 6 {
		t.Errorf("%d batches rejected, want 6", n)
	}
	if n := s.count("SELECT toInt64(sum(missing)) FROM completeness"); n != 1 {
		t.Errorf("%d lines missing, want 1", n)
	}
	if sum := s.ingest(services.IngestRequest{Files: []string{path}, Format: "nginx:combined"}); sum.Entries != 10 {
		t.Errorf("afterwards: %+v", sum)
	}
	if v := s.verify(); !v.OK {
		t.Errorf("verify: %v", v.Faults)
	}
}

// batches seals batches of one stream.
type batches struct {
	t      *testing.T
	s      *site
	stream string
	offset uint64
	before map[string]uint64
}

func (b *batches) sealer(tap string) *seal.Sealer {
	b.t.Helper()
	s, err := b.s.app.Sealer(tap)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// seal makes a batch of n lines at offsets that no other batch has. A gap of
// one line stands before sequence 4.
func (b *batches) seal(s *seal.Sealer, boot string, sequence uint64, n int, prev [32]byte) ([]byte, [32]byte) {
	b.t.Helper()
	if b.before == nil {
		b.before = map[string]uint64{}
	}
	if sequence == 4 {
		b.before[boot] = 2 + 3 + 1
	}
	var lines []audit.Line
	for i := range n {
		text := page(time.Now().UTC().Add(-time.Minute), i)
		lines = append(lines, audit.Line{Origin: audit.Origin{Stream: b.stream, Offset: b.offset}, Text: plain.New(text), Length: len(text)})
		b.offset += uint64(len(text)) + 1
	}
	before := b.before[boot]
	if sequence == 2 {
		before = 2
	}
	msg, head, err := s.Seal(seal.Header{Source: "shop", Stream: b.stream, Boot: boot, Sequence: sequence, Until: b.offset,
		Before: before, Received: time.Now(), Prev: prev}, lines)
	if err != nil {
		b.t.Fatal(err)
	}
	return msg, head
}
