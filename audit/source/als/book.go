package als

import (
	"time"
)

// ends counts entries that tell of the end of an access.
type ends struct {
	HTTP int64 `json:"http"`
	TCP  int64 `json:"tcp"`
}

func (e ends) plus(o ends) ends  { return ends{e.HTTP + o.HTTP, e.TCP + o.TCP} }
func (e ends) minus(o ends) ends { return ends{e.HTTP - o.HTTP, e.TCP - o.TCP} }

// atLeastZero drops what is negative.
func (e ends) atLeastZero() ends { return ends{max(e.HTTP, 0), max(e.TCP, 0)} }

func (e ends) sum() uint64 { return uint64(max(e.HTTP, 0) + max(e.TCP, 0)) }

// account is what is known of one Envoy.
type account struct {
	Base    ends     `json:"base"`    // ended before the counting began
	Carried ends     `json:"carried"` // of earlier starts of the Envoy
	Last    counters `json:"last"`    // as it said last
}

func (a *account) ended() ends { return a.Carried.plus(a.Last.ended()).minus(a.Base) }

// handed is a Run that is out: Ack has not told of it.
type handed struct {
	Until uint64 `json:"until"` // number behind its last line
	Ends  ends   `json:"ends"`
}

// book compares what Envoys counted with what is durable. It is kept on disk and
// holds nothing but numbers, addresses of Envoys and names of streams.
type book struct {
	Version int      `json:"version"`
	Stream  string   `json:"stream"`  // of the last start
	Durable ends     `json:"durable"` // since the counting began
	Out     []handed `json:"out"`
	Doubts  []doubt  `json:"doubts,omitempty"`
	Told    ends     `json:"told"` // lost entries that gaps have told of
	// Restarts counts the starts of Envoys that were seen.
	Restarts uint32              `json:"restarts"`
	Envoys   map[string]*account `json:"envoys"`
}

// doubt is what was out when an earlier start was killed: whether it became
// durable has to be asked.
type doubt struct {
	Stream string   `json:"stream"`
	Out    []handed `json:"out"`
}

const bookVersion = 1

// begin makes what the last start left unfinished a doubt.
func (b *book) begin(stream string) {
	if len(b.Out) > 0 {
		b.Doubts = append(b.Doubts, doubt{Stream: b.Stream, Out: b.Out})
	}
	b.Stream, b.Out = stream, nil
	if b.Envoys == nil {
		b.Envoys = map[string]*account{}
	}
}

// settle counts what turned out to be durable of the first doubt.
func (b *book) settle(until uint64) {
	for _, h := range b.Doubts[0].Out {
		if h.Until <= until {
			b.Durable = b.Durable.plus(h.Ends)
		}
	}
	b.Doubts = b.Doubts[1:]
}

func (b *book) hand(h handed) { b.Out = append(b.Out, h) }

// acknowledge counts the oldest Run that is out.
func (b *book) acknowledge() {
	b.Durable = b.Durable.plus(b.Out[0].Ends)
	b.Out = b.Out[1:]
}

// observe takes an Envoy's counters, and reports whether the Envoy started anew
// while accesses were ending: some of them were then never counted.
func (b *book) observe(address string, c counters) (unknown bool) {
	a := b.Envoys[address]
	switch {
	case a == nil:
		a = &account{Base: c.ended(), Last: c}
		if len(b.Envoys) == 0 { // entries that came before the first look are taken as counted
			a.Base = a.Base.minus(b.Durable)
		}
		b.Envoys[address] = a
		return false
	case !c.after(&a.Last):
		a.Carried = a.Carried.plus(a.Last.ended())
		a.Last = c
		b.Restarts++
		return true
	}
	a.Last = c
	return false
}

// ended is what all Envoys counted.
func (b *book) ended() (e ends) {
	for _, a := range b.Envoys {
		e = e.plus(a.ended())
	}
	return e
}

// missing is what Envoys counted and is neither durable nor told of. It is
// exact when nothing is on its way.
func (b *book) missing() ends { return b.ended().minus(b.Durable).minus(b.Told) }

// surely is what of the accesses that had ended at an earlier time is lost at
// least: waiting and everything else that is on its way is taken off.
func (b *book) surely(ended ends, waiting ends) ends {
	e := ended.minus(b.Durable).minus(b.Told).minus(waiting)
	for _, h := range b.Out {
		e = e.minus(h.Ends)
	}
	for _, d := range b.Doubts {
		for _, h := range d.Out {
			e = e.minus(h.Ends)
		}
	}
	return e.atLeastZero()
}

// forgive takes entries that Envoys did not count, because they ended before the
// counting began or between the last look and the end of an Envoy, as counted.
// It reports how many. While connections are open nothing is known of those of
// TCP: they may be others'.
func (b *book) forgive() (more ends) {
	more = (ends{}).minus(b.missing()).atLeastZero()
	for _, a := range b.Envoys {
		if a.Last.Open > 0 {
			more.TCP = 0
		}
	}
	for _, a := range b.Envoys {
		a.Base = a.Base.minus(more)
		break // whichever: the sum is what counts
	}
	return more
}

// watch is what is remembered between two looks; it is not kept on disk.
type watch struct {
	changed time.Time // when something last changed
	ended   ends      // that Envoys had counted then
	number  uint64    // lines received then
	moving  bool      // accesses ended between the last two looks
	samples []sample  // of the last while, oldest first
	short   time.Time // since when entries surely are missing; zero if none are
}

type sample struct {
	at    time.Time
	ended ends
}

// see takes a look at what was counted and received.
func (w *watch) see(now time.Time, ended ends, number uint64) {
	w.moving = !w.changed.IsZero() && ended != w.ended
	if w.changed.IsZero() || w.moving || number != w.number {
		w.changed, w.ended, w.number = now, ended, number
	}
}

// quiet reports whether nothing was counted nor received for as long as entries
// may be on their way.
func (w *watch) quiet(now time.Time, settle time.Duration) bool { return now.Sub(w.changed) >= settle }

// before is what had ended as long ago as entries may be on their way.
func (w *watch) before(now time.Time, ended ends, settle time.Duration) (ends, bool) {
	w.samples = append(w.samples, sample{now, ended})
	var old sample
	for len(w.samples) > 0 && now.Sub(w.samples[0].at) >= settle {
		old, w.samples = w.samples[0], w.samples[1:]
	}
	return old.ended, !old.at.IsZero()
}

// patient reports whether entries have been missing for long enough.
func (w *watch) patient(now time.Time, lost ends, patience time.Duration) bool {
	switch {
	case lost.sum() == 0:
		w.short = time.Time{}
		return false
	case w.short.IsZero():
		w.short = now
	}
	if now.Sub(w.short) < patience {
		return false
	}
	w.short = time.Time{}
	return true
}
