// Package erased has what a person is told who asked to be erased: what was
// found, what went, what stays and why, and when the rest has gone.
//
// It holds counts, dates and reasons and no value of the person. Package
// services/erasure fills it in; the command line and the console show it.
package erased

import (
	"time"

	"github.com/tallystick/tallystick/internal/text"
)

// Found is what there is about a person.
type Found struct {
	Identifiers int    `json:"identifiers"` // given by whoever asked
	Links       uint64 `json:"links"`       // day pseudonyms that links tie to the person
	FirstDay    string `json:"first_day,omitempty"`
	LastDay     string `json:"last_day,omitempty"`
	Entries     uint64 `json:"entries"`
	Findings    uint64 `json:"findings"`
	Originals   uint64 `json:"originals"`
	Reports     uint64 `json:"reports"` // stored ones that show the person's pseudonyms
}

// State is how far an erasure is.
type State string

// The values of State.
const (
	StateFound    State = "found"    // looked for, and nothing asked
	StateWaiting  State = "waiting"  // for the second person
	StateRefused  State = "refused"  // by the second person
	StateApproved State = "approved" // and not begun
	StateRunning  State = "running"  // begun and not done
	StateDone     State = "done"
)

// Rest is what lasts a while after an erasure: for whom it is held it may still
// lead to the person.
type Rest struct {
	// What is day-keys, lines, spools, rejections or backups.
	What  string    `json:"what"`
	Until time.Time `json:"until"`
}

// Answer is what the person can be told: counts, dates and reasons, and no value
// of theirs.
type Answer struct {
	Request  string `json:"request"`
	Erasure  string `json:"erasure,omitempty"` // the id in the ledger
	State    State  `json:"state"`
	Approval int64  `json:"approval,omitempty"`
	// Leaf is the index of the act in the ledger.
	Leaf  *int64    `json:"leaf,omitempty"`
	Begun time.Time `json:"begun,omitzero"`
	Done  time.Time `json:"done,omitzero"`
	Found Found     `json:"found"`
	// Destroyed is what went so far, and Left what was there at the last look. Nil
	// before it began; Left is nil again when it is done.
	Destroyed *Parts `json:"destroyed,omitempty"`
	Left      *Parts `json:"left,omitempty"`
	// Kept is what stays and why, by the ids of messages erasure.kept.ID.
	Kept []string `json:"kept,omitempty"`
	// Rest goes by itself; Complete is when the last of it has.
	Rest     []Rest    `json:"rest,omitempty"`
	Complete time.Time `json:"complete,omitzero"`
	// Remains is what no erasure here reaches, by the ids of messages
	// erasure.remains.ID.
	Remains []string `json:"remains,omitempty"`
}

// Parts are what an erasure takes away.
type Parts struct {
	Links     uint64 `json:"links"`
	Originals uint64 `json:"originals"`
	Reports   uint64 `json:"reports"`
}

// What stays, and what others may still know.
var (
	kept    = []string{"entries", "ledger", "tombstone", "request", "hold"}
	remains = []string{"time", "network", "agent", "source", "originals"}
)

// Seen takes over what is there now. What was there at the last look and is not
// there any more was destroyed: so it is counted once, however often the
// erasure is interrupted and goes on.
func (a *Answer) Seen(now Parts) {
	last := Parts{a.Found.Links, a.Found.Originals, a.Found.Reports}
	if a.Left != nil {
		last = *a.Left
	}
	if a.Destroyed == nil {
		a.Destroyed = &Parts{}
	}
	for _, x := range []struct{ went, last, now *uint64 }{
		{&a.Destroyed.Links, &last.Links, &now.Links},
		{&a.Destroyed.Originals, &last.Originals, &now.Originals},
		{&a.Destroyed.Reports, &last.Reports, &now.Reports},
	} {
		if *x.last > *x.now {
			*x.went += *x.last - *x.now
		}
	}
	a.Left = &now
}

// Finish fills in the end of an erasure, of which nothing is left.
func (a *Answer) Finish(now time.Time, rest []Rest) {
	a.State, a.Done, a.Kept, a.Remains, a.Rest = StateDone, now, kept, remains, rest
	a.Left = nil
	for _, r := range rest {
		if r.Until.After(a.Complete) {
			a.Complete = r.Until
		}
	}
}

// Text is the answer for people, line by line.
func (a *Answer) Text(p *text.Printer) []string {
	line := func(id string, data map[string]any) string { return p.T("erasure."+id, data) }
	count := func(id string, n uint64) string { return "  " + p.N("erasure."+id, n, nil) }
	out := []string{line("state."+string(a.State), map[string]any{"Request": a.Request, "Approval": a.Approval, "Day": p.Date(a.Begun)}), ""}
	f := a.Found
	out = append(out, p.N("erasure.found", uint64(f.Identifiers), nil), count("links", f.Links))
	if f.Links > 0 {
		out = append(out, "  "+line("days", map[string]any{"From": f.FirstDay, "To": f.LastDay}))
	}
	out = append(out, count("entries", f.Entries), count("findings", f.Findings), count("originals", f.Originals), count("reports", f.Reports))
	if a.State != StateDone {
		return out
	}
	d := a.Destroyed
	out = append(out, "", line("destroyed", nil), count("links", d.Links), count("originals", d.Originals), count("reports", d.Reports))
	if a.Leaf != nil {
		out = append(out, "  "+line("leaf", map[string]any{"ID": a.Erasure, "Leaf": *a.Leaf}))
	}
	out = append(out, "", line("kept", nil))
	for _, id := range a.Kept {
		out = append(out, "  "+line("kept."+id, nil))
	}
	out = append(out, "", line("complete", map[string]any{"Day": p.Date(a.Complete)}))
	for _, r := range a.Rest {
		out = append(out, "  "+line("rest."+r.What, map[string]any{"Day": p.Date(r.Until)}))
	}
	out = append(out, "", line("remains", nil))
	for _, id := range a.Remains {
		out = append(out, "  "+line("remains."+id, nil))
	}
	return out
}
