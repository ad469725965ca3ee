package services

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tallystick/tallystick/masking/pseudonym"
)

// reportsAbout counts or erases the stored reports that show one of some
// pseudonyms.
func (a *App) reportsAbout(ctx context.Context, names map[string]bool, erase bool) (n int, err error) {
	dir := a.dir.join("reports")
	runs, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("failed to look through the stored reports: %w", err)
	}
	for _, run := range runs {
		shows, err := shown(filepath.Join(dir, run.Name()), names)
		if err != nil {
			return n, err
		}
		if !shows {
			continue
		}
		n++
		if !erase {
			continue
		}
		if err := a.registers.EraseRun(ctx, run.Name()); err != nil {
			return n, err
		}
		if err := os.RemoveAll(filepath.Join(dir, run.Name())); err != nil {
			return n, fmt.Errorf("failed to erase a stored report: %w", err)
		}
	}
	return n, nil
}

// shown reports whether a text file of a folder has one of names in it. Each
// run has a JSON or CSV file beside what can't be searched.
func shown(dir string, names map[string]bool) (bool, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return false, fmt.Errorf("failed to look through a stored report: %w", err)
	}
	prefix := []byte(pseudonym.Version + ".")
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return false, fmt.Errorf("failed to look through a stored report: %w", err)
		}
		for {
			i := bytes.Index(b, prefix)
			if i < 0 {
				break
			}
			b = b[i:]
			if names[string(b[:pseudonymLength(b)])] {
				return true, nil
			}
			b = b[len(prefix):]
		}
	}
	return false, nil
}

// pseudonymLength is how much of b can be a pseudonym, from its beginning.
func pseudonymLength(b []byte) int {
	for i, c := range b {
		if c != '.' && c != '-' && c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return i
		}
	}
	return len(b)
}
