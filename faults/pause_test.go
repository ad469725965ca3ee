//go:build faults && linux

package faults_test

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestFaultPaused pauses one of two auditors with SIGSTOP, again and again, for
// longer than the group waits, so that the other one takes its partitions over,
// and lets it go on.
func TestFaultPaused(t *testing.T) {
	e := newEpisode(t, shapes[1], rand.New(rand.NewPCG(uint64(number(t, "SEED", 1)), 3)))
	store, ledger, first := e.parts[0], e.parts[1], e.parts[2]
	store.start()
	ledger.start() // it makes the installation
	wait(t, "there is an installation", func() bool {
		_, err := os.Stat(filepath.Join(e.dir, "data", "ledger")) // the last that it makes
		return err == nil
	})
	second := e.secondAuditor()
	second.start()
	first.start()
	rest := e.parts[3:]
	e.parts = rest
	endFeed := e.start()
	e.parts = append([]*part{store, ledger, first, second}, rest...)
	time.Sleep(5 * time.Second)
	for round := range 4 {
		p := []*part{first, second}[round%2]
		p.signal(syscall.SIGSTOP)
		time.Sleep(13*time.Second + e.moment(3*time.Second)) // the group waits ten
		p.signal(syscall.SIGCONT)
		time.Sleep(e.moment(3 * time.Second))
	}
	endFeed()
	e.conclude()
	for _, p := range []*part{first, second} {
		t.Logf("%s: %d lines of its log say that it gave a partition up", p.name, strings.Count(p.log.tail(1<<20), "another auditor works on"))
	}
}

// secondAuditor is an auditor with a folder of its own, as on another machine;
// keys and registers are the first one's.
func (e *episode) secondAuditor() *part {
	bin := binary(e.t)
	config, err := os.ReadFile(filepath.Join(e.dir, "tallystick.yaml"))
	if err != nil {
		e.t.Fatal(err)
	}
	e.share()
	e.write("second.yaml", strings.Replace(string(config), "data: data\n", "data: second\n", 1))
	return newPart(e.t, "second auditor", func() *exec.Cmd {
		cmd := exec.Command(bin, "run", "--target", "auditor", "--config", "second.yaml")
		cmd.Dir, cmd.Env = e.dir, e.env
		return cmd
	})
}

// share makes the second auditor's folder.
func (e *episode) share() {
	second := filepath.Join(e.dir, "second")
	if err := os.Mkdir(second, 0o700); err != nil {
		e.t.Fatal(err)
	}
	for _, name := range []string{"installation", "keys", "registers.db", "ledger"} {
		if err := os.Symlink(filepath.Join("..", "data", name), filepath.Join(second, name)); err != nil {
			e.t.Fatal(err)
		}
	}
}

// signal sends a signal to the process, if it runs.
func (p *part) signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		_ = p.cmd.Process.Signal(sig)
	}
}

// wait polls until ok.
func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(stall); !ok(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}
