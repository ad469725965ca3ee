package parse

import "github.com/tallystick/tallystick/audit"

// newTraefikCLF makes the parser of Traefik's common format, which ends with
// the request count, router, server and duration, and of genericCLF, which ends
// with the user agent. Traefik writes a quote as \" and leaves a backslash one,
// so that a value that ends with a backslash can be read in two ways.
func newTraefikCLF(name, format string, o options) (*layout, error) {
	l := &layout{name: name, what: "format", protocol: "http", timeHint: clfTimeHint, escape: escapeQuote, utf8: true}
	v := func(name string, f field, s shape, client bool) piece {
		return piece{slot: &slot{variable: variable{field: f, shape: s, client: client}, name: name}}
	}
	at := v("time", fTimeLocal, shapeTimeLocal, false)
	at.slot.width = localTimeLen
	pieces := []piece{
		v("host", fClientHost, shapeAny, true), {literal: " - "}, v("user", fUser, shapeAny, true), {literal: " ["}, at, {literal: `] "`},
		v("request", fRequest, shapeAny, true), {literal: `" `}, v("status", fStatus, shapeNumber, false), {literal: " "},
		v("size", fBytesOut, shapeNumber, false), {literal: ` "`}, v("referer", fReferer, shapeAny, true), {literal: `" "`},
		v("user agent", fUserAgent, shapeAny, true), {literal: `"`},
	}
	if format == "clf" {
		pieces = append(pieces, piece{literal: " "}, v("count", fIgnored, shapeNumber, false), piece{literal: ` "`}, v("router", fIgnored, shapeAny, false),
			piece{literal: `" "`}, v("server", fUpstream, shapeToken, false), piece{literal: `" `}, v("duration", fMillis, shapeNumber, false), piece{literal: "ms"})
	}
	if err := l.assemble(pieces); err != nil {
		return nil, err
	}
	return l, l.check(o, "use format: common")
}

// newTraefikJSON makes the parser of Traefik's JSON access log. ClientAddr is
// the peer; ClientHost is what an X-Forwarded-For header says, if there is one.
func newTraefikJSON(o options) *jsonTree {
	t := newJSONTree("traefik:json", o)
	t.protocol, t.needs = "http", ", such as RequestMethod and DownstreamStatus"
	for path, v := range map[string]variable{
		"StartUTC":                 {field: fTimeAny},
		"ClientAddr":               {field: fRemoteAddr},
		"ClientUsername":           {field: fUser},
		"RequestMethod":            {field: fMethod},
		"RequestPath":              {field: fRequestURI},
		"RequestHost":              {field: fHost},
		"DownstreamStatus":         {field: fStatus},
		"DownstreamContentSize":    {field: fBytesOut},
		"RequestContentSize":       {field: fBytesIn},
		"Duration":                 {field: fNanos},
		"TLSVersion":               {field: fTLSVersion},
		"TLSCipher":                {field: fTLSCipher},
		"TLSClientSubject":         {field: fCertSubject},
		"ServiceAddr":              {field: fUpstream},
		"~request_User-Agent":      {field: fUserAgent},
		"~request_Referer":         {field: fReferer},
		"~request_X-Request-Id":    {field: fRequestID},
		"~request_X-Forwarded-For": {field: fForwarded},
	} {
		t.at(path, v)
	}
	t.locate(o, "~request_")
	t.carries.TLS = true
	start, host := t.see("StartLocal"), t.see("ClientHost")
	t.finish = func(b *audit.Batch, i int, g *values, raw *jsonRaw) bool {
		e := &b.Events[i]
		if e.Method.Empty() && e.Status == 0 {
			b.Reject(i, audit.ReasonSyntax, 1, "an access with RequestMethod and DownstreamStatus")
			return false
		}
		if !g.timed { // StartUTC can be left out of the fields
			g.set(e, &slot{variable: variable{field: fTimeAny}}, raw[start])
		}
		if len(e.Forwarded) == 0 && raw[host] != "" && raw[host] != e.PeerAddr.Reveal(access) {
			splitForwarded(e, raw[host])
		}
		return true
	}
	return t
}
