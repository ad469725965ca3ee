package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// ownStdin moves the standard input to a descriptor of its own and leaves
// nothing at descriptor 0: the embedded ClickHouse takes what it can read there
// for rows of its INSERT statements.
func ownStdin() (*os.File, error) {
	fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil { // the process was started without one
		return os.Open(os.DevNull)
	}
	null, err := unix.Open(os.DevNull, unix.O_RDONLY, 0)
	if err == nil {
		err = dupOnto(null, 0)
		_ = unix.Close(null)
	}
	if err != nil {
		return nil, fmt.Errorf("failed to set the standard input aside: %w", err)
	}
	return os.NewFile(uintptr(fd), "standard input"), nil
}
