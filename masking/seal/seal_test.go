package seal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/plainaccess"
	"github.com/tallystick/tallystick/masking/seal"
)

func text(l audit.Line) string { return l.Text.Reveal(plainaccess.Token{}) }

type site struct {
	store  *keys.Store
	sealer *seal.Sealer
	near   *seal.Sealer
	opener *seal.Opener
	prf    *keys.PRF
}

func newSite(t testing.TB) site {
	t.Helper()
	root := t.TempDir()
	kek, err := keys.LocalKEK(filepath.Join(root, "kek.json"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := keys.Open(filepath.Join(root, "keys"), kek)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Ensure(context.Background()); err != nil {
		t.Fatal(err)
	}
	enc, err := s.LineEncrypt()
	if err != nil {
		t.Fatal(err)
	}
	dec, err := s.LineDecrypt()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := s.TapSigner()
	if err != nil {
		t.Fatal(err)
	}
	prf, err := s.SitePRF()
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := seal.NewSealer(keys.LocalTap, enc, signer)
	if err != nil {
		t.Fatal(err)
	}
	opener, err := seal.NewOpener(dec, s, prf)
	if err != nil {
		t.Fatal(err)
	}
	return site{s, sealer, seal.NewNearSealer(keys.LocalTap, enc, signer), opener, prf}
}

func header(prf *keys.PRF) seal.Header {
	return seal.Header{
		Source: "shop", Stream: seal.StreamName(prf, "host", "/var/log/nginx/shop.log", "first line"), Boot: "b1",
		Sequence: 7, Generation: 2, Received: time.Date(2026, 11, 21, 10, 0, 0, 123000, time.UTC), Prev: [32]byte{1, 2, 3},
	}
}

// nginxLines are invented access-log lines.
func nginxLines(n int, seed uint64) []audit.Line {
	r := rand.New(rand.NewPCG(seed, 1))
	lines := make([]audit.Line, n)
	var off uint64 = 4096
	for i := range lines {
		s := fmt.Sprintf(`%d.%d.%d.%d - agent%d [21/Nov/2026:10:%02d:%02d +0000] "GET /v1/customers/%d?page=%d HTTP/1.1" %d %d "https://shop.example/list/%d" "Mozilla/5.0 (X11; Linux x86_64; rv:%d.0) Gecko/20100101 Firefox/%d.0"`,
			r.IntN(223)+1, r.IntN(256), r.IntN(256), r.IntN(256), r.IntN(50), i/60%60, i%60, r.IntN(1_000_000), r.IntN(20),
			[]int{200, 200, 200, 304, 404}[r.IntN(5)], r.IntN(100_000), r.IntN(5000), r.IntN(30)+100, r.IntN(30)+100)
		lines[i] = audit.Line{Origin: audit.Origin{Offset: off}, Text: plain.New(s), Length: len(s)}
		off += uint64(len(s)) + 1
	}
	return lines
}

func TestRoundTrip(t *testing.T) {
	s := newSite(t)
	long := string(bytes.Repeat([]byte{'x'}, 64<<10))
	for _, tc := range []struct {
		name  string
		lines []audit.Line
	}{
		{"no line", nil},
		{"one empty line", []audit.Line{{Origin: audit.Origin{Offset: 0}}}},
		{"one long cut line", []audit.Line{{Origin: audit.Origin{Offset: 1 << 62}, Text: plain.New(long), Length: 10 << 20}}},
		{"odd bytes", []audit.Line{
			{Origin: audit.Origin{Offset: 5}, Text: plain.New("\x00\xff\xfe\r"), Length: 4},
			{Origin: audit.Origin{Offset: 6}, Text: plain.New(""), Length: 0},
		}},
		{"many", nginxLines(3000, 1)},
	} {
		roundTrip := func(t *testing.T, sealer *seal.Sealer) {
			h := header(s.prf)
			msg, head, err := sealer.Seal(h, tc.lines)
			if err != nil {
				t.Fatal(err)
			}
			got, lines, gotHead, err := s.opener.Open(msg)
			if err != nil {
				t.Fatal(err)
			}
			h.Tap, h.Lines = keys.LocalTap, uint32(len(tc.lines))
			if n := len(tc.lines); n > 0 {
				h.First, h.Until = tc.lines[0].Origin.Offset, tc.lines[n-1].Origin.Offset+1
			}
			if d := cmp.Diff(h, got); d != "" || head != gotHead {
				t.Fatalf("header (-want +got):\n%s", d)
			}
			if len(lines) != len(tc.lines) {
				t.Fatalf("%d lines, want %d", len(lines), len(tc.lines))
			}
			for i, l := range lines {
				w := tc.lines[i]
				want := audit.Origin{Stream: h.Stream, Generation: 2, Offset: w.Origin.Offset}
				if l.Origin != want || text(l) != text(w) || l.Length != w.Length {
					t.Fatalf("line %d differs: origin %+v, %d of %d bytes", i, l.Origin, l.Text.Len(), l.Length)
				}
			}
		}
		t.Run(tc.name, func(t *testing.T) { roundTrip(t, s.sealer) })
		t.Run(tc.name+", near", func(t *testing.T) { roundTrip(t, s.near) })
	}
}

func TestMarkTellsOtherBytes(t *testing.T) {
	s := newSite(t)
	mark := func(content string) uint32 {
		t.Helper()
		msg, _, err := s.sealer.Seal(header(s.prf), []audit.Line{{Text: plain.New(content), Length: len(content)}})
		if err != nil {
			t.Fatal(err)
		}
		_, lines, _, err := s.opener.Open(msg)
		if err != nil {
			t.Fatal(err)
		}
		return lines[0].Mark
	}
	if a, again := mark("a line"), mark("a line"); a != again || a == mark("b line") {
		t.Fatal("marks do not tell lines apart")
	}
	other := newSite(t)
	first := mark("a line")
	s = other
	if mark("a line") == first {
		t.Fatal("the mark does not depend on the site's key")
	}
}

func TestEveryFlippedByteIsRefused(t *testing.T) {
	s := newSite(t)
	msg, _, err := s.sealer.Seal(header(s.prf), nginxLines(3, 2))
	if err != nil {
		t.Fatal(err)
	}
	for i := range msg {
		bad := bytes.Clone(msg)
		bad[i] ^= 1 << (i % 8)
		if _, lines, _, err := s.opener.Open(bad); err == nil || len(lines) != 0 {
			t.Fatalf("byte %d of %d was flipped and %d lines came out, error %v", i, len(msg), len(lines), err)
		}
	}
	for n := range msg {
		if _, _, _, err := s.opener.Open(msg[:n]); err == nil {
			t.Fatalf("a message cut at %d of %d bytes was accepted", n, len(msg))
		}
	}
	if _, _, _, err := s.opener.Open(append(bytes.Clone(msg), 0)); !errors.Is(err, seal.ErrSignature) {
		t.Fatalf("an appended byte: %v", err)
	}
}

func TestFaults(t *testing.T) {
	s, other := newSite(t), newSite(t)
	enc, err := other.store.LineEncrypt()
	if err != nil {
		t.Fatal(err)
	}
	mine, err := s.store.TapSigner()
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := other.store.TapSigner()
	if err != nil {
		t.Fatal(err)
	}
	myEnc, err := s.store.LineEncrypt()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		make func() (*seal.Sealer, error)
		want error
	}{
		{"unknown tap", func() (*seal.Sealer, error) { return seal.NewSealer("edge-9", myEnc, mine) }, seal.ErrUnknownTap},
		{"another tap's key", func() (*seal.Sealer, error) { return seal.NewSealer(keys.LocalTap, myEnc, stranger) }, seal.ErrSignature},
		{"another line key", func() (*seal.Sealer, error) { return seal.NewSealer(keys.LocalTap, enc, mine) }, seal.ErrSealed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			z, err := tc.make()
			if err != nil {
				t.Fatal(err)
			}
			msg, _, err := z.Seal(header(s.prf), nginxLines(2, 3))
			if err != nil {
				t.Fatal(err)
			}
			h, lines, _, err := s.opener.Open(msg)
			if !errors.Is(err, tc.want) || len(lines) != 0 || h.Sequence != 7 {
				t.Fatalf("got %v with %d lines, want %v", err, len(lines), tc.want)
			}
		})
	}
}

func TestSealLimits(t *testing.T) {
	s := newSite(t)
	r := rand.New(rand.NewPCG(3, 4))
	noise := make([]audit.Line, 30)
	for i := range noise {
		b := make([]byte, 64<<10)
		for j := range b {
			b[j] = byte(r.Uint32())
		}
		noise[i] = audit.Line{Origin: audit.Origin{Offset: uint64(i)}, Text: plain.New(string(b)), Length: len(b)}
	}
	if _, _, err := s.sealer.Seal(header(s.prf), noise); !errors.Is(err, seal.ErrTooLarge) {
		t.Fatalf("got %v, want too large", err)
	}
	if _, _, err := s.sealer.Seal(header(s.prf), noise[:15]); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.sealer.Seal(header(s.prf), make([]audit.Line, seal.MaxLines+1)); !errors.Is(err, seal.ErrTooLarge) {
		t.Fatalf("got %v, want too large", err)
	}
	if _, _, err := s.sealer.Seal(header(s.prf), []audit.Line{noise[1], noise[0]}); err == nil {
		t.Fatal("lines out of order were sealed")
	}
	if _, _, _, err := s.opener.Open(make([]byte, seal.MaxMessage+1)); !errors.Is(err, seal.ErrMalformed) {
		t.Fatalf("got %v, want malformed", err)
	}
}

func TestOpenReusesLines(t *testing.T) {
	s := newSite(t)
	a, _, err := s.sealer.Seal(header(s.prf), nginxLines(500, 5))
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := s.sealer.Seal(header(s.prf), nginxLines(400, 6))
	if err != nil {
		t.Fatal(err)
	}
	_, lines, _, err := s.opener.OpenInto(a, nil)
	if err != nil {
		t.Fatal(err)
	}
	kept := lines[0]
	want := text(kept)
	_, again, _, err := s.opener.OpenInto(b, lines)
	if err != nil {
		t.Fatal(err)
	}
	if &again[0] != &lines[0] || len(again) != 400 {
		t.Fatal("the lines were not reused")
	}
	if text(kept) != want {
		t.Fatal("a kept line changed when its room was used again")
	}
}

func TestStreamName(t *testing.T) {
	s := newSite(t)
	a := seal.StreamName(s.prf, "host", "/a", "b")
	if len(a) != 16 || a != seal.StreamName(s.prf, "host", "/a", "b") {
		t.Fatalf("%q", a)
	}
	for _, o := range [][]string{{"host", "/ab", ""}, {"host", "/a"}, {"host", "/", "ab"}, {"host/ab"}} {
		if seal.StreamName(s.prf, o...) == a {
			t.Errorf("%q has the same name", o)
		}
	}
}

func TestLineSealer(t *testing.T) {
	s := newSite(t)
	enc, err := s.store.LineEncrypt()
	if err != nil {
		t.Fatal(err)
	}
	dec, err := s.store.LineDecrypt()
	if err != nil {
		t.Fatal(err)
	}
	l, err := seal.NewLineSealer(enc)
	if err != nil {
		t.Fatal(err)
	}
	a, b := l.Seal("s-0-1", plain.New("garbage")), l.Seal("s-0-1", plain.New("garbage"))
	if bytes.Equal(a, b) || bytes.Contains(a, []byte("garbage")) {
		t.Fatal("the sealed line shows something")
	}
	got, err := seal.OpenLine(dec, l.SealedKey(), "s-0-1", a)
	if err != nil || got.Reveal(plainaccess.Token{}) != "garbage" {
		t.Fatalf("%v", err)
	}
	if _, err := seal.OpenLine(dec, l.SealedKey(), "s-0-2", a); !errors.Is(err, seal.ErrSealed) {
		t.Fatalf("it opened under another id: %v", err)
	}
	other, err := seal.NewLineSealer(enc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := seal.OpenLine(dec, other.SealedKey(), "s-0-1", a); !errors.Is(err, seal.ErrSealed) {
		t.Fatalf("it opened under another chunk's key: %v", err)
	}
}

func BenchmarkSeal(b *testing.B) {
	s := newSite(b)
	lines := nginxLines(20000, 7)
	var raw int64
	for _, l := range lines {
		raw += int64(l.Length)
	}
	h := header(s.prf)
	msg, _, err := s.sealer.Seal(h, lines)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("seal", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(raw)
		for b.Loop() {
			if _, _, err := s.sealer.Seal(h, lines); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(lines))*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
		b.ReportMetric(float64(len(msg)), "message-bytes")
	})
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(raw)
		var into []audit.Line
		for b.Loop() {
			if _, into, _, err = s.opener.OpenInto(msg, into); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(lines))*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
	})
}
