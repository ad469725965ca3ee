package clickhouse

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/tallystick/tallystick/internal/text"
)

// lockName is the file in the data folder that says who has it open.
const lockName = "tallystick.lock"

// lock takes the data folder for this process until unlock or its end.
func lock(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("failed to lock the data folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer func() { _ = f.Close() }()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("failed to lock the data folder: %w", err)
		}
		b := make([]byte, 20)
		n, _ := f.ReadAt(b, 0)
		return nil, &text.Hint{
			Err:  fmt.Errorf("the data folder %s is in use by process %s", dir, strings.TrimSpace(string(b[:n]))),
			Hint: "stop that process, or use another folder with --data",
		}
	}
	// The number is for the message above only; the lock is the flock.
	if err := f.Truncate(0); err == nil {
		_, _ = fmt.Fprintf(f, "%d\n", os.Getpid())
	}
	return func() { _ = f.Close() }, nil
}
