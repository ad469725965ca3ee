// Package normalize gives the values of a parsed line one form for all
// formats: operation, action, outcome, TLS version, client address, path and
// query.
//
// It fills the second group of fields of an Event and changes none that parse
// filled, except an absent host that the request target names and a cipher suite
// that is a number. It does not
// know the data map. The pipeline calls it after parse.
package normalize

import (
	"context"
	"crypto/tls"
	"net/netip"
	"strconv"
	"strings"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/plainaccess"
)

// access is this package's permission to read clear values.
var access plainaccess.Token

// Stage normalises the events of all sources.
type Stage struct {
	trusted map[string][]netip.Prefix // by source
}

// New returns the stage for the sources, keyed by source name.
func New(sources map[string]source.Config) *Stage {
	s := &Stage{trusted: map[string][]netip.Prefix{}}
	for name, c := range sources {
		s.trusted[name] = c.TrustedProxies
	}
	return s
}

// Process is the stage.
func (s *Stage) Process(_ context.Context, b *audit.Batch) error {
	trusted := s.trusted[b.Source]
	for i := range b.Events {
		e := &b.Events[i]
		if e.Rejected {
			continue
		}
		e.ClientAddr = clientAddr(e, trusted)
		switch e.Protocol {
		case "kafka":
			kafkaOperation(e)
		case "mqtt":
			mqttOperation(e)
		default:
			httpOperation(e)
			setURL(e)
		}
		e.TLS = tlsVersion(e)
		e.TLSCipher = cipherName(e.TLSCipher)
		setOutcome(e)
	}
	return nil
}

// clientAddr walks X-Forwarded-For from the right as long as the hops are
// trusted proxies. Without a trusted peer the peer is the client.
func clientAddr(e *audit.Event, trusted []netip.Prefix) plain.Text {
	client := e.PeerAddr
	if len(trusted) == 0 || len(e.Forwarded) == 0 {
		return client
	}
	addr, ok := parseAddr(client.Reveal(access))
	if !ok && !client.Empty() {
		return client
	}
	// A peer without an address is a unix socket: a proxy on the same machine.
	for i := len(e.Forwarded) - 1; i >= 0 && (client.Empty() || contains(trusted, addr)); i-- {
		hop := hostOf(e.Forwarded[i].Reveal(access))
		next, ok := parseAddr(hop)
		if !ok {
			break // "unknown" or an obfuscated name: the last trusted hop is all we know
		}
		client, addr = plain.New(hop), next
	}
	return client
}

func contains(prefixes []netip.Prefix, a netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func parseAddr(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	return a.Unmap(), err == nil
}

// hostOf takes a port and brackets off an address.
func hostOf(s string) string {
	if strings.HasPrefix(s, "[") {
		if end := strings.IndexByte(s, ']'); end > 0 {
			return s[1:end]
		}
	}
	if c := strings.IndexByte(s, ':'); c >= 0 && strings.LastIndexByte(s, ':') == c {
		return s[:c]
	}
	return s
}

// tlsVersion is the version's one name. A format that has it and shows none on
// a request that was served saw no TLS.
func tlsVersion(e *audit.Event) string {
	v := e.TLSVersion.Reveal(access)
	switch v {
	case "":
		failed := e.Status == 0 || e.Status == 400 || e.Status >= 495 && e.Status <= 497
		if e.Carries.TLS && !failed {
			return "none"
		}
		return ""
	case "TLSv1.3", "TLSv1_3", "1.3", "772", "0x304", "0x0304", "TLS1.3", "TLS 1.3", "tls1.3", "tlsv1.3":
		return "1.3"
	case "TLSv1.2", "TLSv1_2", "1.2", "771", "0x303", "0x0303", "TLS1.2", "TLS 1.2", "tls1.2", "tlsv1.2":
		return "1.2"
	case "TLSv1.1", "TLSv1_1", "1.1", "770", "TLS1.1", "TLS 1.1", "tls1.1", "tlsv1.1":
		return "1.1"
	case "TLSv1", "TLSv1.0", "TLSv1_0", "1.0", "769", "TLS1.0", "TLS 1.0", "tls1.0", "tlsv1", "tlsv1.0":
		return "1.0"
	case "SSLv3", "SSLv2", "768", "sslv3", "sslv2":
		return "SSLv3"
	}
	return ""
}

// cipherName is the IANA name of a cipher suite that the format gives as a
// number, as Caddy and Envoy's gRPC log do.
func cipherName(c plain.Text) plain.Text {
	s := c.Reveal(access)
	if s == "" || s[0] < '0' || s[0] > '9' {
		return c
	}
	n, err := strconv.ParseUint(s, 0, 16)
	if err != nil {
		return c
	}
	return plain.New(tls.CipherSuiteName(uint16(n)))
}

// setOutcome works out what became of the access.
func setOutcome(e *audit.Event) {
	e.Outcome = outcome(e)
	if e.Outcome == audit.OutcomeAllowed && e.Integrity != audit.IntegrityOK {
		e.Outcome = audit.OutcomeUnknown // a client may have written it
	}
	if e.Outcome == audit.OutcomeDenied && e.DenyBy == "" {
		e.DenyBy = "proxy"
		if !e.Upstream.Empty() {
			e.DenyBy = "upstream"
		}
	}
}

func outcome(e *audit.Event) audit.Outcome {
	if e.Protocol == "kafka" || e.Protocol == "mqtt" {
		switch {
		case fieldOf(e, "check") == "filter":
			return audit.OutcomeUnknown // nothing was asked for by name
		case e.Denied:
			return audit.OutcomeDenied
		case fieldOf(e, "error_code") != "":
			return audit.OutcomeError
		}
		return audit.OutcomeAllowed
	}
	if o := proxyOutcome(e); o != "" {
		return o
	}
	switch st := e.Status; {
	case e.Denied, st == 401, st == 403, st == 407:
		return audit.OutcomeDenied
	case st == 499, st == 460, strings.Contains(fieldOf(e, "response_flags"), "DC"):
		return audit.OutcomeAborted
	case st == 0 && e.Carries.Outcome && e.Protocol == "http":
		return audit.OutcomeAborted
	case st == 0:
		return audit.OutcomeUnknown
	case st >= 400:
		return audit.OutcomeError
	}
	return audit.OutcomeAllowed
}

// proxyOutcome is what a proxy says beside the status: HAProxy's termination
// state (configuration manual 8.5), Squid's result, Apache's connection status.
// It is "" when the status decides.
func proxyOutcome(e *audit.Event) audit.Outcome {
	switch f := e.Format; {
	case strings.HasPrefix(f, "haproxy:"):
		if fieldOf(e, "connection_error") != "" {
			return audit.OutcomeError
		}
		return terminated(e, fieldOf(e, "termination"))
	case strings.HasPrefix(f, "squid:"):
		return squidOutcome(e, fieldOf(e, "result"))
	case strings.HasPrefix(f, "apache:"):
		if fieldOf(e, "connection_status") == "X" {
			return audit.OutcomeAborted
		}
	}
	return ""
}

// terminated reads the first letter of a termination state: who ended the
// session. With none, or when HAProxy answered by itself (L), the status
// decides; a connection without a status came to its end as it should.
func terminated(e *audit.Event, state string) audit.Outcome {
	if state == "" {
		return ""
	}
	switch state[0] {
	case 'P':
		e.DenyBy = "proxy"
		return audit.OutcomeDenied
	case 'S', 's', 'R', 'I', 'D', 'U':
		return audit.OutcomeError
	case 'C', 'c', 'K':
		return audit.OutcomeAborted
	case '-':
		if e.Protocol == "tcp" && e.Status == 0 {
			return audit.OutcomeAllowed
		}
	}
	return ""
}

// squidOutcome reads a result code: TCP_DENIED, and what follows the code when
// the client left or the time was up.
func squidOutcome(e *audit.Event, code string) audit.Outcome {
	switch {
	case strings.HasPrefix(code, "TCP_DENIED"), strings.HasPrefix(code, "UDP_DENIED"):
		e.DenyBy = "proxy"
		return audit.OutcomeDenied
	case strings.HasSuffix(code, "_ABORTED"):
		return audit.OutcomeAborted
	case strings.HasSuffix(code, "_TIMEDOUT"):
		return audit.OutcomeError
	}
	return ""
}

// fieldOf is the clear value of a named field of the line, "" if it has none.
func fieldOf(e *audit.Event, name string) string {
	for i := range e.Fields {
		if e.Fields[i].Name == name {
			return e.Fields[i].Value.Reveal(access)
		}
	}
	return ""
}
