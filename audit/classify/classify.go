// Package classify says what personal data stands in a line and where: it runs
// the detectors over the fields that a client fills and notes kind and place.
//
// It looks at the request target, referer, host, user agent, user, resource
// name and the named fields. The client's own address is no found data, and a
// value counts too when the data map declares it as the subject: an e-mail
// address in a URL is a finding either way. It changes and masks nothing. The
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

// Stage fills Event.Found.
type Stage struct{}

// New returns the stage.
func New() *Stage { return &Stage{} }

// Process is the stage.
func (*Stage) Process(_ context.Context, b *audit.Batch) error {
	for i := range b.Events {
		if e := &b.Events[i]; !e.Rejected {
			e.Found = e.Found[:0]
			event(e)
		}
	}
	return nil
}

// event looks at every field of one event.
func event(e *audit.Event) {
	var buf [16]detect.Match
	target := e.Target.Reveal(access)
	query := strings.IndexByte(target, '?')
	for _, m := range detect.Scan(buf[:0], target) {
		place := "path"
		if query >= 0 && m.Start > query {
			place = "query"
		}
		add(e, m.Kind, place)
	}
	look(e, e.Referer, "referer")
	look(e, e.UserAgent, "user_agent")
	look(e, e.User, "user")
	look(e, e.ResourceName, "resource")
	for _, m := range detect.Scan(buf[:0], e.Host.Reveal(access)) {
		if m.Kind != detect.IPv4 && m.Kind != detect.IPv6 { // the server's own address
			add(e, m.Kind, "host")
		}
	}
	for i := range e.Fields {
		f := &e.Fields[i]
		if i > 0 && f.Value == e.Fields[i-1].Value && strings.HasPrefix(f.Name, "header:") {
			continue // the same value again under the name of a header
		}
		look(e, f.Value, f.Name)
	}
}

// look adds what stands in one value.
func look(e *audit.Event, t plain.Text, place string) {
	if t.Empty() {
		return
	}
	var buf [8]detect.Match
	for _, m := range detect.Scan(buf[:0], t.Reveal(access)) {
		add(e, m.Kind, place)
	}
}

// add notes a kind at a place once.
func add(e *audit.Event, kind detect.Kind, place string) {
	for _, f := range e.Found {
		if f.Kind == string(kind) && f.Place == place {
			return
		}
	}
	e.Found = append(e.Found, audit.Found{Kind: string(kind), Place: place})
}
