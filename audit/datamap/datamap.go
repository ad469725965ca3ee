// Package datamap reads the data map, datamap.yaml: what an organisation
// declares about its systems, resources, purposes, principals, recipients and
// transfers, and finds what belongs to an access.
//
// Everything is looked up as of the time of the access, never as of now. A
// resource is a pattern:
//
//	GET /v1/customers/{subject:customer_id}     a path with the subject's identifier in it
//	* /files/{name}                             any method; {name} stands for one segment
//	GET /search?email={subject:email}&page      a key that must be present, and one that holds a subject
//	GET /static/*                               the path itself and everything below it
//	topic customer-events, group crm-*          Kafka; a final * stands for any rest
//
// Of several patterns that fit, the more literal one wins, segment by segment
// from the left: a literal before {…} before /*; then one with the method
// before *, then the one with more query keys, then the first in the file.
// Empty segments do not count: /a//b/ is /a/b.
//
// For what is not declared, Deriver makes a template that holds no value of
// the line. The package reads no clear value itself; its caller is package
// enrich, and reports and the console read the declared rows.
package datamap

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/tallystick/tallystick/internal/strictyaml"
	"github.com/tallystick/tallystick/internal/text"
)

// Own is the word for the controller's own organisation, whatever its key.
const Own = "own"

// Load reads and checks a data map. Errors name file, line and column and come
// with a hint.
func Load(path string) (*Map, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &text.Hint{Err: fmt.Errorf("failed to read the data map: %w", err), Hint: "tallystick init LOG... drafts one from your logs"}
	}
	if err != nil {
		return nil, fmt.Errorf("failed to read the data map: %w", err)
	}
	return Parse(path, data)
}

// Parse checks a data map; name is for messages.
func Parse(name string, data []byte) (*Map, error) {
	m := &Map{name: name}
	doc, err := strictyaml.Decode(name, data, m)
	if err != nil {
		return nil, err
	}
	taxonomy, err := LoadTaxonomy()
	if err != nil {
		return nil, err
	}
	c := &checker{m: m, doc: doc, taxonomy: taxonomy}
	if err := c.check(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	m.digest, m.warnings = hex.EncodeToString(sum[:6]), c.warnings
	m.compile()
	return m, nil
}

// Empty is the map of a site that has none yet: every resource and principal
// is undeclared.
func Empty() *Map {
	m := &Map{Organisation: Organisation{Key: Own}, digest: "none"}
	m.compile()
	return m
}

// Digest identifies the map in chunk versions: the first 12 hex digits of the
// file's SHA-256, or none for Empty.
func (m *Map) Digest() string { return m.digest }

// Warnings are faults that do not make the map wrong, each with FILE:LINE.
func (m *Map) Warnings() []string { return m.warnings }

// System returns the system with a key, or nil.
func (m *Map) System(key string) *System { return m.compiled.systems[key] }

// Purpose returns the purpose with a key, or nil.
func (m *Map) Purpose(key string) *Purpose { return m.compiled.purposes[key] }

// Org returns the organisation with a key, the controller for "own", or nil.
func (m *Map) Org(key string) *Organisation { return m.compiled.orgs[key] }

// IsOwn reports whether key is the controller's.
func (m *Map) IsOwn(key string) bool { return key == Own || key == m.Organisation.Key }

// TransferAt returns the safeguard for an organisation in a country that is in
// effect at t, or nil.
func (m *Map) TransferAt(org, country string, t time.Time) *Transfer {
	for i := range m.Transfers {
		x := &m.Transfers[i]
		if x.Organisation == org && x.Country == country && x.period.Contains(t) {
			return x
		}
	}
	return nil
}

// Effective reports whether the purpose is in effect at t.
func (p *Purpose) Effective(t time.Time) bool { return p.period.Contains(t) }

// Basis is the legal basis under all laws in one text: "GDPR 6(1)(b), LGPD 7-V".
func (p *Purpose) Basis() string { return p.basis }

// ContractAt returns the reference of the contract in effect at t, or "".
func (o *Organisation) ContractAt(t time.Time) string {
	if o.Contract == "" || !o.contract.Contains(t) {
		return ""
	}
	return o.Contract
}

// Special reports whether a category of the resource falls under GDPR Art. 9
// or 10.
func (r *Resource) Special() bool { return r.special }

// SubjectKinds returns the kinds of subject that resources name, sorted.
func (m *Map) SubjectKinds() []string {
	kinds := map[string]bool{}
	for i := range m.Resources {
		p := &m.Resources[i].pattern
		for _, s := range p.segments {
			kinds[s.kind] = true
		}
		for _, q := range p.query {
			kinds[q.kind] = true
		}
	}
	delete(kinds, "")
	return slices.Sorted(maps.Keys(kinds))
}

// PurposeAt returns the purpose that is inferred at t, the first listed one in
// effect, or nil.
func (r *Resource) PurposeAt(t time.Time) *Purpose {
	for _, p := range r.purposes {
		if p.Effective(t) {
			return p
		}
	}
	return nil
}

// Allows reports whether the resource lists the purpose.
func (r *Resource) Allows(p *Purpose) bool {
	for _, q := range r.purposes {
		if p == q {
			return true
		}
	}
	return false
}
