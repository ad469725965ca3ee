// Package demo invents a small company and the logs of its servers.
//
// Write makes ordinary log files of the last days, a configuration and a data
// map, and says which findings they hold; Live goes on writing lines as time
// passes. The files are read by ingest and by the tap like anyone's: nothing
// here reaches into the product. The company, its people and its customers do
// not exist; package services runs it for `run --demo`.
package demo

import (
	"bufio"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"time"
)

//go:embed company
var company embed.FS

// Options say which history is written.
type Options struct {
	Seed uint64
	// Days is how long the history is. Default 30.
	Days int
	// End is when it ends. Required; not before 2026-02-01, since the data map
	// has dates. The same Seed, Days and End give the same bytes.
	End time.Time
}

// Finding is one that the history holds, in clear: who and what are names that
// the demo invented.
type Finding struct {
	Control   string    `json:"control"`
	Kind      string    `json:"kind"` // violation or gap
	Source    string    `json:"source"`
	System    string    `json:"system"`
	Time      time.Time `json:"time"`  // of the line; of the first line of a burst or gap
	Until     time.Time `json:"until"` // of the line that completes a burst, else Time
	Principal string    `json:"principal"`
	Label     string    `json:"label,omitempty"`
	Resource  string    `json:"resource,omitempty"` // pattern of the data map, or the derived template
	Purpose   string    `json:"purpose,omitempty"`  // as stated
	Client    string    `json:"client,omitempty"`   // address, where nobody is named
	Detail    string    `json:"detail,omitempty"`   // tls version, country, kind and place of what was found
	Count     int       `json:"count"`
}

// The names of the sources and of their files.
const (
	Shop   = "shop"
	CRM    = "crm"
	Events = "events"
)

var files = map[string]string{Shop: "shop.log", CRM: "crm.log", Events: "kafka.log"}

// Path is the log file of a source in a demo's folder.
func Path(dir, source string) string { return filepath.Join(dir, "logs", files[source]) }

// record is a line with its time, to be sorted.
type record struct {
	at   time.Time
	line string
}

// story collects the lines of one demo.
type story struct {
	rng        *rand.Rand
	start, end time.Time
	lines      map[string][]record
	findings   []Finding
}

// Write makes logs, tallystick.yaml, datamap.yaml and expected.json in dir and
// returns the findings that the logs hold, in the order of time. It fails when
// dir has logs already: demo and real data never share a folder.
func Write(dir string, o Options) ([]Finding, error) {
	if o.Days <= 0 {
		o.Days = 30
	}
	s, err := newStory(o)
	if err != nil {
		return nil, err
	}
	s.history()
	if err := os.Mkdir(filepath.Join(dir, "logs"), 0o700); err != nil {
		return nil, fmt.Errorf("failed to make the demo's folder: %w", err)
	}
	for source := range files {
		if err := s.write(Path(dir, source), source); err != nil {
			return nil, fmt.Errorf("failed to write the demo's logs: %w", err)
		}
	}
	for _, name := range []string{"tallystick.yaml", "datamap.yaml"} {
		b, err := fs.ReadFile(company, "company/"+name)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), b, 0o600)
		}
		if err != nil {
			return nil, fmt.Errorf("failed to write the demo's configuration: %w", err)
		}
	}
	b, err := json.MarshalIndent(s.findings, "", "  ")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "expected.json"), append(b, '\n'), 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("failed to write the demo's expected findings: %w", err)
	}
	return s.findings, nil
}

// Written reports whether dir holds a demo, so that a start goes on with it.
func Written(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "expected.json"))
	return err == nil
}

func newStory(o Options) (*story, error) {
	end := o.End.UTC().Truncate(time.Second)
	start := end.Add(-time.Duration(o.Days) * 24 * time.Hour)
	if start.Before(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) {
		return nil, errors.New("the demo's history can't begin before 2026: its data map has dates")
	}
	return &story{rng: rand.New(rand.NewPCG(o.Seed, 0x7a11)), start: start, end: end, lines: map[string][]record{}}, nil
}

// history writes everything, keeps what lies in the time and sorts it.
func (s *story) history() {
	for day := s.start.Truncate(24 * time.Hour); day.Before(s.end); day = day.Add(24 * time.Hour) {
		s.shopDay(day)
		s.crmDay(day)
		s.eventsDay(day)
	}
	s.seed()
	for source, list := range s.lines {
		kept := list[:0]
		for _, r := range list {
			if s.in(r.at) {
				kept = append(kept, r)
			}
		}
		sort.SliceStable(kept, func(i, j int) bool { return kept[i].at.Before(kept[j].at) })
		s.lines[source] = kept
	}
	sort.SliceStable(s.findings, func(i, j int) bool { return s.findings[i].Time.Before(s.findings[j].Time) })
}

func (s *story) in(t time.Time) bool { return !t.Before(s.start) && t.Before(s.end) }

func (s *story) add(source string, at time.Time, line string) {
	s.lines[source] = append(s.lines[source], record{at, line})
}

func (s *story) find(f Finding) {
	if f.Until.IsZero() {
		f.Until = f.Time
	}
	if f.Count == 0 {
		f.Count = 1
	}
	if f.Kind == "" {
		f.Kind = "violation"
	}
	s.findings = append(s.findings, f)
}

func (s *story) write(path, source string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	for _, r := range s.lines[source] {
		_, _ = w.WriteString(r.line) // Flush returns the first error
		_ = w.WriteByte('\n')
	}
	return errors.Join(w.Flush(), f.Close())
}
