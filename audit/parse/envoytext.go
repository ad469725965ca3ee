package parse

import (
	"fmt"
	"strings"
)

// The format strings of Envoy's named text formats: its own default, and the
// one that Istio sets.
const (
	envoyDefault = `[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS%` +
		` %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%"` +
		` "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"`
	envoyIstio = `[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS%` +
		` %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%"` +
		` %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%"` +
		` "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS%` +
		` %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%`
)

// newEnvoyText compiles a named text format or a format string. Envoy escapes
// nothing in text: a header with a quote can imitate the rest of a line, so
// such lines are ambiguous.
func newEnvoyText(name, format string, o options) (*layout, error) {
	switch format {
	case "default":
		format = envoyDefault
	case "istio":
		format = envoyIstio
	}
	if !strings.Contains(format, "%") {
		return nil, unknownFormat("envoy:" + format)
	}
	format = strings.TrimSuffix(strings.TrimSuffix(format, "\n"), `\n`)
	l := &layout{name: name, what: "format string", sigil: "%", escape: escapeNone, mtls: true, timeHint: "a time such as 2006-01-02T15:04:05.000Z"}
	pieces, err := percentPieces(format, envoyVariable)
	if err != nil {
		return nil, err
	}
	if err := l.assemble(pieces); err != nil {
		return nil, err
	}
	return l, l.check(o, "add %START_TIME% to the format string")
}

// envoyVariable reads a command after its percent sign: COMMAND%,
// COMMAND(arguments):length%.
func envoyVariable(s string) ([]piece, string, error) {
	n := strings.IndexAny(s, "(%")
	if n >= 0 && s[n] == '(' {
		if end := strings.IndexByte(s, ')'); end > n {
			// START_TIME's own patterns have percent signs in the brackets.
			if next := strings.IndexByte(s[end:], '%'); next >= 0 {
				n = end + next
			} else {
				n = -1
			}
		}
	}
	if n < 0 {
		return nil, "", fmt.Errorf("format string: %%%s without its closing percent sign", firstWord(s))
	}
	v, err := envoyCommand(s[:n])
	if err != nil {
		return nil, "", err
	}
	return []piece{{slot: v}}, s[n+1:], nil
}

// envoyCommand says what a command stands for.
func envoyCommand(s string) (*slot, error) {
	name, arg, hasArg := strings.Cut(s, "(")
	if hasArg {
		arg = arg[:max(strings.LastIndexByte(arg, ')'), 0)]
	} else {
		name, _, _ = strings.Cut(name, ":")
	}
	v := &slot{name: s}
	switch name {
	case "START_TIME":
		v.variable = variable{field: fTimeAny, shape: shapeToken}
		if arg == "" {
			return v, nil
		}
		// The decimals that Envoy adds to strftime: %3f, %6f, %9f and %s.%3f.
		if base, fraction, ok := strings.Cut(arg, ".%"); ok && base == "%s" && strings.HasSuffix(fraction, "f") {
			return v, nil
		}
		f, err := newStrftime(arg)
		if err != nil {
			return nil, fmt.Errorf("format string: %w", err)
		}
		v = timeSlot(f)
		v.name = s
		return v, nil
	case "REQ":
		first, alt, _ := strings.Cut(arg, "?")
		v.variable = envoyHeader(strings.ToLower(first), strings.ToLower(alt))
		return v, nil
	case "RESP", "TRAILER":
		v.variable = variable{field: fIgnored}
		return v, nil
	case "DYNAMIC_METADATA", "CEL", "FILTER_STATE", "METADATA", "ENVIRONMENT", "COOKIE":
		v.variable = variable{field: fNamed, client: true, fieldName: strings.ToLower(name) + ":" + arg}
		return v, nil
	}
	known, ok := envoyVariables[name]
	if !ok {
		known = variable{field: fNamed, client: true, fieldName: strings.ToLower(name)}
	}
	v.variable = known
	return v, nil
}

// envoyHeader says what REQ(first?alt) fills.
func envoyHeader(first, alt string) variable {
	switch first {
	case ":method":
		return variable{field: fMethod, shape: shapeToken, client: true}
	case ":path", "x-envoy-original-path":
		return variable{field: fRequestURI, client: true}
	case ":scheme":
		return variable{shape: shapeToken, client: true}
	case "":
		return headerVariable(alt)
	}
	return headerVariable(first)
}

// envoyVariables are the commands that have a place in an event, and those
// that say nothing about an access.
var envoyVariables = map[string]variable{
	"PROTOCOL": {field: fProtocol, shape: shapeVersion}, "RESPONSE_CODE": {field: fStatus, shape: shapeNumber},
	"RESPONSE_FLAGS": {field: fFlags, shape: shapeToken}, "RESPONSE_FLAGS_LONG": {shape: shapeToken},
	"RESPONSE_CODE_DETAILS": {shape: shapeToken}, "CONNECTION_TERMINATION_DETAILS": {}, "UPSTREAM_TRANSPORT_FAILURE_REASON": {},
	"BYTES_RECEIVED": {field: fBytesIn, shape: shapeNumber}, "BYTES_SENT": {field: fBytesOut, shape: shapeNumber},
	"DURATION": {field: fMillis, shape: shapeNumber}, "REQUEST_DURATION": {shape: shapeNumber}, "RESPONSE_DURATION": {shape: shapeNumber},
	"RESPONSE_TX_DURATION": {shape: shapeNumber}, "UPSTREAM_HOST": {field: fUpstream, shape: shapeToken}, "UPSTREAM_REMOTE_ADDRESS": {field: fUpstream, shape: shapeToken},
	"UPSTREAM_CLUSTER": {shape: shapeToken}, "UPSTREAM_CLUSTER_RAW": {shape: shapeToken}, "UPSTREAM_LOCAL_ADDRESS": {shape: shapeToken},
	"DOWNSTREAM_LOCAL_ADDRESS": {shape: shapeToken}, "DOWNSTREAM_REMOTE_ADDRESS": {field: fRemoteAddr, shape: shapeAddr},
	"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT": {field: fRemoteAddr, shape: shapeAddr}, "DOWNSTREAM_DIRECT_REMOTE_ADDRESS": {field: fRealip, shape: shapeAddr},
	"DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT": {field: fRealip, shape: shapeAddr}, "REQUESTED_SERVER_NAME": {field: fSNI, shape: shapeToken, client: true},
	"ROUTE_NAME": {}, "DOWNSTREAM_TLS_VERSION": {field: fTLSVersion, shape: shapeToken}, "DOWNSTREAM_TLS_CIPHER": {field: fTLSCipher, shape: shapeToken},
	"DOWNSTREAM_PEER_SUBJECT": {field: fCertSubject, client: true}, "DOWNSTREAM_PEER_URI_SAN": {field: fCertSAN, client: true},
	"DOWNSTREAM_PEER_DNS_SAN": {field: fCertSAN, client: true}, "DOWNSTREAM_PEER_FINGERPRINT_256": {field: fCertHash, shape: shapeToken},
	"HOSTNAME": {shape: shapeToken}, "STREAM_ID": {shape: shapeToken}, "CONNECTION_ID": {shape: shapeNumber}, "ACCESS_LOG_TYPE": {shape: shapeToken},
}
