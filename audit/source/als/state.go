package als

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/tallystick/tallystick/internal/text"
)

// loadBook reads the book at path, or begins one.
func loadBook(path string) (*book, error) {
	b := &book{Version: bookVersion, Envoys: map[string]*account{}}
	if path == "" {
		return b, nil
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return nil, fmt.Errorf("failed to read what was counted of entries: %w", err)
	}
	if err := json.Unmarshal(data, b); err != nil || b.Version != bookVersion {
		return nil, &text.Hint{
			Err:  fmt.Errorf("%s is damaged or of another version", path),
			Hint: "move it away and start again: the comparison with Envoy's counters begins anew",
		}
	}
	return b, nil
}

// save replaces the file. It survives the end of the process at any point; what
// a power failure takes is at most the last moments.
func (b *book) save(path string) error {
	data, err := json.Marshal(b)
	if err != nil {
		return err
	}
	if err = os.WriteFile(path+".new", data, 0o600); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("failed to keep what was counted of entries: %w", err)
	}
	return nil
}
