package file_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/tallystick/tallystick/audit/source"
)

func TestRotation(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(b *bench)
		want []string
	}{
		{"rename", func(b *bench) {
			b.rename("shop.log", "shop.log.1")
			b.write("shop.log.1", "a3\n") // the server still writes to its handle
			b.write("shop.log", "b1\n")
		}, []string{"a3", "b1"}},
		{"rename with a date", func(b *bench) {
			b.write("shop.log", "a3\n")
			b.rename("shop.log", "shop.log-20261121")
			b.write("shop.log", "b1\n")
		}, []string{"a3", "b1"}},
		{"twice", func(b *bench) {
			b.write("shop.log", "a3\n")
			b.rename("shop.log", "shop.log.2")
			b.write("shop.log", "b1\n")
			b.rename("shop.log", "shop.log.1")
			b.write("shop.log", "c1\n")
		}, []string{"a3", "b1", "c1"}},
		{"compressed", func(b *bench) {
			b.write("shop.log", "a3\n")
			b.write("shop.log.1.gz", pack(b.t, "a1\na2\na3\n"))
			if err := os.Remove(b.path("shop.log")); err != nil {
				b.t.Fatal(err)
			}
			b.write("shop.log", "b1\n")
		}, []string{"a3", "b1"}},
		{"copytruncate", func(b *bench) {
			b.write("shop.log", "a3\n")
			b.write("shop.log.1", "a1\na2\na3\n")
			if err := os.Truncate(b.path("shop.log"), 0); err != nil {
				b.t.Fatal(err)
			}
			b.write("shop.log", "b1\n")
		}, []string{"a3", "b1"}},
		{"copytruncate and grown past the position", func(b *bench) {
			b.write("shop.log.1", "a1\na2\n")
			if err := os.Truncate(b.path("shop.log"), 0); err != nil {
				b.t.Fatal(err)
			}
			b.write("shop.log", "b1 is longer than all of a\n")
		}, []string{"b1 is longer than all of a"}},
		{"rotated without a last line end", func(b *bench) {
			b.write("shop.log", "a3")
			b.rename("shop.log", "shop.log.1")
			b.write("shop.log", "b1\n")
		}, []string{"b1", "a3"}},
	} {
		for _, away := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, away %v", tc.name, away), func(t *testing.T) {
				b := newBench(t, "shop.log")
				b.write("shop.log", "a1\na2\n")
				b.start()
				b.want("a1", "a2")
				if away {
					b.stop()
					tc.do(b)
					b.start()
				} else {
					tc.do(b)
				}
				b.want(tc.want...)
				b.quiet()
				b.stop()
				b.start()
				b.quiet()
			})
		}
	}
}

func TestOldRotatedFilesAreLeftAlone(t *testing.T) {
	b := newBench(t, "shop.log")
	b.write("shop.log.1", "old\n")
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(b.path("shop.log.1"), old, old); err != nil {
		t.Fatal(err)
	}
	b.write("shop.log", "a1\n")
	b.start()
	b.want("a1")
	b.quiet()
	b.stop()
	b.start()
	b.quiet()
}

func TestSameFirstLine(t *testing.T) {
	b := newBench(t, "shop.log")
	b.write("shop.log", "#head\na1\na2\n")
	b.start()
	b.want("#head", "a1", "a2")
	b.rename("shop.log", "shop.log.1")
	b.write("shop.log", "#head\nb1\nb2 of some length\n")
	b.want("#head", "b1", "b2 of some length")
	b.quiet()
}

// TestCutBeforeItWasRead: a log that was found, and copied and cut before its
// first line was read, is not taken for what it was.
func TestCutBeforeItWasRead(t *testing.T) {
	b := newBench(t, "shop.log")
	b.write("shop.log", "a1\n")
	b.start()
	b.want("a1")
	b.write("shop.log", "a2\n")
	b.rename("shop.log", "shop.log.1")
	b.write("shop.log", "b1\nb2\n")
	b.want("a2") // the older file comes first; the newer one is found
	b.rename("shop.log.1", "shop.log.2")
	b.write("shop.log.1", "b1\nb2\n")
	if err := os.Truncate(b.path("shop.log"), 0); err != nil {
		t.Fatal(err)
	}
	b.write("shop.log", "c1\nc2\nc3\n")
	b.want("b1", "b2", "c1", "c2", "c3")
	b.quiet()
}

func TestVanishedFileIsAGap(t *testing.T) {
	b := newBench(t, "shop.log")
	b.write("shop.log", "a1\n")
	b.start()
	b.want("a1")
	b.stop()
	if err := os.Remove(b.path("shop.log")); err != nil {
		t.Fatal(err)
	}
	b.write("shop.log", "b1\n")
	b.start()
	b.want("b1")
	b.quiet()
	if len(b.gaps) != 1 || b.gaps[0].Kind != source.GapVanished || b.gaps[0].Stream != streamName("h1", "shop.log", []byte("a1")) || b.gaps[0].Offset != 3 {
		t.Fatalf("gaps %+v", b.gaps)
	}
	b.stop()
	b.start()
	b.quiet()
	if len(b.gaps) != 1 {
		t.Fatalf("the gap was told again: %+v", b.gaps)
	}
}

func TestTruncationIsAGap(t *testing.T) {
	b := newBench(t, "shop.log")
	b.write("shop.log", "a1\na2\n")
	b.start()
	b.want("a1", "a2")
	if err := os.Truncate(b.path("shop.log"), 0); err != nil {
		t.Fatal(err)
	}
	b.quiet()
	b.write("shop.log", "b1\n")
	b.want("b1")
	if len(b.gaps) != 1 || b.gaps[0].Kind != source.GapTruncated || b.gaps[0].Copied || b.gaps[0].Offset != 6 {
		t.Fatalf("gaps %+v", b.gaps)
	}
}

func TestCompressedWhileFollowed(t *testing.T) {
	whole := pack(t, "a1\na2\na3\n")
	b := newBench(t, "shop.log")
	b.write("shop.log", "a1\n")
	b.start()
	b.want("a1")
	b.stop()
	if err := os.Remove(b.path("shop.log")); err != nil {
		t.Fatal(err)
	}
	b.write("shop.log.1.gz", whole[:len(whole)/2]) // gzip is at work
	b.write("shop.log", "b1\n")
	b.start()
	b.want("b1")
	b.write("shop.log.1.gz", whole[len(whole)/2:])
	b.want("a2", "a3")
	b.quiet()
}

// What was begun is known after a kill, though nothing of it was acknowledged
// and its file was rotated meanwhile: Kafka was away from the start.
func TestKilledBeforeTheFirstAcknowledgement(t *testing.T) {
	for _, away := range []bool{false, true} {
		t.Run(fmt.Sprintf("rotated while away %v", away), func(t *testing.T) {
			b := newBench(t, "shop.log")
			b.write("shop.log", "a1\na2\n")
			b.start()
			if run, err := b.next(5 * time.Second); err != nil || len(run.Lines) != 2 {
				t.Fatalf("read %v, %v", run, err)
			}
			if away {
				b.kill()
			}
			b.rename("shop.log", "shop.log.1")
			b.write("shop.log", "b1\n")
			b.rename("shop.log.1", "shop.log.2")
			b.rename("shop.log", "shop.log.1")
			b.write("shop.log", "c1\n")
			hourAgo := time.Now().Add(-time.Hour)
			if err := os.Chtimes(b.path("shop.log.2"), hourAgo, hourAgo); err != nil {
				t.Fatal(err)
			}
			if !away {
				b.kill()
			}
			b.start()
			b.want("a1", "a2", "b1", "c1")
			b.quiet()
		})
	}
}

// A file that was rotated before its first line was complete is read after a
// stop, though a later one is known by then.
func TestStoppedBeforeTheFirstLine(t *testing.T) {
	b := newBench(t, "shop.log")
	b.write("shop.log", "a1\n")
	age := func(name string, by time.Duration) {
		t.Helper()
		at := time.Now().Add(-by)
		if err := os.Chtimes(b.path(name), at, at); err != nil {
			t.Fatal(err)
		}
	}
	age("shop.log", time.Minute)
	b.start()
	b.want("a1")
	b.rename("shop.log", "shop.log.1")
	b.write("shop.log", "b")
	b.quiet() // it is open, and has no name yet
	b.write("shop.log", "1\n")
	b.rename("shop.log.1", "shop.log.2")
	b.rename("shop.log", "shop.log.1")
	b.write("shop.log.2", "a2\n")
	age("shop.log.2", 20*time.Second)
	age("shop.log.1", 10*time.Second)
	b.write("shop.log", "c1\n")
	b.ahead = 100 * time.Millisecond // the folder is looked at again
	b.want("a2")                     // by now the third file is known
	b.stop()
	b.start()
	b.want("b1", "c1")
	b.quiet()
}

// A first line that goes on after the reader was held up names its file whole,
// though that was rotated long ago: it is known again.
func TestFirstLineGoesOn(t *testing.T) {
	b := newBench(t, "shop.log")
	b.write("shop.log", "the first")
	b.start()
	b.quiet()
	b.rename("shop.log", "shop.log.1")
	b.write("shop.log.1", " line")
	b.ahead = 10 * b.cfg.Grace
	b.quiet()
	b.write("shop.log.1", " of a\n")
	b.want("the first line of a")
	b.stop()
	b.start()
	b.quiet()
}
