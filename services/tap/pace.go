package tap

import "time"

// A source that waits for no answer and brings few lines at a time is read a few
// times a second, and where they trickle without a silence less often: a message
// costs the same for one line as for a hundred. A line that comes after a silence
// is read at once. The most is a good part of the two seconds in which a finding
// shows.
const (
	fewLines   = 100
	gather     = 150 * time.Millisecond
	gatherMost = 750 * time.Millisecond
	silence    = 2 * time.Second
)

// pace says how long a source is left alone after each run.
type pace struct {
	next time.Duration
	last time.Time // when the last run of few lines came
}

// after is the pause after a run that comes now.
func (p *pace) after(few bool, now time.Time) time.Duration {
	if !few {
		p.next = 0
		return 0
	}
	if p.next == 0 || now.Sub(p.last) > silence {
		p.next = gather
	}
	pause := p.next
	p.next, p.last = min(2*pause, gatherMost), now
	return pause
}
