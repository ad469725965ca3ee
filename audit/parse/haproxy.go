package parse

import (
	"fmt"
	"strings"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/plain"
)

// The log-format strings of the named HAProxy formats (configuration manual
// 8.2). clf ends with the captures in quotes, so its last variable takes the
// rest of the line.
const (
	haproxyHTTP  = `%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r`
	haproxyHTTPS = haproxyHTTP + ` %[fc_err]/%[ssl_fc_err,hex]/%[ssl_c_err]/%[ssl_c_ca_err]/%[ssl_fc_is_resumed] %[ssl_fc_sni]/%sslv/%sslc`
	haproxyTCP   = `%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq`
	haproxyCLF   = `%ci - - [%trg] %{+Q}r %ST %B "" "" %cp %ms %{+Q}ft %{+Q}b %{+Q}s %TR %Tw %Tc %Tr %Ta %tsc %ac %fc %bc %sc %rc %sq %bq %{+Q}CC %{+Q}CS %hrl`
)

// newHAProxy compiles a named format or a log-format string. HAProxy escapes
// what is not printable, # and " as #NN.
func newHAProxy(name, format string, o options) (*layout, error) {
	protocol := "http"
	switch format {
	case "http":
		format = haproxyHTTP
	case "https":
		format = haproxyHTTPS
	case "tcp":
		format, protocol = haproxyTCP, "tcp"
	case "clf":
		format = haproxyCLF
	}
	if !strings.Contains(format, "%") {
		return nil, unknownFormat("haproxy:" + format)
	}
	format = strings.TrimSpace(directive(format, "log-format "))
	if strings.Contains(format, "+json") || strings.Contains(format, "+cbor") {
		return nil, &text.Hint{Err: fmt.Errorf("log-format: it makes JSON or CBOR itself"), Hint: "use haproxy:json, or json:FILE.yaml with your names"}
	}
	l := &layout{name: name, what: "log-format", sigil: "%", protocol: protocol, escape: escapeHash, tail: true, record: 1024,
		timeHint: "a time such as 02/Jan/2006:15:04:05.000"}
	pieces, err := haproxyPieces(format)
	if err != nil {
		return nil, err
	}
	if err := l.assemble(pieces); err != nil {
		return nil, err
	}
	l.fallback = haproxyFailed
	return l, l.check(o, "add %tr to the log-format")
}

// haproxyFailed reads ADDRESS:PORT [TIME] FRONTEND/BIND: MESSAGE, which stands
// for a connection that did not come to a request, such as a failed TLS
// handshake.
func haproxyFailed(l *layout, b *audit.Batch, i int, line string, offset int) bool {
	addr, rest, ok := strings.Cut(line, " [")
	if !ok || strings.IndexByte(addr, ' ') >= 0 {
		return false
	}
	when, rest, ok := strings.Cut(rest, "] ")
	if !ok || len(when) > 30 {
		return false
	}
	where, message, ok := strings.Cut(rest, ": ")
	if !ok || strings.IndexByte(where, ' ') >= 0 || strings.IndexByte(where, '/') < 0 {
		return false
	}
	t, timeOK := clockTime(when, l.loc)
	if !setTime(b, i, t, timeOK, offset+len(addr)+3, l.timeHint) {
		return true
	}
	e := &b.Events[i]
	e.Protocol, e.TimeQuality, e.Auth = "tcp", audit.TimeAssumed, "none"
	e.ParseStatus = audit.ParsePartial
	if c := strings.LastIndexByte(addr, ':'); c >= 0 {
		splitAddr(e, addr[:c])
		if n, ok := parseUint(addr[c+1:]); ok && n < 1<<16 {
			e.PeerPort = uint16(n)
		}
	}
	addField(e, "connection_error", message)
	return true
}

// haproxyPieces splits a log-format string: %var, %{flags}var, %[expression],
// %(name)var; %{+Q}o sets flags for all that follow.
func haproxyPieces(s string) ([]piece, error) {
	var pieces []piece
	var always string
	for s != "" {
		at := strings.IndexByte(s, '%')
		if at < 0 {
			return append(pieces, piece{literal: s}), nil
		}
		if at > 0 {
			pieces = append(pieces, piece{literal: strings.ReplaceAll(s[:at], `\ `, " ")})
		}
		s = s[at+1:]
		if strings.HasPrefix(s, "%") {
			pieces, s = append(pieces, piece{literal: "%"}), s[1:]
			continue
		}
		var flags string
		for strings.HasPrefix(s, "{") || strings.HasPrefix(s, "(") {
			end := strings.IndexAny(s, "})")
			if end < 0 {
				return nil, fmt.Errorf("log-format: %%%c without its end", s[0])
			}
			if s[0] == '{' {
				flags = s[1:end]
			}
			s = s[end+1:]
		}
		name, rest, err := haproxyName(s)
		if err != nil {
			return nil, err
		}
		if s = rest; name == "o" {
			always = flags
			s = strings.TrimLeft(s, " ")
			continue
		}
		quote := strings.Contains(flags, "+Q") || strings.Contains(always, "+Q") && !strings.Contains(flags, "-Q")
		pieces = appendHAProxy(pieces, name, quote)
	}
	return pieces, nil
}

// haproxyName reads the name of a variable, or [expression] with its brackets.
func haproxyName(s string) (name, rest string, err error) {
	if strings.HasPrefix(s, "[") {
		depth := 0
		for i := range len(s) {
			switch s[i] {
			case '[', '(':
				depth++
			case ']', ')':
				depth--
			}
			if depth == 0 {
				return s[:i+1], s[i+1:], nil
			}
		}
		return "", "", fmt.Errorf("log-format: %%[ without ]")
	}
	n := 0
	for n < len(s) && (s[n] >= 'a' && s[n] <= 'z' || s[n] >= 'A' && s[n] <= 'Z') {
		n++
	}
	if n == 0 {
		return "", "", fmt.Errorf("log-format: a percent sign without a variable")
	}
	return s[:n], s[n:], nil
}

// appendHAProxy adds a variable, in quotes where HAProxy writes them.
func appendHAProxy(pieces []piece, name string, quote bool) []piece {
	v, ok := haproxyVariables[name]
	if !ok {
		v = variable{field: fNamed, fieldName: name, client: true}
	}
	if strings.HasPrefix(name, "[") {
		v = haproxySample(name[1 : len(name)-1])
	}
	// Samples are written as they come, without the escapes of the variables.
	s := &slot{variable: v, name: name, raw: strings.HasPrefix(name, "[") && v.client}
	switch name {
	case "CC":
		s.cookie = true
	case "ts":
		s.width = 2
	case "tsc":
		s.width = 4
	}
	if quote && !haproxyBare[v.shape] && v.field != fTimeClock {
		return append(pieces, piece{literal: `"`}, piece{slot: s}, piece{literal: `"`})
	}
	return append(pieces, piece{slot: s})
}

// haproxyBare are the shapes that +Q puts no quotes around.
var haproxyBare = map[shape]bool{shapeNumber: true, shapeSigned: true, shapeSeconds: true, shapeTimeLocal: true, shapeFixed: true, shapeBlock: true}

// haproxySample says what a sample expression fills.
func haproxySample(expression string) variable {
	fetch, _, _ := strings.Cut(expression, ",")
	name, arg, _ := strings.Cut(fetch, "(")
	arg = strings.Trim(strings.TrimSuffix(arg, ")"), `"' `)
	switch name {
	case "ssl_fc_sni":
		return variable{field: fSNI, client: true}
	case "ssl_fc_protocol":
		return variable{field: fTLSVersion}
	case "ssl_fc_cipher":
		return variable{field: fTLSCipher}
	case "ssl_c_s_dn":
		return variable{field: fCertSubject, client: true}
	case "ssl_c_sha1", "ssl_c_der":
		return variable{field: fCertHash}
	case "src":
		return variable{field: fRemoteAddr, shape: shapeAddr}
	case "unique":
		return variable{field: fRequestID}
	case "req.hdr", "req.fhdr", "hdr", "capture.req.hdr", "http_req_hdr":
		if digits(arg, 0, len(arg)) < 0 {
			return headerVariable(strings.ToLower(arg))
		}
		return variable{field: fNamed, client: true, fieldName: fetch}
	case "http_auth_user", "auth.user":
		return variable{field: fUser, client: true}
	case "fc_err", "ssl_fc_err", "ssl_c_err", "ssl_c_ca_err", "ssl_fc_is_resumed":
		return variable{shape: shapeToken}
	}
	return variable{field: fNamed, client: true, fieldName: fetch}
}

// haproxyVariables are the variables of log-format.
var haproxyVariables = map[string]variable{
	"ci": {field: fRemoteAddr, shape: shapeAddr}, "cp": {field: fRemotePort, shape: shapeNumber},
	"t": {field: fTimeClock, shape: shapeToken}, "tr": {field: fTimeClock, shape: shapeToken},
	"trg": {field: fTimeLocal, shape: shapeTimeLocal}, "trl": {field: fTimeLocal, shape: shapeTimeLocal},
	"T": {field: fTimeLocal, shape: shapeTimeLocal}, "Tl": {field: fTimeLocal, shape: shapeTimeLocal},
	"Ts": {field: fEpoch, shape: shapeNumber}, "ms": {field: fFraction, shape: shapeNumber},
	"f": {field: fNamed, shape: shapeToken, fieldName: "frontend"}, "ft": {field: fNamed, shape: shapeToken, fieldName: "frontend"},
	"b": {field: fNamed, shape: shapeToken, fieldName: "backend"}, "s": {field: fUpstream, shape: shapeToken},
	"bi": {shape: shapeAddr}, "bp": {shape: shapeNumber}, "si": {shape: shapeAddr}, "sp": {shape: shapeNumber},
	"fi": {shape: shapeAddr}, "fp": {shape: shapeNumber}, "H": {shape: shapeToken}, "pid": {shape: shapeNumber},
	"TR": {shape: shapeSigned}, "Tw": {shape: shapeSigned}, "Tc": {shape: shapeSigned}, "Tr": {shape: shapeSigned}, "Th": {shape: shapeSigned},
	"Ti": {shape: shapeSigned}, "Tq": {shape: shapeSigned}, "Td": {shape: shapeSigned}, "Tu": {shape: shapeSigned},
	"Ta": {field: fMillis, shape: shapeSigned}, "Tt": {field: fMillis, shape: shapeSigned},
	"ST": {field: fStatus, shape: shapeSigned}, "B": {field: fBytesOut, shape: shapeSigned}, "U": {field: fBytesIn, shape: shapeSigned},
	"CC": {field: fSession, client: true}, "CS": {shape: shapeToken},
	"ts": {field: fTermination, shape: shapeFixed}, "tsc": {field: fTermination, shape: shapeFixed},
	"ac": {shape: shapeSigned}, "fc": {shape: shapeSigned}, "bc": {shape: shapeSigned}, "sc": {shape: shapeSigned}, "rc": {shape: shapeSigned},
	"sq": {shape: shapeSigned}, "bq": {shape: shapeSigned}, "lc": {shape: shapeSigned}, "rt": {shape: shapeSigned},
	"hr": {field: fCaptures, shape: shapeBlock}, "hs": {shape: shapeBlock}, "hrl": {field: fCaptures}, "hsl": {},
	"r": {field: fRequest, client: true}, "HM": {field: fMethod, client: true}, "HU": {field: fRequestURI, client: true}, "HP": {field: fURI, client: true},
	"HPO": {field: fURI, client: true}, "HQ": {field: fArgs, client: true}, "HV": {shape: shapeToken, client: true},
	"ID": {field: fRequestID, client: true}, "sslv": {field: fTLSVersion, shape: shapeToken}, "sslc": {field: fTLSCipher, shape: shapeToken},
	"E": {},
}

// addCaptures makes the fields capture.0, capture.1... of HAProxy's captured
// headers: {a|b}, or quoted ones in a row.
func addCaptures(e *audit.Event, s string) {
	s = strings.TrimSpace(s)
	quoted := strings.HasPrefix(s, `"`)
	if !quoted {
		s = strings.TrimSuffix(strings.TrimPrefix(s, "{"), "}")
	}
	for n := 0; n < len(captureNames); n++ {
		var v string
		more := false
		if quoted {
			if !strings.HasPrefix(s, `"`) {
				return
			}
			v, s, _ = strings.Cut(s[1:], `"`)
			s = strings.TrimPrefix(s, " ")
			more = s != ""
		} else {
			v, s, more = strings.Cut(s, "|")
		}
		if v != "" && v != "-" {
			e.Fields = append(e.Fields, audit.Field{Name: captureNames[n], Value: plain.New(unescapeHash(v))})
		}
		if !more {
			return
		}
	}
}

// captureNames are the fields of captured headers, in the order of their
// declaration.
var captureNames = [...]string{"capture.0", "capture.1", "capture.2", "capture.3", "capture.4", "capture.5", "capture.6", "capture.7",
	"capture.8", "capture.9", "capture.10", "capture.11"}
