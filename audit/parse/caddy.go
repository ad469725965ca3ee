package parse

import (
	"strconv"
	"strings"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/masking/plain"
)

// newCaddy makes the parser of Caddy's JSON access log. remote_ip is the peer,
// client_ip (from 2.7) what trusted proxies say; user_id is the user that
// Caddy authenticated.
func newCaddy(o options) *jsonTree {
	t := newJSONTree("caddy:json", o)
	t.protocol, t.needs = "http", ", such as request and status"
	for path, v := range map[string]variable{
		"ts":                             {field: fTimeAny},
		"request.remote_ip":              {field: fRealip},
		"request.client_ip":              {field: fRemoteAddr},
		"request.remote_port":            {field: fRemotePort},
		"request.method":                 {field: fMethod},
		"request.host":                   {field: fHost},
		"request.uri":                    {field: fRequestURI},
		"request.tls.version":            {field: fTLSVersion},
		"request.tls.cipher_suite":       {field: fTLSCipher},
		"request.tls.server_name":        {field: fSNI},
		"request.tls.client_common_name": {field: fCertSubject},
		"bytes_read":                     {field: fBytesIn},
		"user_id":                        {field: fUser},
		"size":                           {field: fBytesOut},
		"status":                         {field: fStatus},
	} {
		t.at(path, v)
	}
	for _, h := range []string{"User-Agent", "Referer", "X-Forwarded-For", "X-Request-Id"} {
		t.at("request.headers.~"+h, headerVariable(strings.ToLower(h)))
	}
	t.locate(o, "request.headers.~")
	t.carries.TLS = true
	message, address, duration := t.see("msg"), t.see("request.remote_addr"), t.see("duration")
	t.finish = func(b *audit.Batch, i int, g *values, raw *jsonRaw) bool {
		e := &b.Events[i]
		if m := raw[message]; m != "handled request" && m != "NOP" || e.Method.Empty() && e.Target.Empty() {
			b.Reject(i, audit.ReasonNotAccess, 1, "an access: msg is handled request, and request has a method")
			return false
		}
		if raw[address] != "" { // 2.4 and older: address and port in one
			splitAddr(e, raw[address])
		}
		if e.PeerAddr.Empty() && g.realip != "" {
			port := e.PeerPort
			splitAddr(e, g.realip)
			e.PeerPort, g.realip = port, ""
		} else if g.realip != "" && len(e.Forwarded) > 0 && e.PeerAddr.Reveal(access) != g.realip {
			// The header itself is there: keep its hops.
			port := e.PeerPort
			e.PeerAddr = plain.New(g.realip)
			e.PeerPort, g.realip = port, ""
		}
		if e.Status == 0 {
			e.Status = 200 // no handler wrote one, and this is what the client saw
			e.ParseStatus = audit.ParsePartial
		}
		setCaddyDuration(e, raw[duration])
		e.ClientCertVerified = !e.ClientCertSubject.Empty()
		return true
	}
	return t
}

// setCaddyDuration reads seconds, or a string as the duration encoder of the
// configuration makes it (1.5ms). Seconds are written as a float, in exponent
// form when short.
func setCaddyDuration(e *audit.Event, s string) {
	f, err := strconv.ParseFloat(strings.TrimSuffix(s, "s"), 64)
	if err == nil && f >= 0 && f < 1e9 {
		e.Duration = durationOf(f)
	} else if f, err = strconv.ParseFloat(strings.TrimSuffix(s, "ms"), 64); err == nil && f >= 0 && f < 1e12 {
		e.Duration = durationOf(f / 1000)
	}
}
