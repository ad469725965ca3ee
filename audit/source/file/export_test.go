package file

import (
	"github.com/tallystick/tallystick/audit"
)

// Split is the line splitter.
func Split(b []byte, o audit.Origin, max, limit int) ([]audit.Line, int) {
	return split(nil, b, o, max, limit)
}

// Abandon gives up the lock without saving, as a killed process does.
func (s *State) Abandon() { _ = s.lock.Close() }

// Abandon closes what the process would lose with its death, saving nothing.
func (t *Tailer) Abandon() {
	t.closeFiles()
	if t.watch != nil {
		t.watch.close()
	}
}
