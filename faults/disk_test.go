//go:build faults && linux

package faults_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// TestFaultDiskFull fills the disk of the data folder while lines come, and
// frees it again; then the same with a kill while it is full.
func TestFaultDiskFull(t *testing.T) {
	for _, kill := range []bool{false, true} {
		t.Run(fmt.Sprintf("kill=%t", kill), func(t *testing.T) {
			e := newEpisode(t, shapes[0], rand.New(rand.NewPCG(1, 1)))
			data := filepath.Join(e.dir, "data")
			if err := os.Mkdir(data, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mount("tmpfs", data, "tmpfs", 0, "size=300m,mode=0700"); err != nil {
				t.Skipf("a disk of a fixed size can't be mounted here: %v", err)
			}
			t.Cleanup(func() {
				for _, p := range e.parts {
					_ = p.halt(syscall.SIGKILL)
				}
				if err := syscall.Unmount(data, syscall.MNT_DETACH); err != nil {
					t.Error(err)
				}
			})
			endFeed := e.start()
			time.Sleep(4 * time.Second)
			ballast := filepath.Join(data, "ballast")
			for range 60 { // also what is deleted meanwhile is filled
				fill(t, ballast)
				time.Sleep(250 * time.Millisecond)
			}
			if kill {
				e.parts[0].kill(500 * time.Millisecond)
				time.Sleep(4 * time.Second)
			}
			t.Logf("%d lines were written when the disk is freed", e.written)
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			endFeed()
			e.conclude()
		})
	}
}

// fill appends up to 16 MB to a file, until the disk has no more room.
func fill(t *testing.T, path string) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for size, written := 1<<20, 0; size > 0 && written < 16<<20; {
		n, err := f.Write(make([]byte, size))
		written += n
		if errors.Is(err, syscall.ENOSPC) {
			size /= 4
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// TestFaultSlowDisk delays every fsync by 150 ms under load, with a kill in the
// middle. strace has to be there.
func TestFaultSlowDisk(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is missing")
	}
	e := newEpisode(t, shapes[0], rand.New(rand.NewPCG(2, 2)))
	endFeed := e.start()
	for range 2 {
		time.Sleep(3 * time.Second)
		e.parts[0].mu.Lock()
		cmd := e.parts[0].cmd
		e.parts[0].mu.Unlock()
		if cmd == nil {
			t.Fatal("the service does not run")
		}
		slow := exec.Command(strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync",
			"-e", "inject=fsync,fdatasync:delay_exit=150000", "-p", strconv.Itoa(cmd.Process.Pid))
		if err := slow.Start(); err != nil {
			t.Skipf("strace can't attach here: %v", err)
		}
		time.Sleep(8 * time.Second)
		e.parts[0].kill(200 * time.Millisecond)
		_ = slow.Wait() // it ends with the process
	}
	endFeed()
	e.conclude()
}
