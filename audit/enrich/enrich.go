// Package enrich says who accessed whose data, what kind, why and where it
// went: it joins a normalised event with the data map, the law tables and a
// country table.
//
// Identity comes only from what the proxy verified or what the operator named
// as a verified field. Everything is judged as of the time of the line. An
// event of a resource or principal that nobody declared stays an event; what it
// lacks becomes a gap later. The package masks nothing and raises nothing; the
// pipeline calls it after normalize and before classify.
package enrich

import (
	"context"
	"fmt"
	"strings"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/datamap"
	"github.com/tallystick/tallystick/audit/law"
	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/plainaccess"
)

// access is this package's permission to read clear values.
var access plainaccess.Token

// Countries tells the country of an address.
type Countries interface {
	// Of returns ISO 3166-1 alpha-2 of the network that an address
	// belongs to, "" if it is not known. It must be safe for concurrent use
	// and quick, and answer the same for all addresses of a /24 or /48.
	Of(address string) string
}

// Stage enriches the events of all sources. It is safe for concurrent use.
type Stage struct {
	m         *datamap.Map
	law       *law.Law
	derive    *datamap.Deriver
	countries Countries // nil: no country is known
	sources   map[string]*sourcePlan
}

// sourcePlan is what a source's configuration means here.
type sourcePlan struct {
	principal []locator
	purpose   *locator // nil: purposes are inferred
	system    string   // key, "" if the map does not declare it
	labels    map[string]string
	country   string // of the system
	laws      []string
}

// New returns the stage. countries may be nil.
func New(m *datamap.Map, sources map[string]source.Config, countries Countries) (*Stage, error) {
	l, err := law.Load()
	if err != nil {
		return nil, err
	}
	s := &Stage{m: m, law: l, derive: datamap.NewDeriver(m), countries: countries, sources: map[string]*sourcePlan{}}
	for name, c := range sources {
		p := &sourcePlan{labels: c.Labels}
		for _, text := range c.Locators() {
			one, err := parseLocator(text)
			if err != nil {
				return nil, fmt.Errorf("failed to read source %s: %w", name, err)
			}
			p.principal = append(p.principal, one)
		}
		if c.Purpose != "" {
			one, err := parseLocator(c.Purpose)
			if err != nil {
				return nil, fmt.Errorf("failed to read source %s: %w", name, err)
			}
			p.purpose = &one
		}
		if sys := m.System(c.System); sys != nil {
			p.system, p.country = sys.Key, sys.Country
		}
		p.laws = s.lawsOf(p.country)
		s.sources[name] = p
	}
	return s, nil
}

// Process is the stage.
func (s *Stage) Process(_ context.Context, b *audit.Batch) error {
	p := s.sources[b.Source]
	if p == nil {
		p = &sourcePlan{principal: []locator{{place: remoteUser}}, laws: s.lawsOf("")}
	}
	var match datamap.Match
	for i := range b.Events {
		e := &b.Events[i]
		if e.Rejected {
			continue
		}
		e.System, e.ServiceCountry, e.Labels = p.system, p.country, p.labels
		e.ClientCountry = ""
		if s.countries != nil && !e.ClientAddr.Empty() {
			e.ClientCountry = s.countries.Of(e.ClientAddr.Reveal(access))
		}
		s.shown(e)
		s.resource(e, &match)
		rule := s.principal(e, p)
		s.purpose(e, p, match.Resource)
		s.transfer(e, p, rule)
	}
	return nil
}

// shown sets what may be shown of names that clients choose: keys of the query
// and host names, each copied from closed lists.
func (s *Stage) shown(e *audit.Event) {
	e.HostShown, e.RefererShown, e.SNIShown, e.UpstreamShown = "", "", "", ""
	if !e.Host.Empty() {
		e.HostShown = s.derive.Host(e.Host.Reveal(access))
	}
	if !e.SNI.Empty() {
		e.SNIShown = s.derive.Host(e.SNI.Reveal(access))
	}
	if !e.Upstream.Empty() {
		e.UpstreamShown = s.derive.Host(e.Upstream.Reveal(access))
	}
	if !e.Referer.Empty() {
		e.RefererShown = s.derive.Host(authority(e.Referer.Reveal(access)))
	}
	e.QueryKeys = nil
	if len(e.Query) > 0 {
		e.QueryKeys = make([]string, 0, len(e.Query))
	}
	for i := range e.Query {
		key := ""
		if !e.Query[i].Value.Empty() { // one without a value may be a value itself, as in ?alice
			key = s.derive.Key(e.Query[i].Name)
		}
		if key == "" {
			key = plain.Redacted
		}
		e.QueryKeys = append(e.QueryKeys, key)
	}
}

// authority is the host and port of a URL, "" if there is none.
func authority(url string) string {
	_, rest, ok := strings.Cut(url, "://")
	if !ok {
		return ""
	}
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	return rest
}

// resource finds what was accessed and whose data it is.
func (s *Stage) resource(e *audit.Event, match *datamap.Match) {
	e.Resource, e.Dataset, e.ResourceMapped, e.Special = "", "", false, false
	e.Subjects, e.Categories, e.SubjectTypes = e.Subjects[:0], nil, nil
	match.Resource, match.N = nil, 0
	switch e.Protocol {
	case "kafka", "mqtt":
		kind := kafkaKind(e.ResourceType.Reveal(access))
		if kind == "" {
			return
		}
		name := e.ResourceName.Reveal(access)
		s.m.MatchKafka(match, e.System, kind, name)
		if match.Resource == nil && (kind == "topic" || kind == "group") {
			e.Resource = s.derive.Kafka(e.System, kind, name)
		}
	case "http":
		path := e.Path.Reveal(access)
		if path == "" {
			return
		}
		s.m.MatchHTTP(match, e.System, e.Operation, path, e.Query)
		if match.Resource == nil {
			e.Resource = s.derive.HTTP(e.System, e.Operation, path)
		}
		for _, c := range match.Captures[:match.N] {
			value := plain.New(path[c.Start:c.End])
			if c.Query >= 0 {
				value = e.Query[c.Query].Value
			}
			e.Subjects = append(e.Subjects, audit.Subject{Kind: c.Kind, Value: value})
		}
	}
	if r := match.Resource; r != nil {
		e.Resource, e.Dataset, e.ResourceMapped, e.Special = r.Match, r.Dataset, true, r.Special()
		e.Categories, e.SubjectTypes = r.Categories, r.SubjectTypes
	}
}

// kafkaKind is the data map's word for a resource type of Kafka, "" for types
// that hold no data.
func kafkaKind(t string) string {
	switch {
	case strings.EqualFold(t, "topic"):
		return "topic"
	case strings.EqualFold(t, "group"):
		return "group"
	case strings.EqualFold(t, "cluster"):
		return "cluster"
	case strings.EqualFold(t, "transactionalid"), strings.EqualFold(t, "transactional_id"):
		return "transactional"
	}
	return ""
}

// purpose finds why: stated in the line, or inferred from the resource.
func (s *Stage) purpose(e *audit.Event, p *sourcePlan, r *datamap.Resource) {
	e.Purpose, e.PurposeSource, e.PurposeStated, e.PurposeDocumented = "", audit.PurposeNone, plain.Text{}, false
	e.DataUse, e.LegalBasis = "", ""
	var declared *datamap.Purpose
	if p.purpose != nil {
		stated, _ := p.purpose.find(e)
		if stated.Empty() {
			return
		}
		e.PurposeSource = audit.PurposeStated
		if declared = s.m.Purpose(stated.Reveal(access)); declared == nil {
			e.PurposeStated = stated
			return
		}
	} else {
		if r == nil {
			return
		}
		if declared = r.PurposeAt(e.Time); declared == nil {
			return
		}
		e.PurposeSource = audit.PurposeInferred
	}
	e.Purpose, e.DataUse, e.LegalBasis = declared.Key, declared.DataUse, declared.Basis()
	e.PurposeDocumented = r != nil && r.Allows(declared) && declared.Effective(e.Time)
}
