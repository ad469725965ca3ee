package push_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/audit/source/push"
	"github.com/tallystick/tallystick/masking/plainaccess"
)

func open(cfg push.Config) *push.Inlet {
	cfg.Source, cfg.Listener = "shop", "udp"
	return push.New(cfg, source.Deps{Clock: time.Now, Name: func(parts ...string) string { return strings.Join(parts, "/") }})
}

func texts(r *source.Run) (out []string) {
	for _, l := range r.Lines {
		out = append(out, strings.Clone(l.Text.Reveal(plainaccess.Token{})))
	}
	return out
}

func TestNumbersAndRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := open(push.Config{BatchLines: 2})
		for i, s := range []string{"a", "", "c"} {
			if n, err := in.Put(t.Context(), []byte(s), 0); err != nil || n != uint64(i) {
				t.Fatalf("line %d: number %d, %v", i, n, err)
			}
		}
		long := bytes.Repeat([]byte("x"), source.MaxLine+5)
		if _, err := in.Put(t.Context(), long, len(long)+7); err != nil {
			t.Fatal(err)
		}
		var got []string
		var next uint64
		for next < 4 {
			r, err := in.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if r.First != next || len(r.Lines) > 2 || !strings.HasPrefix(r.Stream, "shop/udp/") {
				t.Fatalf("run %d to %d of %q", r.First, r.Next, r.Stream)
			}
			for i, l := range r.Lines {
				if l.Origin.Offset != r.First+uint64(i) {
					t.Errorf("offset %d", l.Origin.Offset)
				}
				got = append(got, fmt.Sprint(l.Length, " ", l.Text.Len()))
			}
			next = r.Next
			in.Ack(r)
		}
		if d := cmp.Diff(got, []string{"1 1", "0 0", "1 1", fmt.Sprint(source.MaxLine+12, " ", source.MaxLine)}); d != "" {
			t.Errorf("(-got +want):\n%s", d)
		}
	})
}

// A trickle is gathered; a first line after a pause goes at once.
func TestGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := open(push.Config{Gather: time.Second})
		began := time.Now()
		go func() {
			for range 10 {
				_, _ = in.Put(t.Context(), []byte("l"), 1)
				time.Sleep(100 * time.Millisecond)
			}
		}()
		var sizes []int
		for sum := 0; sum < 10; {
			r, err := in.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			sizes = append(sizes, len(r.Lines))
			sum += len(r.Lines)
			in.Ack(r)
		}
		if d := cmp.Diff(sizes, []int{1, 9}); d != "" || time.Since(began) != time.Second {
			t.Errorf("after %s (-got +want):\n%s", time.Since(began), d)
		}
	})
}

func TestFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := open(push.Config{BatchLines: 1, Batches: 2})
		for range 2 {
			if !in.Offer([]byte("a"), 1) {
				t.Fatal("no room")
			}
		}
		if in.Offer([]byte("b"), 1) {
			t.Fatal("there is room for a third batch")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := in.Put(ctx, []byte("b"), 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
		done := make(chan error)
		go func() { _, err := in.Put(t.Context(), []byte("c"), 1); done <- err }()
		r, err := in.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		in.Ack(r)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}

func TestDurable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := open(push.Config{BatchLines: 1})
		var got [2]error
		var wg sync.WaitGroup
		for i := range got {
			n, err := in.Put(t.Context(), []byte("a"), 1)
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() { got[i] = in.Durable(t.Context(), n) })
		}
		r, err := in.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		in.Ack(r)
		synctest.Wait()
		in.Close()
		wg.Wait()
		if got[0] != nil || !errors.Is(got[1], push.ErrClosed) {
			t.Errorf("got %v", got)
		}
	})
}

func TestStopHandsOutTheRest(t *testing.T) {
	in := open(push.Config{BatchLines: 2, Gather: time.Hour})
	for _, s := range []string{"a", "b", "c"} {
		if _, err := in.Put(t.Context(), []byte(s), 1); err != nil {
			t.Fatal(err)
		}
	}
	in.Stop()
	if _, err := in.Put(t.Context(), []byte("d"), 1); !errors.Is(err, push.ErrClosed) {
		t.Errorf("a stopped source took a line: %v", err)
	}
	var got []string
	for {
		r, err := in.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, texts(r)...)
		in.Ack(r)
	}
	if d := cmp.Diff(got, []string{"a", "b", "c"}); d != "" {
		t.Errorf("(-got +want):\n%s", d)
	}
}

// Many senders, one reader: every line comes once, whole, under its number.
func TestManySenders(t *testing.T) {
	in := open(push.Config{BatchBytes: source.MaxLine, BatchLines: 100, Batches: 3, Gather: time.Microsecond})
	const senders, each = 8, 2000
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for i := range each {
				if _, err := in.Put(t.Context(), fmt.Appendf(nil, "%d-%d", s, i), 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	go func() { wg.Wait(); in.Stop() }()
	seen := map[string]bool{}
	last := map[string]int{}
	var next uint64
	for {
		r, err := in.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if r.First != next {
			t.Fatalf("run begins at %d, want %d", r.First, next)
		}
		next = r.Next
		for _, s := range texts(r) {
			var n int
			sender, i, _ := strings.Cut(s, "-")
			if _, err := fmt.Sscan(i, &n); err != nil || seen[s] || n < last[sender] {
				t.Fatalf("%q after %d", s, last[sender])
			}
			seen[s], last[sender] = true, n
		}
		in.Ack(r)
	}
	if len(seen) != senders*each {
		t.Errorf("%d lines, want %d", len(seen), senders*each)
	}
}
