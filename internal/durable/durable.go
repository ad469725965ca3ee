// Package durable writes small files so that a crash at any moment leaves the
// old content or the new, never a part, and what was written stays written.
//
// It is for state, keys and proofs that other work relies on once a call has
// returned; logs, queues and folders of several files order their own writes.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// New writes a file that must not exist yet. It returns an error that is
// fs.ErrExist if the file exists.
func New(path string, b []byte, mode fs.FileMode) error {
	tmp, err := temporary(path, b, mode)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(tmp) }()
	// A hard link, unlike a rename, never replaces what another process made.
	if err := os.Link(tmp, path); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// Replace writes a file in place of the one that is there, if any.
func Replace(path string, b []byte, mode fs.FileMode) error {
	tmp, err := temporary(path, b, mode)
	if err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		_ = os.Remove(tmp)
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// temporary writes a hidden file beside path.
func temporary(path string, b []byte, mode fs.FileMode) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		_ = os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// SyncDir makes the names in a folder durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
