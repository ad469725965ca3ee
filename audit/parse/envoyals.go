package parse

import (
	"strings"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/masking/plain"
)

// newEnvoyALS makes the parser of the lines that audit/source/als writes of the
// entries of Envoy's Access Log Service: one JSON object each, in which a client
// can choose values but no key, and no value ends early.
func newEnvoyALS(o options) *jsonTree {
	t := newJSONTree("envoy:als", o)
	t.needs = ", such as kind and start_time"
	for path, v := range map[string]variable{
		"start_time":    {field: fTimeISO},
		"duration_ns":   {field: fNanos},
		"peer":          {field: fRemoteAddr},
		"direct_peer":   {field: fRealip},
		"method":        {field: fMethod},
		"path":          {field: fRequestURI},
		"authority":     {field: fHost},
		"user_agent":    {field: fUserAgent},
		"referer":       {field: fReferer},
		"forwarded_for": {field: fForwarded},
		"request_id":    {field: fRequestID},
		"status":        {field: fStatus},
		"bytes_in":      {field: fBytesIn},
		"bytes_out":     {field: fBytesOut},
		"upstream":      {field: fUpstream},
		"tls.version":   {field: fTLSVersion},
		"tls.cipher":    {field: fTLSCipher},
		"tls.sni":       {field: fSNI},
		"tls.subject":   {field: fCertSubject},
		"tls.san":       {field: fCertSAN},
	} {
		t.at(path, v)
	}
	t.locate(o, "headers.~")
	t.carries.TLS = true
	kind, original, flags, when := t.see("kind"), t.see("original_path"), t.see("flags"), t.see("type")
	t.finish = func(b *audit.Batch, i int, g *values, raw *jsonRaw) bool {
		e := &b.Events[i]
		switch raw[kind] {
		case "http", "tcp":
			e.Protocol = raw[kind]
		default:
			b.Reject(i, audit.ReasonSyntax, 1, "an entry of the Access Log Service with kind http or tcp")
			return false
		}
		if raw[original] != "" {
			e.Target = plain.New(raw[original]) // what the client sent, before a rewrite
		}
		setFlags(e, raw[flags])
		if e.Protocol == "http" && e.Method.Empty() {
			e.ParseStatus = audit.ParsePartial
		}
		if w := raw[when]; w != "" && !strings.HasSuffix(w, "End") {
			e.ParseStatus = audit.ParsePartial // an access that is still going on
		}
		if g.realip != "" {
			// The peer is who connected; the remote address may come from a header.
			remote := e.PeerAddr
			e.PeerPort = 0
			splitAddr(e, g.realip)
			if len(e.Forwarded) == 0 && !remote.Empty() && remote.Reveal(access) != e.PeerAddr.Reveal(access) {
				e.Forwarded = append(e.Forwarded, remote)
			}
			g.realip = ""
		}
		if e.Auth = "none"; !e.ClientCertSubject.Empty() || !e.ClientCertSAN.Empty() {
			// Envoy fills the peer's certificate once the handshake is done.
			e.Auth, e.ClientCertVerified = "mtls", true
		}
		return true
	}
	return t
}
