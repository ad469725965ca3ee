// Package classify says what personal data stands in a line and where: it runs
// the detectors over the fields that a client fills and notes kind and place.
//
// It looks at the request target, referer, host, user agent, user, resource
// name and the named fields. The client's own address is no found data, and a
// value counts too when the data map declares it as the subject: an e-mail
// address in a URL is a finding either way. What it notes are the groups that
// controls name (national_id for the numbers of every country, credential),
// and only where a checksum, a name beside the value or its shape makes it
// likely: an order number is no violation. It changes and masks nothing. The
// pipeline calls it after enrich.
package classify

import (
	"context"
	"strings"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/masking/detect"
	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/plainaccess"
)

// access is this package's permission to read clear values.
var access plainaccess.Token

// sure is the confidence from which on a match that nothing validates counts.
const sure = 70

// Stage fills Event.Found.
type Stage struct {
	detector *detect.Detector
	groups   map[detect.Kind]string
}

// New returns the stage, with a rules file's detectors and allow-list; nil for
// none. Session ids and user names in a line are those of who acts, which other
// fields of the entry tell: they are not looked for.
func New(rules *detect.Rules) *Stage {
	d, err := detect.New(detect.Options{Off: []detect.Kind{"session", "username"}, Rules: rules})
	if err != nil {
		panic(err) // rules are checked when they are read, and a test makes one without
	}
	s := &Stage{detector: d, groups: map[detect.Kind]string{}}
	for _, k := range d.Kinds() {
		s.groups[k.Kind] = k.Group
	}
	return s
}

// Process is the stage.
func (s *Stage) Process(_ context.Context, b *audit.Batch) error {
	buf := make([]detect.Match, 0, 32) // one for the batch: what goes to a detector escapes
	for i := range b.Events {
		if e := &b.Events[i]; !e.Rejected {
			e.Found = e.Found[:0]
			s.event(e, buf)
		}
	}
	return nil
}

// event looks at every field of one event; buf is room for matches.
func (s *Stage) event(e *audit.Event, buf []detect.Match) {
	target := e.Target.Reveal(access)
	query := strings.IndexByte(target, '?')
	for _, m := range s.detector.Scan(buf[:0], target) {
		place := "path"
		if query >= 0 && m.Start > query {
			place = "query"
		}
		s.add(e, &m, place)
	}
	s.look(e, buf, e.Referer, "", "referer")
	s.look(e, buf, e.UserAgent, "", "user_agent")
	s.look(e, buf, e.User, "", "user")
	s.look(e, buf, e.ResourceName, "", "resource")
	for _, m := range s.detector.Scan(buf[:0], e.Host.Reveal(access)) {
		if m.Kind != detect.IPv4 && m.Kind != detect.IPv6 { // the server's own address
			s.add(e, &m, "host")
		}
	}
	for i := range e.Fields {
		f := &e.Fields[i]
		if i > 0 && f.Value == e.Fields[i-1].Value && strings.HasPrefix(f.Name, "header:") {
			continue // the same value again under the name of a header
		}
		s.look(e, buf, f.Value, f.Name, f.Name)
	}
}

// look adds what stands in one value.
func (s *Stage) look(e *audit.Event, buf []detect.Match, t plain.Text, name, place string) {
	if t.Empty() {
		return
	}
	for _, m := range s.detector.Named(buf[:0], name, t.Reveal(access)) {
		s.add(e, &m, place)
	}
}

// add notes a group at a place once.
func (s *Stage) add(e *audit.Event, m *detect.Match, place string) {
	if !m.Validated && m.Confidence < sure {
		return
	}
	group := s.groups[m.Kind]
	for _, f := range e.Found {
		if f.Kind == group && f.Place == place {
			return
		}
	}
	e.Found = append(e.Found, audit.Found{Kind: group, Place: place})
}
