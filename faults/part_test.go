//go:build faults && linux

package faults_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tallystick/tallystick/internal/embedded/clickhouse"
)

const (
	storeDir  = "TALLYSTICK_FAULTS_STORE"
	storeAddr = "TALLYSTICK_FAULTS_ADDR"
)

// part is a process that is started again whenever it ends, as the manager of
// services of a machine would.
type part struct {
	t       *testing.T
	name    string
	broker  bool
	command func() *exec.Cmd
	log     *lockedBuffer

	mu      sync.Mutex
	cmd     *exec.Cmd     // nil while it is down
	pause   time.Duration // before the next start
	ending  bool
	killed  bool // the end of cmd was ours
	ended   chan error
	stopped sync.Once
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) tail(n int) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.b.String()
	return s[max(0, len(s)-n):]
}

func newPart(t *testing.T, name string, command func() *exec.Cmd) *part {
	p := &part{t: t, name: name, command: command, log: &lockedBuffer{}, ended: make(chan error, 1)}
	t.Cleanup(func() {
		p.halt(syscall.SIGKILL)
		if t.Failed() {
			t.Logf("the end of the log of %s:\n%s", name, p.log.tail(4000))
		}
	})
	return p
}

// binary is the program under test; TALLYSTICK_BIN overrides it.
func binary(t *testing.T) string {
	path := os.Getenv("TALLYSTICK_BIN")
	if path == "" {
		path = "../bin/tallystick"
	}
	abs, err := filepath.Abs(path)
	if err == nil {
		_, err = os.Stat(abs)
	}
	if err != nil {
		t.Fatalf("%s is missing: make build", path)
	}
	return abs
}

// product is tallystick with a target.
func (e *episode) product(target string) *part {
	bin := binary(e.t)
	return newPart(e.t, target, func() *exec.Cmd {
		cmd := exec.Command(bin, "run", "--target", target)
		cmd.Dir, cmd.Env = e.dir, e.env
		return cmd
	})
}

// store is the stand-in for a ClickHouse server: the embedded engine behind its
// HTTP handler, in this test's own binary.
func (e *episode) store() *part {
	return newPart(e.t, "store", func() *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), storeDir+"="+filepath.Join(e.dir, "clickhouse"), storeAddr+"="+e.address)
		return cmd
	})
}

// serveStore runs until a signal comes.
func serveStore(dir, address string, stop <-chan os.Signal) error {
	engine, err := clickhouse.Open(dir, clickhouse.Options{Connections: 8})
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return errors.Join(err, engine.Close())
	}
	srv := &http.Server{Handler: engine.Handler(), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-stop
		_ = srv.Close()
	}()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return errors.Join(err, engine.Close())
	}
	return engine.Close()
}

// start keeps the process running until end.
func (p *part) start() {
	go func() { p.ended <- p.keep() }()
}

func (p *part) keep() error {
	for {
		p.mu.Lock()
		if p.ending {
			p.mu.Unlock()
			return nil
		}
		cmd := p.command()
		cmd.Stdout, cmd.Stderr = p.log, p.log
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			p.mu.Unlock()
			return err
		}
		p.cmd, p.killed, p.pause = cmd, false, 300*time.Millisecond
		p.mu.Unlock()
		err := cmd.Wait()
		p.mu.Lock()
		p.cmd = nil
		ending, killed, pause := p.ending, p.killed, p.pause
		p.mu.Unlock()
		switch {
		case ending && !killed:
			return err
		case !killed:
			fmt.Fprintf(p.log, "-- it ended by itself: %v\n", err)
		}
		time.Sleep(pause)
	}
}

// kill ends the process at once; it starts again after down.
func (p *part) kill(down time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return // it is down already
	}
	p.killed, p.pause = true, down
	_ = p.cmd.Process.Kill()
}

// halt ends the part for good and returns how the process ended.
func (p *part) halt(sig syscall.Signal) (err error) {
	p.stopped.Do(func() {
		p.mu.Lock()
		p.ending, p.killed = true, sig == syscall.SIGKILL
		if p.cmd != nil {
			_ = p.cmd.Process.Signal(sig)
		}
		p.mu.Unlock()
		select {
		case err = <-p.ended:
		case <-time.After(20 * time.Second):
			err = fmt.Errorf("it still runs 20 s after signal %v", sig)
			p.mu.Lock()
			if p.cmd != nil {
				_ = p.cmd.Process.Kill()
			}
			p.mu.Unlock()
		}
	})
	return err
}

// end stops the part as its users do, which has to succeed in time.
func (p *part) end() {
	p.t.Helper()
	if err := p.halt(syscall.SIGTERM); err != nil {
		p.t.Errorf("%s was to end: %v", p.name, err)
	}
}
