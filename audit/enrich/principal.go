package enrich

import (
	"fmt"
	"strings"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/datamap"
	"github.com/tallystick/tallystick/masking/plain"
)

// place is where a value stands in a line.
type place uint8

const (
	remoteUser place = iota
	clientSAN
	clientSubject
	field
)

// locator finds a value.
type locator struct {
	place place
	name  string // of the field
}

func parseLocator(s string) (locator, error) {
	switch s {
	case "remote_user":
		return locator{place: remoteUser}, nil
	case "client_san":
		return locator{place: clientSAN}, nil
	case "client_subject":
		return locator{place: clientSubject}, nil
	}
	if n, ok := strings.CutPrefix(s, "field:"); ok && n != "" {
		return locator{place: field, name: n}, nil
	}
	if n, ok := strings.CutPrefix(s, "header:"); ok && n != "" {
		return locator{place: field, name: "header:" + strings.ToLower(n)}, nil
	}
	return locator{}, fmt.Errorf("%q is none of remote_user, client_san, client_subject, field:NAME, header:NAME", s)
}

// find returns the value and whether it is verified. A field or header is,
// because the operator named it as one that the proxy sets itself.
func (l locator) find(e *audit.Event) (plain.Text, bool) {
	switch l.place {
	case remoteUser:
		return e.User, e.UserVerified
	case clientSAN:
		return e.ClientCertSAN, e.ClientCertVerified
	case clientSubject:
		return e.ClientCertSubject, e.ClientCertVerified
	}
	for i := range e.Fields {
		if e.Fields[i].Name == l.name && !e.Fields[i].Value.Empty() && e.Fields[i].Value.Reveal(access) != "-" {
			return e.Fields[i].Value, true
		}
	}
	return plain.Text{}, false
}

// principal finds who acted and returns the rule of the data map that says so,
// or nil.
func (s *Stage) principal(e *audit.Event, p *sourcePlan) *datamap.Principal {
	e.Principal, e.PrincipalVerified, e.PrincipalDeclared = plain.Text{}, false, false
	e.PrincipalLabel, e.PrincipalOrg, e.PrincipalCountry, e.Recipient, e.ContractRef = "", "", "", "", ""
	for _, l := range p.principal {
		v, verified := l.find(e)
		if !v.Empty() && v.Reveal(access) != "-" {
			e.Principal, e.PrincipalVerified = v, verified
			break
		}
	}
	// A user on these is what somebody claimed, whoever wrote the field; a line
	// that a client could have written may name anybody.
	if e.Status == 401 || e.Status == 407 || e.Integrity == audit.IntegrityAmbiguous {
		e.PrincipalVerified = false
	}
	if e.Principal.Empty() {
		e.PrincipalKind = audit.KindAnonymous
		if isBroker(e) {
			e.PrincipalKind = audit.KindBroker
		}
		return nil
	}
	name := e.Principal.Reveal(access)
	rule := s.m.Principal(name)
	switch {
	case rule == nil && isBroker(e):
		e.PrincipalKind = audit.KindBroker
	case rule == nil:
		e.PrincipalKind = audit.KindUnknown
		if e.PrincipalVerified && isSubject(e, name, "") {
			e.PrincipalKind = audit.KindSelf
		}
	case rule.Kind == "self":
		// Whose data it is has to be the principal's own: somebody else's is
		// no self, and an unverified name proves nothing.
		e.PrincipalKind = audit.KindUnknown
		if e.PrincipalVerified && (len(e.Subjects) == 0 || isSubject(e, name, rule.Subject) || isSubject(e, afterPrefix(name, rule.Match), rule.Subject)) {
			e.PrincipalKind = audit.KindSelf
		}
		return nil
	default:
		s.declared(e, rule)
	}
	return rule
}

func (s *Stage) declared(e *audit.Event, rule *datamap.Principal) {
	e.PrincipalKind, e.PrincipalDeclared = audit.PrincipalKind(rule.Kind), true
	e.PrincipalLabel, e.PrincipalOrg, e.PrincipalCountry = rule.Label, rule.Org, rule.Country
	org := s.m.Org(rule.Org)
	if e.PrincipalCountry == "" && org != nil {
		e.PrincipalCountry = org.Country
	}
	if rule.Org != datamap.Own && org != nil {
		e.Recipient, e.ContractRef = org.Key, org.ContractAt(e.Time)
	}
}

// isBroker reports whether a Kafka broker acted on another: only brokers do
// cluster actions.
func isBroker(e *audit.Event) bool {
	return e.Protocol == "kafka" && e.Operation == "CLUSTERACTION"
}

// isSubject reports whether a name is the value of a subject of the line, of
// the given kind if there is one.
func isSubject(e *audit.Event, name, kind string) bool {
	if name == "" {
		return false
	}
	for i := range e.Subjects {
		if (kind == "" || e.Subjects[i].Kind == kind) && strings.EqualFold(strings.TrimSpace(e.Subjects[i].Value.Reveal(access)), strings.TrimSpace(name)) {
			return true
		}
	}
	return false
}

// afterPrefix is what * stands for in a rule, "" for a literal one.
func afterPrefix(name, match string) string {
	prefix, ok := strings.CutSuffix(match, "*")
	if !ok || !strings.HasPrefix(name, prefix) {
		return ""
	}
	return name[len(prefix):]
}
