// Package masking is the one way from an Event with clear values to an Entry
// that may be stored: the mask stage and its policy.
//
// Every field of an Entry is filled here, one by one. What can identify a
// person becomes a keyed token, a coarser value, a template, or [redacted];
// what a policy does not name is redacted. Finding personal data, tokens and
// coarser values are the sub-packages' work; packages seal and keys hold what
// is kept unmasked, sealed. The pipeline calls the Engine after classify.
package masking

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/masking/generalise"
	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/plainaccess"
	"github.com/tallystick/tallystick/masking/pseudonym"
)

// access is this package's permission to read clear values.
var access plainaccess.Token

// The domains of pseudonym keys. Tokens of different domains never match.
const (
	// DomainSubjects is for everyone whose data an access is about and every
	// principal that is not declared staff or service: keys of the day.
	DomainSubjects = "subjects"
	// DomainPrincipals is for staff and services that the data map declares:
	// keys of the year, so that controls over time can follow them.
	DomainPrincipals = "principals"
)

// tokens is how many tokens the engine remembers with their values, in memory.
const tokens = 1 << 16

// Engine is the mask stage.
type Engine struct {
	policy *Policy
	maker  *pseudonym.Maker
	agents generalise.Agents

	dayPrincipals bool     // the policy has no year tokens
	blanks        []blank  // fields that the policy drops or redacts
	skip          skipping // work that the blanks would undo
	vault         []kept   // fields whose originals are kept

	// Links are written, and people who were erased known, if linked is set.
	linked *Linked
	erased *Tombstones
	tags   *pseudonym.Maker
}

// skipping are the costly transforms that the policy has no use for.
type skipping struct {
	request, session, device, cert, certHash, principal, subjects, addresses, agents bool
}

// NewEngine returns the stage for a policy. A nil policy is the default one.
func NewEngine(p *Policy, keys pseudonym.Keys) *Engine {
	if p == nil {
		p = DefaultPolicy()
	}
	gone := func(names ...string) bool {
		for _, n := range names {
			if t := p.fields[n]; t != drop && t != redact {
				return false
			}
		}
		return true
	}
	return &Engine{
		policy: p, maker: pseudonym.New(keys, tokens), blanks: blanks(p),
		dayPrincipals: p.fields["principal_id"] == pseudonymDay,
		skip: skipping{
			request: gone("request_id"), session: gone("session_id"), device: gone("device_id"),
			cert: gone("client_cert_subject"), certHash: gone("client_cert_sha256"),
			principal: gone("principal_id"), subjects: gone("subjects"),
			addresses: gone("peer_ip", "client_ip", "xff_chain"), agents: gone("user_agent", "client_app"),
		},
	}
}

// Process is the stage. An error says that the key store did not answer.
func (g *Engine) Process(ctx context.Context, b *audit.Batch) error {
	if cap(b.Entries) < len(b.Events) {
		b.Entries = make([]audit.Entry, len(b.Events))
	}
	b.Entries = b.Entries[:len(b.Events)]
	m := mask{g: g, pseudonyms: g.maker.Begin(ctx)}
	m.begin(ctx, b)
	for i := range b.Events {
		e, out := &b.Events[i], &b.Entries[i]
		*out = audit.Entry{Skip: e.Rejected}
		if e.Rejected {
			continue
		}
		dated := keyDay(e)
		if err := m.entry(e, out); err != nil {
			return fmt.Errorf("failed to make a pseudonym: %w", err)
		}
		out.EventTime = dated
		for _, bl := range g.blanks {
			bl(out)
		}
		if len(g.vault) > 0 {
			g.keep(b, i, &m.gone)
		}
		e.Time = dated
	}
	b.Links = m.links
	return nil
}

// farAhead is how much later than its sealing a line may be dated before its
// keys are those of the day of sealing.
const farAhead = 24 * time.Hour

// keyDay gives an event that is dated too far ahead the time of its sealing, by
// which its keys are chosen, and marks it: a forged date would have a key made
// that lives until then. It returns the date that the line has.
func keyDay(e *audit.Event) time.Time {
	dated := e.Time
	if !e.Received.IsZero() && dated.Sub(e.Received) > farAhead {
		e.Time, e.TimeQuality = e.Received, audit.TimeAhead
	}
	return dated
}

// mask masks the events of one batch.
type mask struct {
	g          *Engine
	pseudonyms pseudonym.Batch

	// The last address and its network: peer and client are mostly one, and
	// lines of one client come together.
	lastAddr, lastNet string
	lastReferer       string // shown: a site has few

	tags       pseudonym.Batch
	links      []audit.Link
	lastLinked string   // pseudonym of the last link: a person's lines come together
	gone       goneLine // of the line at hand
}

// entry fills an entry from an event, in the order of audit.EntryFields.
func (m *mask) entry(e *audit.Event, out *audit.Entry) error {
	m.gone = goneLine{subjects: m.gone.subjects[:0]}
	out.SchemaVersion = audit.SchemaVersion
	out.EventTime, out.IngestTime, out.TimeQuality = e.Time, e.Received, string(e.TimeQuality)
	out.Source, out.SourceFormat = e.Source, e.Format
	out.Stream, out.Generation, out.Offset = e.Origin.Stream, e.Origin.Generation, e.Origin.Offset
	out.ParseStatus, out.Integrity = string(e.ParseStatus), string(e.Integrity)
	if err := m.principal(e, out); err != nil {
		return err
	}
	if err := m.identifiers(e, out); err != nil {
		return err
	}
	m.client(e, out)
	if err := m.subjects(e, out); err != nil {
		return err
	}
	resource(e, out)
	mapped(e, out)
	m.accessed(out)
	out.TLSVersion, out.TLSCipher = e.TLS, cipher(e.TLSCipher.Reveal(access))
	out.SNI = shown(e.SNI, e.SNIShown)
	out.MTLSVerified = e.ClientCertVerified
	out.StatusCode, out.Outcome, out.DenyBy = e.Status, string(e.Outcome), e.DenyBy
	out.BytesIn, out.BytesOut = e.BytesIn, e.BytesOut
	if e.Duration > 0 {
		out.DurationUS = uint64(e.Duration.Microseconds())
	}
	out.Upstream = upstream(e.Upstream, e.UpstreamShown)
	out.Labels = e.Labels
	out.Host = shown(e.Host, e.HostShown)
	out.Referer = m.referer(e.Referer.Reveal(access), e.RefererShown)
	out.Carries = carries(e.Carries)
	return nil
}

// principal sets who acted.
func (m *mask) principal(e *audit.Event, out *audit.Entry) error {
	out.PrincipalType, out.PrincipalAuth = string(e.PrincipalKind), e.Auth
	out.PrincipalVerified = e.PrincipalVerified
	out.PrincipalOrg, out.PrincipalLabel = e.PrincipalOrg, e.PrincipalLabel
	value := e.Principal.Reveal(access)
	if value == "" {
		return nil
	}
	var err error
	token, skip := plain.Redacted, m.g.skip.principal
	staff := e.PrincipalKind == audit.KindStaff || e.PrincipalKind == audit.KindService || e.PrincipalKind == audit.KindBroker
	if e.PrincipalDeclared && staff && !m.g.dayPrincipals {
		if !skip {
			token, err = m.pseudonyms.Year(DomainPrincipals, "principal", value, e.Time)
		}
		out.PrincipalID = token
		return err
	}
	kind := KindUser
	if e.PrincipalKind == audit.KindSelf {
		kind = selfKind(e, value)
	}
	if !skip {
		if token, err = m.pseudonyms.Day(DomainSubjects, kind, value, e.Time); err != nil {
			return err
		}
	}
	out.PrincipalID = token
	return m.person(e, -1, kind, value, token)
}

// selfKind is the kind of the subject that the principal is, so that both have
// one token.
func selfKind(e *audit.Event, principal string) string {
	for i := range e.Subjects {
		s := &e.Subjects[i]
		if pseudonym.Normalise(s.Kind, s.Value.Reveal(access)) == pseudonym.Normalise(s.Kind, principal) {
			return s.Kind
		}
	}
	return KindUser
}

// identifiers sets the ids that follow one person through a day.
func (m *mask) identifiers(e *audit.Event, out *audit.Entry) error {
	skip, t := &m.g.skip, e.Time
	return cmp.Or(
		m.identifier(skip.session, "session", e.Session, t, &out.SessionID),
		m.identifier(skip.device, "device", e.DeviceID, t, &out.DeviceID),
		m.identifier(skip.request, "request", e.RequestID, t, &out.RequestID),
		m.identifier(skip.cert, "cert", e.ClientCertSubject, t, &out.ClientCertSubject),
		m.identifier(skip.certHash, "cert_hash", e.ClientCertHash, t, &out.ClientCertHash),
	)
}

func (m *mask) identifier(skip bool, kind string, value plain.Text, t time.Time, to *string) (err error) {
	switch {
	case value.Empty():
	case skip:
		*to = plain.Redacted
	default:
		*to, err = m.pseudonyms.Day(DomainSubjects, kind, value.Reveal(access), t)
	}
	return err
}

// client sets where the access came from and with what.
func (m *mask) client(e *audit.Event, out *audit.Entry) {
	out.ClientPort, out.ClientCountry = e.PeerPort, e.ClientCountry
	if !m.g.skip.addresses {
		out.PeerIP = m.network(e.PeerAddr.Reveal(access))
		out.ClientIP = m.network(e.ClientAddr.Reveal(access))
		if len(e.Forwarded) > 0 {
			out.XFFChain = make([]string, len(e.Forwarded))
			for i, hop := range e.Forwarded {
				out.XFFChain[i] = generalise.HostPort(hop.Reveal(access))
			}
		}
	}
	if !m.g.skip.agents {
		out.UserAgent = m.g.agents.Agent(e.UserAgent.Reveal(access))
		out.ClientApp = out.UserAgent
	}
}

func (m *mask) network(addr string) string {
	if addr != m.lastAddr {
		m.lastAddr, m.lastNet = addr, generalise.Address(addr)
	}
	return m.lastNet
}

// subjects sets whose data it was.
func (m *mask) subjects(e *audit.Event, out *audit.Entry) error {
	out.SubjectCount = uint32(len(e.Subjects))
	out.SubjectCategories = e.SubjectTypes
	if len(e.Subjects) == 0 {
		return nil
	}
	both := make([]string, 2*len(e.Subjects))
	out.Subjects, out.SubjectKinds = both[:len(e.Subjects):len(e.Subjects)], both[len(e.Subjects):]
	for i, s := range e.Subjects {
		out.SubjectKinds[i] = s.Kind
		value := s.Value.Reveal(access)
		token := plain.Redacted
		if !m.g.skip.subjects {
			var err error
			if token, err = m.pseudonyms.Day(DomainSubjects, s.Kind, value, e.Time); err != nil {
				return err
			}
		}
		out.Subjects[i] = token
		if err := m.person(e, i, s.Kind, value, token); err != nil {
			return err
		}
	}
	return nil
}

func redactedIf(present bool) string {
	if present {
		return plain.Redacted
	}
	return ""
}
