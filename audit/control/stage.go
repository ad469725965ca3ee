package control

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tallystick/tallystick/audit"
)

// maxSeen bounds how many known gaps a Stage remembers; past it, it forgets
// all, and known gaps are raised once more under their old ids.
const maxSeen = 200_000

// Stage evaluates controls over batches. It is safe for concurrent use on
// different batches.
type Stage struct {
	set *Set
	now func() time.Time

	mu   sync.RWMutex
	seen map[string]bool // ids of gaps that are stored
	// quiet are the keys behind some of these ids: most lines show a gap that
	// is stored, and a look-up costs less than its id.
	quiet  map[string]bool
	resets int
}

// NewStage returns the stage; seen are the ids of the gaps that are stored
// already and need not be raised again.
func NewStage(set *Set, seen []string) *Stage {
	s := &Stage{set: set, now: time.Now, seen: make(map[string]bool, len(seen)), quiet: map[string]bool{}}
	for _, id := range seen {
		s.seen[id] = true
	}
	return s
}

// Process appends the findings of a batch. A gap is raised once per batch and
// not again once it was Stored.
func (s *Stage) Process(_ context.Context, b *audit.Batch) error {
	p := pass{s: s, b: b}
	s.mu.RLock()
	resets := s.resets
	for i := range b.Entries {
		e := &b.Entries[i]
		if e.Skip || i < len(b.Events) && b.Events[i].Rejected {
			continue
		}
		for _, c := range s.set.perRow {
			if c.Answer(e) == Violation {
				p.raise(c, e)
			}
		}
	}
	s.mu.RUnlock()
	if len(p.quiet) > 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.resets == resets {
			for _, k := range p.quiet {
				s.quiet[k] = true
			}
		}
	}
	return nil
}

// Reset says which gaps are stored, in place of all that was known.
func (s *Stage) Reset(seen []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.seen)
	clear(s.quiet)
	s.resets++
	for _, id := range seen {
		s.seen[id] = true
	}
}

// pass is one batch on its way through the stage, which is locked for reading.
type pass struct {
	s        *Stage
	b        *audit.Batch
	detected time.Time
	key      []byte          // scratch
	raised   map[string]bool // keys of the gaps of this batch
	quiet    []string        // keys of stored gaps that the stage does not know yet
}

// raise appends the finding of an entry, or nothing for a gap that is known.
func (p *pass) raise(c *Control, e *audit.Entry) {
	id := ""
	if len(c.compiled.key) == 0 {
		id = FindingID(c.ID, e.EntryID())
	} else {
		p.key = append(p.key[:0], c.ID...)
		for _, f := range c.compiled.key {
			p.key = append(append(p.key, 0), *f.Str(e)...)
		}
		if p.s.quiet[string(p.key)] || p.raised[string(p.key)] {
			return
		}
		if id = FindingID(c.ID, keyOf(c, e)...); p.s.seen[id] {
			p.quiet = append(p.quiet, string(p.key))
			return
		}
		if p.raised == nil {
			p.raised = map[string]bool{}
		}
		p.raised[string(p.key)] = true
	}
	if p.detected.IsZero() {
		p.detected = p.s.now().UTC().Truncate(time.Millisecond)
	}
	p.b.Findings = append(p.b.Findings, c.finding(id, e, p.detected))
}

// Stored tells the stage that findings are durable, so that their gaps are not
// raised again. Before that they are, so that a batch that is retried loses
// none.
func (s *Stage) Stored(findings []audit.Finding) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range findings {
		if findings[i].Kind != audit.Gap {
			continue
		}
		if max(len(s.seen), len(s.quiet)) >= maxSeen {
			clear(s.seen)
			clear(s.quiet)
			s.resets++
		}
		s.seen[findings[i].ID] = true
	}
}

func keyOf(c *Control, e *audit.Entry) []string {
	key := make([]string, len(c.compiled.key))
	for i, f := range c.compiled.key {
		key[i] = *f.Str(e)
	}
	return key
}

// finding copies what a finding shows of an entry.
func (c *Control) finding(id string, e *audit.Entry, detected time.Time) audit.Finding {
	f := audit.Finding{
		ID: id, Kind: audit.FindingKind(c.Kind), Control: c.ID, ControlVersion: c.Version, Severity: c.severity(e),
		Time: e.EventTime, Until: e.EventTime, Detected: detected, Source: e.Source, System: e.SystemKey,
		Principal: e.PrincipalID, PrincipalKind: audit.PrincipalKind(e.PrincipalType), PrincipalLabel: e.PrincipalLabel,
		Resource: e.URLTemplate, Purpose: e.Purpose, Categories: append([]string(nil), e.Categories...), Subjects: append([]string(nil), e.Subjects...),
		EntryID: e.EntryID(), Count: 1, Chunk: e.Chunk,
	}
	if len(c.compiled.facts) > 0 {
		f.Facts = make(map[string]string, len(c.compiled.facts))
		for _, x := range c.compiled.facts {
			if v := factOf(x, e); v != "" {
				f.Facts[x.Name] = v
			}
		}
	}
	return f
}

func (c *Control) severity(e *audit.Entry) audit.Severity {
	for _, s := range c.compiled.severities {
		if s.when(e) {
			return s.to
		}
	}
	return audit.Severity(c.Severity)
}

func factOf(f *audit.EntryField, e *audit.Entry) string {
	switch f.Kind {
	case audit.Word:
		return *f.Str(e)
	case audit.Words:
		return strings.Join(*f.Strs(e), ", ")
	case audit.Bool:
		return strconv.FormatBool(*f.Bool(e))
	case audit.Uint16:
		return strconv.FormatUint(uint64(*f.U16(e)), 10)
	case audit.Uint32:
		return strconv.FormatUint(uint64(*f.U32(e)), 10)
	case audit.Uint64:
		return strconv.FormatUint(*f.U64(e), 10)
	}
	return ""
}
