package auditor

import "sync"

// Tally counts what became of the lines of one start of a tap. Only what is
// committed counts.
type Tally struct {
	Lines      uint64 // all that arrived: entries, rejections and duplicates
	Entries    uint64
	Rejections uint64
	Duplicates uint64
	Findings   uint64
}

func (t *Tally) add(o Tally) {
	t.Lines += o.Lines
	t.Entries += o.Entries
	t.Rejections += o.Rejections
	t.Duplicates += o.Duplicates
	t.Findings += o.Findings
}

// tallies holds one Tally per boot id that somebody watches.
type tallies struct {
	mu      sync.Mutex
	byBoot  map[string]*Tally
	changed chan struct{} // closed and replaced at each change
}

// Watch begins to count the lines that a tap sends under a boot id. The
// returned function reads the count and a channel that closes when it changes;
// stop ends the watch.
func (a *Auditor) Watch(boot string) (read func() (Tally, <-chan struct{}), stop func()) {
	t := &a.tallies
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byBoot == nil {
		t.byBoot, t.changed = map[string]*Tally{}, make(chan struct{})
	}
	t.byBoot[boot] = &Tally{}
	read = func() (Tally, <-chan struct{}) {
		t.mu.Lock()
		defer t.mu.Unlock()
		return *t.byBoot[boot], t.changed
	}
	stop = func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.byBoot, boot)
	}
	return read, stop
}

// watched reports whether somebody waits for a count.
func (t *tallies) watched() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.byBoot) > 0
}

// record adds what a committed chunk holds, by boot id.
func (t *tallies) record(counts map[string]Tally) {
	t.mu.Lock()
	defer t.mu.Unlock()
	touched := false
	for boot, c := range counts {
		if w := t.byBoot[boot]; w != nil {
			w.add(c)
			touched = true
		}
	}
	if touched {
		close(t.changed)
		t.changed = make(chan struct{})
	}
}
