//go:build faults && linux

package faults_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	scaleTaps       = 3
	filesPerTap     = 8
	scalePartitions = 12
)

// TestFaultScale splits an installation as a growing site does: three taps with
// eight files each, one ledger, one alerter, twelve partitions on Apache Kafka,
// and two auditors, then three, of which one is killed for good.
func TestFaultScale(t *testing.T) {
	e := newEpisode(t, shape{brokers: 1, session: time.Minute}, rand.New(rand.NewPCG(uint64(number(t, "SEED", 1)), 5)))
	s := &scaled{e}
	s.config("tallystick.yaml", "data", "")
	store, ledger, alerter := e.parts[0], e.parts[1], e.parts[3]
	store.start()
	ledger.start()
	wait(t, "there is an installation", func() bool {
		_, err := os.Stat(filepath.Join(e.dir, "data", "ledger"))
		return err == nil
	})
	alerter.start()
	first, second := s.auditor(1), s.auditor(2)
	first.start()
	second.start()
	e.parts = append([]*part{store, ledger, alerter, first.part, second.part}, s.taps()...)
	for _, p := range e.parts[5:] {
		p.start()
	}
	endFeed := s.feed()
	s.share(first, second)
	third := s.auditor(3)
	third.start()
	e.parts = append(e.parts, third.part)
	s.share(first, second, third)

	_ = second.halt(syscall.SIGKILL)
	// The two that are left go on with all partitions.
	e.settle(0, fmt.Sprintf("SELECT count() FROM (SELECT partition, max(at) AS newest FROM chunks WHERE state = 'closed' GROUP BY partition) WHERE newest < fromUnixTimestamp64Milli(%d)", time.Now().UnixMilli()))
	s.share(first, third)
	endFeed()
	used, err := e.count("SELECT uniqExact(partition) FROM chunks")
	if err != nil || used <= scalePartitions/2 {
		t.Errorf("%d of %d partitions have lines: %v", used, scalePartitions, err)
	}
	all := [2]float64{first.entries(), third.entries()}
	e.conclude()
	t.Logf("%d lines of %d files over %d partitions; the first auditor stored %.0f of them, the third %.0f", e.written, scaleTaps*filesPerTap, used, all[0], all[1])
}

// scaled is an episode whose taps and auditors have folders of their own, as on
// other machines.
type scaled struct{ *episode }

// config writes a configuration; metrics is the address of its listener.
func (s *scaled) config(name, data, metrics string) {
	s.t.Helper()
	base, err := os.ReadFile(filepath.Join(s.dir, "tallystick.yaml"))
	if err != nil {
		s.t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(base), "sources:\n")
	_, tail, ok2 := strings.Cut(rest, "alerts:\n")
	if !ok || !ok2 {
		s.t.Fatal("the configuration of an episode has changed")
	}
	var sources strings.Builder
	for k := range scaleTaps {
		fmt.Fprintf(&sources, "- {name: shop%d, file: \"tap%d/*.log\", format: \"nginx:combined\"}\n", k, k)
	}
	if data != "data" { // as on another machine that reaches the first folder
		head = strings.Replace(head, "data: data\n", "data: "+data+"\ninstallation: data\n", 1)
	}
	config := head + "sources:\n" + sources.String() + "alerts:\n" +
		strings.Replace(tail, "partitions: 3", fmt.Sprintf("partitions: %d", scalePartitions), 1)
	if metrics != "" {
		config += "metrics: {listen: \"" + metrics + "\"}\n"
	}
	s.write(name, config)
}

func (s *scaled) process(name, target string) *part {
	bin := binary(s.t)
	return newPart(s.t, name, func() *exec.Cmd {
		cmd := exec.Command(bin, "run", "--target", target, "--config", name+".yaml")
		cmd.Dir, cmd.Env = s.dir, s.env
		return cmd
	})
}

// member is an auditor that tells how many entries it has stored.
type member struct {
	*part
	metrics string
}

// auditor makes the nth; commands are answered by the first, which is on the
// ledger's machine.
func (s *scaled) auditor(n int) *member {
	name, data := fmt.Sprintf("auditor%d", n), "data"
	m := &member{metrics: fmt.Sprintf("127.0.0.1:%d", freePort(s.t))}
	if n > 1 {
		data = name
	}
	s.config(name+".yaml", data, m.metrics)
	m.part = s.process(name, "auditor")
	return m
}

// entries is what the auditor has stored since it started, 0 while it does not
// answer.
func (m *member) entries() float64 {
	res, err := http.Get("http://" + m.metrics + "/metrics")
	if err != nil {
		return 0
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return 0
	}
	var n float64
	for line := range strings.Lines(string(b)) {
		if _, err := fmt.Sscanf(line, "tallystick_auditor_entries_total %g", &n); err == nil {
			return n
		}
	}
	return 0
}

// share waits until each of some auditors has stored entries anew.
func (s *scaled) share(ms ...*member) {
	s.t.Helper()
	for _, m := range ms {
		before := m.entries()
		wait(s.t, m.name+" stores entries", func() bool { return m.entries() > before })
	}
}

func (s *scaled) taps() (out []*part) {
	for k := range scaleTaps {
		name := fmt.Sprintf("tap%d", k)
		if err := os.Mkdir(filepath.Join(s.dir, name), 0o700); err != nil {
			s.t.Fatal(err)
		}
		for f := range filesPerTap {
			s.write(filepath.Join(name, fmt.Sprintf("%d.log", f)), "")
		}
		// A tap reads its own files only.
		s.config(name+".yaml", name, "")
		b, err := os.ReadFile(filepath.Join(s.dir, name+".yaml"))
		if err != nil {
			s.t.Fatal(err)
		}
		var own []string
		for line := range strings.Lines(string(b)) {
			if !strings.HasPrefix(line, "- {name: shop") || strings.Contains(line, fmt.Sprintf("shop%d,", k)) {
				own = append(own, line)
			}
		}
		s.write(name+".yaml", strings.Join(own, ""))
		out = append(out, s.process(name, "tap"))
	}
	return out
}

// feed appends lines to all files until the returned function is called.
func (s *scaled) feed() (end func()) {
	var files []*os.File
	for k := range scaleTaps * filesPerTap {
		f, err := os.OpenFile(filepath.Join(s.dir, fmt.Sprintf("tap%d", k/filesPerTap), fmt.Sprintf("%d.log", k%filesPerTap)), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			s.t.Fatal(err)
		}
		files = append(files, f)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		from := time.Now().UTC().Add(-24 * time.Hour)
		tick := time.NewTicker(400 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			for _, f := range files {
				var b strings.Builder
				for range 5 {
					b.WriteString(s.line(from.Add(time.Duration(s.written) * time.Second / 10)))
					b.WriteByte('\n')
					s.written++
				}
				if _, err := f.WriteString(b.String()); err != nil {
					s.t.Error(err)
					return
				}
			}
		}
	}()
	return func() {
		close(stop)
		<-stopped
		for _, f := range files {
			_ = f.Close()
		}
	}
}
