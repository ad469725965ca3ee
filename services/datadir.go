package services

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tallystick/tallystick/internal/text"
)

// dataDir is the folder of everything that one installation keeps. Its lock
// makes sure that one process at a time works on it.
type dataDir struct {
	path string
	id   string // 16 hex digits, made with the folder
	lock *os.File
}

// openDataDir makes the folder if it is missing and takes its lock.
func openDataDir(path string) (*dataDir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("failed to make the data folder: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("failed to open the data folder's lock: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = lock.Close()
		return nil, &text.Hint{
			Err:  fmt.Errorf("the data folder %s is in use by another process", path),
			Hint: "stop the other tallystick, or give another folder with --data",
		}
	}
	d := &dataDir{path: path, lock: lock}
	if d.id, err = installationID(path); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

func (d *dataDir) close() { _ = d.lock.Close() }

func (d *dataDir) join(parts ...string) string {
	return filepath.Join(append([]string{d.path}, parts...)...)
}

// installationID reads the id of the folder and makes it the first time.
func installationID(path string) (string, error) {
	file := filepath.Join(path, "installation")
	b, err := os.ReadFile(file)
	if err == nil {
		return strings.TrimSpace(string(b)), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("failed to read the installation's id: %w", err)
	}
	raw := make([]byte, 8)
	if _, err := rand.Read(raw); err != nil {
		return "", err
	}
	id := hex.EncodeToString(raw)
	if err := os.WriteFile(file, []byte(id+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("failed to write the installation's id: %w", err)
	}
	return id, nil
}

// kekPath is where the local key-encryption key of an installation is, outside
// its data folder, so that a copy of the folder alone opens nothing.
func kekPath(id string) (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", &text.Hint{Err: fmt.Errorf("failed to find a place for the key-encryption key: %w", err), Hint: "set keys.kek in tallystick.yaml"}
	}
	return filepath.Join(dir, "tallystick", id+".kek"), nil
}

// socketPath is where an instance on the folder listens for its owner. A path
// too long for a socket is replaced by a short one that the folder names.
func socketPath(data string) string {
	abs, err := filepath.Abs(data)
	if err != nil {
		abs = data
	}
	p := filepath.Join(abs, "socket")
	if len(p) < 100 {
		return p
	}
	id, err := installationID(data)
	if err != nil {
		return p
	}
	base := os.Getenv("XDG_RUNTIME_DIR")
	if base == "" {
		base = filepath.Join(os.TempDir(), fmt.Sprintf("tallystick-%d", os.Getuid()))
	}
	return filepath.Join(base, id+".socket")
}
