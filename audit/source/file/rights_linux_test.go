package file_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/tallystick/tallystick/internal/text"
)

func TestUnreadable(t *testing.T) {
	b := newBench(t, "*.log")
	b.write("a.log", "a1\n")
	b.write("b.log", "b1\n")
	if err := os.Chmod(b.path("a.log"), 0); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		// Root reads everything: give up its rights over files on this thread,
		// which ends with the test.
		runtime.LockOSThread()
		dropFileRights(t, b.dir)
		defer func() { _ = syscall.Setfsuid(0) }()
	}
	b.start()
	b.want("b1")
	p := b.tail.Status().Problems
	if len(p) != 1 || p[0].Path != b.path("a.log") || !strings.Contains(p[0].Err.Error(), "mode 0000, owner ") || text.HintOf(p[0].Err) == "" {
		t.Fatalf("problems %+v", p)
	}
	done := make(chan error)
	go func() { done <- os.Chmod(b.path("a.log"), 0o644) }() // on a thread with its rights
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	b.want("a1")
}

// dropFileRights lets the calling thread open only what anyone may, and the
// folder's own files.
func dropFileRights(t *testing.T, dir string) {
	t.Helper()
	const nobody = 65534
	for d := dir; d != "/"; d = filepath.Dir(d) {
		if info, err := os.Stat(d); err != nil || info.Mode().Perm()&0o005 != 0o005 {
			if err := os.Chmod(d, 0o777); err != nil {
				t.Fatal(err)
			}
		}
		if d == os.TempDir() {
			break
		}
	}
	if err := errors.Join(os.Chmod(dir, 0o777), os.Chmod(filepath.Join(dir, "b.log"), 0o644)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.log", "b.log"} {
		if err := os.Chown(filepath.Join(dir, name), nobody, -1); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Chown(filepath.Join(dir, "a.log"), 0, 0), syscall.Setfsuid(nobody)); err != nil {
		t.Fatal(err)
	}
}
