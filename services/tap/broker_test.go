package tap_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/audit/source/file"
	"github.com/tallystick/tallystick/internal/bench/workload"
	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/broker/brokertest"
	"github.com/tallystick/tallystick/services/tap"
)

// The real sealer, broker and opener: each line of the file is in lines.v1.
func TestThroughBroker(t *testing.T) {
	r := newRig(t)
	client := brokertest.Open(t, brokertest.Start(t))
	const lines = 20_000
	r.write("shop.log", accessLog(lines))
	deps := r.deps()
	deps.Producer = client
	deps.Gate = tap.NewRoom(client, "auditor", deps.Logger)
	tp, err := tap.New(r.cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- tp.Run(ctx) }()
	got := newKafka()
	seen := make(chan broker.Message)
	go func() {
		_ = client.Consume(ctx, "test", broker.Lines, func(ctx context.Context, p *broker.Partition) error {
			for {
				m, err := p.Fetch(ctx)
				if err != nil {
					return err
				}
				seen <- m
			}
		})
	}()
	for len(got.lines(t, r.site)) < lines {
		select {
		case m := <-seen:
			got.msgs = append(got.msgs, m)
		case <-ctx.Done():
			t.Fatalf("%d lines arrived", len(got.lines(t, r.site)))
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func accessLog(n int) string {
	var out strings.Builder
	for i := range n {
		fmt.Fprintf(&out, "192.0.2.%d - cust-%07d [21/Nov/2026:10:%02d:%02d +0000] \"GET /v1/customers/%07d/orders?page=2 HTTP/1.1\" 200 %d \"https://shop.aurora.example/\" \"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/145.0\"\n",
			i%250, i*7919%100_000, i/60%60, i%60, i*104_729%1_000_000, 1000+i*31%5000)
	}
	return out.String()
}

// File to embedded Kafka, sealed: lines a second, and the memory of a process
// that holds the tap and the broker.
func BenchmarkFileToBroker(b *testing.B) {
	dir := b.TempDir()
	s := newSite(b, dir)
	cfg := brokertest.Start(b)
	client, err := broker.Open(b.Context(), cfg, broker.Deps{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	const lines = 500_000
	path := filepath.Join(dir, "shop.log")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriter(f)
	if err := errors.Join(workload.Combined(w, lines, 1), w.Flush(), f.Close()); err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	began := cpu()
	b.ResetTimer()
	for i := range b.N {
		state, err := file.OpenState(filepath.Join(dir, fmt.Sprint("positions", i)), s.prf)
		if err != nil {
			b.Fatal(err)
		}
		tp, err := tap.New(tap.Config{Host: "h1", Once: true, Files: []string{path}, Sources: []source.Config{{Name: "shop"}}},
			tap.Deps{Sealer: s.sealer, Producer: client, Site: s.prf, State: state})
		if err != nil {
			b.Fatal(err)
		}
		if err := tp.Run(b.Context()); err != nil {
			b.Fatal(err)
		}
		if n := tp.Status()[0].Lines; n != lines {
			b.Fatalf("%d lines", n)
		}
		_ = state.Close()
	}
	b.ReportMetric(float64(lines*b.N)/b.Elapsed().Seconds(), "lines/s")
	b.ReportMetric(float64(cpu()-began)/float64(lines*b.N), "cpu-ns/line")
	b.ReportMetric(float64(peak(b))/(1<<20), "peak-MB")
}

// cpu is the processor time that the process has used: the tap's and the
// broker's.
func cpu() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// peak is the most memory that the process has held, in bytes; 0 where the
// system does not tell.
func peak(b *testing.B) (bytes int64) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscanf(strings.TrimSpace(rest), "%d kB", &bytes); err != nil {
		b.Fatal(err)
	}
	return bytes << 10
}
