package push

import (
	"sync"
	"time"

	"github.com/tallystick/tallystick/audit/source"
)

// tellEvery is how often lines that go on being lost become a gap.
const tellEvery = time.Minute

// Losses gathers lines that are lost one after the other and tells of them as
// one gap, at the latest a minute after the first. It is safe for concurrent
// use.
type Losses struct {
	tell func(source.Gap)

	mu    sync.Mutex
	gap   source.Gap // Lines is 0 while nothing is lost
	timer *time.Timer
}

// NewLosses returns an empty one that tells by calling tell.
func NewLosses(tell func(source.Gap)) *Losses { return &Losses{tell: tell} }

// Add takes a loss. The first one's place stands for all.
func (l *Losses) Add(g source.Gap) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gap.Lines > 0 {
		l.gap.Lines += g.Lines
		l.gap.Lost += g.Lost
		return
	}
	l.gap = g
	l.timer = time.AfterFunc(tellEvery, l.Tell)
}

// Tell tells now, if something is lost.
func (l *Losses) Tell() {
	l.mu.Lock()
	g := l.gap
	if l.gap.Lines > 0 {
		l.timer.Stop()
	}
	l.gap = source.Gap{}
	l.mu.Unlock()
	if g.Lines > 0 {
		l.tell(g)
	}
}
