package spool_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tallystick/tallystick/services/tap/spool"
)

func open(t *testing.T, dir string, limit int64) *spool.Spool {
	t.Helper()
	s, lost, err := spool.Open(dir, limit)
	if err != nil || lost != 0 {
		t.Fatalf("%d bytes lost, %v", lost, err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func record(i, size int) spool.Record {
	value := bytes.Repeat([]byte{byte(i)}, size)
	return spool.Record{At: time.UnixMicro(int64(1000 + i)).UTC(), Lines: uint64(i), Bytes: 7, Key: fmt.Append(nil, "stream", i%3), Value: value}
}

// drain takes everything and checks that it is records from up to until.
func drain(t *testing.T, s *spool.Spool, from, until int) {
	t.Helper()
	for from < until {
		got, err := s.Next(t.Context(), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range got {
			want := record(from, len(r.Value))
			if r.Lines != want.Lines || !bytes.Equal(r.Key, want.Key) || !bytes.Equal(r.Value, want.Value) || !r.At.Equal(want.At) {
				t.Fatalf("record %d came as %d", from, r.Lines)
			}
			from++
		}
		if err := s.Done(got); err != nil {
			t.Fatal(err)
		}
	}
	if !s.Empty() || s.Status() != (spool.Status{}) {
		t.Fatalf("left: %+v", s.Status())
	}
}

func segments(t *testing.T, dir string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "*.spool"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestInOrderOverSegmentsAndStarts(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 1<<30)
	for i := range 10 {
		if err := s.Append(t.Context(), record(2*i, 900_000), record(2*i+1, 900_000)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(segments(t, dir)); n < 2 {
		t.Fatalf("%d segments", n)
	}
	got, err := s.Next(t.Context(), 1)
	if err != nil || len(got) != 1 {
		t.Fatalf("%d records, %v", len(got), err)
	}
	if err := s.Done(got); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, 1<<30) // record 0 is read again: its segment is still there
	drain(t, s, 0, 20)
	if list := segments(t, dir); len(list) != 0 {
		t.Errorf("left on disk: %v", list)
	}
	if err := s.Append(t.Context(), record(20, 5)); err != nil {
		t.Fatal(err)
	}
	drain(t, s, 20, 21)
}

func TestFullWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, t.TempDir(), 1000)
		for i := range 2 { // an empty one takes any
			if err := s.Append(t.Context(), record(0, 2000)); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if err := s.Append(ctx, record(1, 10)); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("round %d: %v", i, err)
			}
			cancel()
			done := make(chan error)
			go func() { done <- s.Append(t.Context(), record(1, 10)) }()
			got, err := s.Next(t.Context(), 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(s.Done(got), <-done); err != nil {
				t.Fatal(err)
			}
			drain(t, s, 1, 2)
		}
	})
}

// Whatever a crash leaves of the last record is cut off, and told is only what
// the disk damaged.
func TestTornAndDamaged(t *testing.T) {
	var whole []byte
	var ends []int
	for i := range 5 {
		r := record(i, 50)
		whole = r.Append(whole)
		ends = append(ends, len(whole))
	}
	for cut := 0; cut < len(whole); cut += 3 {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%020d.spool", 1)), whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, dir, 1<<20)
		n := len(slices.DeleteFunc(slices.Clone(ends), func(e int) bool { return e > cut }))
		if got := s.Status().Records; got != n {
			t.Fatalf("cut at %d: %d records, want %d", cut, got, n)
		}
		if err := s.Append(t.Context(), record(n, 50)); err != nil {
			t.Fatal(err)
		}
		drain(t, s, 0, n+1)
		_ = s.Close()
	}
	dir := t.TempDir()
	bad := slices.Clone(whole)
	bad[ends[1]+20] ^= 1
	if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%020d.spool", 1)), bad, 0o600); err != nil {
		t.Fatal(err)
	}
	s, lost, err := spool.Open(dir, 1<<20)
	if err != nil || lost != int64(len(whole)-ends[1]) {
		t.Fatalf("%d bytes lost, want %d; %v", lost, len(whole)-ends[1], err)
	}
	drain(t, s, 0, 2)
}

// Random appends, takes and restarts: what is not done comes again, in order.
func TestProperty(t *testing.T) {
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 1))
		dir := t.TempDir()
		s := open(t, dir, 1<<30)
		appended, done := 0, 0
		for range 60 {
			switch rng.IntN(4) {
			case 0, 1:
				if err := s.Append(t.Context(), record(appended, rng.IntN(1_200_000))); err != nil {
					t.Fatal(err)
				}
				appended++
			case 2:
				if s.Empty() {
					continue
				}
				got, err := s.Next(t.Context(), int64(rng.IntN(3<<20)+1))
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range got {
					if int(r.Lines) != done {
						t.Fatalf("seed %d: record %d, want %d", seed, r.Lines, done)
					}
					done++
				}
				if err := s.Done(got); err != nil {
					t.Fatal(err)
				}
			case 3:
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s = open(t, dir, 1<<30)
				if again := appended - s.Status().Records; again > done {
					t.Fatalf("seed %d: %d records are lost", seed, again-done)
				} else {
					done = again
				}
			}
		}
		_ = s.Close()
	}
}

// killed is set in a process that dies at a random place within Append.
const killed = "TALLYSTICK_TEST_KILLED"

// What Append said is durable is there after kill -9.
func TestKilled(t *testing.T) {
	if dir := os.Getenv(killed); dir != "" {
		s, _, err := spool.Open(dir, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		for i := s.Status().Records; ; i++ {
			if err := s.Append(context.Background(), record(i, 30_000)); err != nil {
				t.Fatal(err)
			}
			fmt.Println(i)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for start := range 5 {
		cmd := exec.Command(self, "-test.run=^TestKilled$")
		cmd.Env = append(os.Environ(), killed+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		last := -1
		for range 20 + 7*start {
			if _, err := fmt.Fscan(out, &last); err != nil {
				t.Fatal(err)
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		rest, _ := io.ReadAll(out)
		for line := range bytes.Lines(rest) {
			if line[len(line)-1] == '\n' {
				_, _ = fmt.Sscan(string(line), &last)
			}
		}
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("start %d: %v", start, err)
		}
		s := open(t, dir, 1<<30)
		n := s.Status().Records
		if n < last+1 || n > last+2 {
			t.Fatalf("start %d: %d records, %d were durable", start, n, last+1)
		}
		_ = s.Close()
	}
	s := open(t, dir, 1<<30)
	drain(t, s, 0, s.Status().Records)
}

func FuzzDecode(f *testing.F) {
	r := record(300, 40)
	b := r.Append(nil)
	f.Add(b)
	f.Add(b[:len(b)-1])
	f.Add(append(slices.Clone(b), b...))
	f.Add(make([]byte, 12))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, n, err := spool.Decode(b)
		if err != nil {
			return
		}
		again, m, err := spool.Decode(r.Append(nil))
		if err != nil || m > n || !bytes.Equal(again.Key, r.Key) || !bytes.Equal(again.Value, r.Value) || !again.At.Equal(r.At) || again.Lines != r.Lines {
			t.Fatalf("%x decodes to %+v, then to %+v, %v", b, r, again, err)
		}
	})
}

// The name of the folder is no pattern.
func TestFolderWithBrackets(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data [old]")
	s := open(t, dir, 1<<20)
	if err := s.Append(t.Context(), record(0, 10)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := open(t, dir, 1<<20).Status().Records; n != 1 {
		t.Errorf("%d records after a start, want 1", n)
	}
}

// A segment that was done and could not be removed does not stand in the way.
func TestSegmentLeftBehind(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, 1<<20)
	if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%020d.spool", 1)), nil, 0o400); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(t.Context(), record(0, 10), record(1, 10)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	drain(t, open(t, dir, 1<<20), 0, 2)
}
