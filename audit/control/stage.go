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
}

// NewStage returns the stage; seen are the ids of the gaps that are stored
// already and need not be raised again.
func NewStage(set *Set, seen []string) *Stage {
	s := &Stage{set: set, now: time.Now, seen: make(map[string]bool, len(seen))}
	for _, id := range seen {
		s.seen[id] = true
	}
	return s
}

// Process appends the findings of a batch. A gap is raised once per batch and
// not again once it was Stored.
func (s *Stage) Process(_ context.Context, b *audit.Batch) error {
	var detected time.Time
	var raised map[string]bool
	for i := range b.Entries {
		e := &b.Entries[i]
		if e.Skip || i < len(b.Events) && b.Events[i].Rejected {
			continue
		}
		for _, c := range s.set.perRow {
			if c.Answer(e) != Violation {
				continue
			}
			id := ""
			if len(c.compiled.key) == 0 {
				id = FindingID(c.ID, e.EntryID())
			} else {
				id = FindingID(c.ID, keyOf(c, e)...)
				if raised[id] || s.known(id) {
					continue
				}
				if raised == nil {
					raised = map[string]bool{}
				}
				raised[id] = true
			}
			if detected.IsZero() {
				detected = s.now().UTC().Truncate(time.Millisecond)
			}
			b.Findings = append(b.Findings, c.finding(id, e, detected))
		}
	}
	return nil
}

// Reset says which gaps are stored, in place of all that was known.
func (s *Stage) Reset(seen []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.seen)
	for _, id := range seen {
		s.seen[id] = true
	}
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
		if len(s.seen) >= maxSeen {
			clear(s.seen)
		}
		s.seen[findings[i].ID] = true
	}
}

func (s *Stage) known(id string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.seen[id]
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
