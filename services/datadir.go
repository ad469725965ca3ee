package services

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tallystick/tallystick/internal/text"
)

// errInUse means that another process has a target's lock.
var errInUse = errors.New("is in use by another process")

// dataDir is the folder of everything that one installation keeps. Processes
// that share it run different targets: each target has a lock, which one
// process at a time holds. What several would make at the first start, keys and
// tables, they make one after another, under the lock of opening.
type dataDir struct {
	path    string
	home    string // of what the installation shares: path, or another process's folder
	id      string // 16 hex digits, made with home
	targets []*os.File
	opening *os.File // nil once the process has opened
}

// shared is what all processes of an installation have in one place.
var shared = []string{"installation", "keys", "registers.db", "ledger", "reports"}

// openDataDir makes the folder if it is missing, takes the locks of targets and
// waits until no other process is opening. home is where the installation is, path
// itself or a folder that another process has made.
func openDataDir(ctx context.Context, path, home string, targets []string) (_ *dataDir, err error) {
	if path != home && !Installed(home) {
		return nil, &text.Hint{
			Err:  fmt.Errorf("there is no installation in the folder %s", home),
			Hint: "name the data folder of the process with the ledger, and start that one first",
		}
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("failed to make the data folder: %w", err)
	}
	d := &dataDir{path: path, home: home}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	for _, t := range targets {
		f, err := flock(path, t)
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, &text.Hint{
				Err:  fmt.Errorf("the data folder %s %w, which runs the %s", path, errInUse, t),
				Hint: "stop the other tallystick, or give another folder with --data",
			}
		}
		if err != nil {
			return nil, err
		}
		d.targets = append(d.targets, f)
	}
	for {
		if d.opening, err = flock(home, "opening"); !errors.Is(err, unix.EWOULDBLOCK) {
			break
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("another process is opening the data folder %s: %w", home, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
	if err == nil {
		d.id, err = installationID(home)
	}
	return d, err
}

// flock takes the lock of a name in a folder, or fails with EWOULDBLOCK.
func flock(dir, name string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock."+name), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("failed to open a lock of the data folder: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// opened lets the next process open.
func (d *dataDir) opened() {
	if d.opening != nil {
		_ = d.opening.Close()
		d.opening = nil
	}
}

func (d *dataDir) close() {
	d.opened()
	for _, f := range d.targets {
		_ = f.Close()
	}
	d.targets = nil
}

// join names a file of the installation, which is in home if processes share it.
func (d *dataDir) join(parts ...string) string {
	dir := d.path
	if slices.Contains(shared, parts[0]) {
		dir = d.home
	}
	return filepath.Join(append([]string{dir}, parts...)...)
}

// Installed reports whether something is kept in the data folder already.
func Installed(data string) bool { return fileExists(filepath.Join(data, "installation")) }

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
