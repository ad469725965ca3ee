package parse

import (
	"fmt"
	"strings"
)

// The LogFormat strings of the named Apache formats, as they stand in the
// configuration that the server is shipped with.
const (
	apacheCommon   = `%h %l %u %t "%r" %>s %b`
	apacheCombined = apacheCommon + ` "%{Referer}i" "%{User-Agent}i"`
	apacheVhost    = `%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i"`
)

// newApache compiles a named format or a LogFormat string. Apache escapes
// quotes and what is not printable with a backslash (ap_escape_logitem).
func newApache(name, format string, o options) (*layout, error) {
	switch format {
	case "common":
		format = apacheCommon
	case "combined":
		format = apacheCombined
	case "vhost_combined":
		format = apacheVhost
	}
	if !strings.Contains(format, "%") {
		return nil, unknownFormat("apache:" + format)
	}
	format = directive(format, "LogFormat ")
	l := &layout{name: name, what: "LogFormat", sigil: "%", protocol: "http", timeHint: clfTimeHint, escape: escapeBackslash, utf8: true}
	pieces, err := percentPieces(format, apacheVariable)
	if err != nil {
		return nil, err
	}
	if err := l.assemble(pieces); err != nil {
		return nil, err
	}
	return l, l.check(o, "add %t to the LogFormat")
}

// directive takes the string out of a line of httpd.conf: the word, the string
// in quotes with \" in it, a name. Without the word and the quotes it is taken
// as it is.
func directive(s, word string) string {
	s = strings.TrimSpace(s)
	rest, ok := strings.CutPrefix(s, word)
	if s = strings.TrimSpace(rest); ok && strings.HasPrefix(s, `"`) {
		if end := quoteEnd(s[1:], escapeBackslash); end >= 0 {
			s = s[1 : 1+end]
		}
	}
	return strings.ReplaceAll(s, `\"`, `"`)
}

// apacheVariable reads a directive after its percent sign: status conditions,
// < or >, an argument in braces and the letter.
func apacheVariable(s string) ([]piece, string, error) {
	i := 0
	for i < len(s) && strings.IndexByte("!0123456789,<>", s[i]) >= 0 {
		i++
	}
	arg := ""
	if i < len(s) && s[i] == '{' {
		end := strings.IndexByte(s[i:], '}')
		if end < 0 {
			return nil, "", fmt.Errorf("LogFormat: %%{ without }")
		}
		arg = s[i+1 : i+end]
		i += end + 1
	}
	n := 1
	if i < len(s) && s[i] == '^' {
		n = 3
	}
	if i+n > len(s) {
		return nil, "", fmt.Errorf("LogFormat: a percent sign without a directive")
	}
	v, err := apacheDirective(s[i:i+n], arg)
	if err != nil {
		return nil, "", err
	}
	v.name = s[:i+n]
	if v.field == fTimeLocal { // %t writes its own brackets
		return []piece{{literal: "["}, {slot: v}, {literal: "]"}}, s[i+n:], nil
	}
	return []piece{{slot: v}}, s[i+n:], nil
}

// apacheDirective says what a directive stands for.
func apacheDirective(letter, arg string) (*slot, error) {
	switch letter {
	case "t":
		return apacheTime(arg)
	case "i", "o", "e", "n", "C", "x", "^ti", "^to":
		return &slot{variable: apacheNamed(letter, arg)}, nil
	case "a":
		if arg == "c" {
			return &slot{variable: variable{field: fRealip, shape: shapeAddr}}, nil
		}
	case "p":
		if arg == "remote" {
			return &slot{variable: variable{field: fRemotePort, shape: shapeNumber}}, nil
		}
	case "T":
		switch arg {
		case "ms":
			return &slot{variable: variable{field: fMillis, shape: shapeSigned}}, nil
		case "us":
			return &slot{variable: variable{field: fMicros, shape: shapeSigned}}, nil
		}
	}
	v, ok := apacheVariables[letter]
	if !ok {
		return nil, fmt.Errorf("LogFormat: the directive %%%s is unknown", letter)
	}
	return &slot{variable: v}, nil
}

// apacheTime compiles %t and its formats.
func apacheTime(arg string) (*slot, error) {
	arg = strings.TrimPrefix(strings.TrimPrefix(arg, "begin:"), "end:")
	switch arg {
	case "":
		return &slot{variable: variable{field: fTimeLocal, shape: shapeTimeLocal}}, nil
	case "sec":
		return &slot{variable: variable{field: fEpoch, shape: shapeNumber}}, nil
	case "msec", "usec":
		return &slot{variable: variable{field: fTimeAny, shape: shapeNumber}}, nil
	case "msec_frac":
		return &slot{variable: variable{field: fFraction, shape: shapeFixed}, width: 3}, nil
	case "usec_frac":
		return &slot{variable: variable{field: fFraction, shape: shapeFixed}, width: 6}, nil
	}
	s, err := newStrftime(arg)
	if err != nil {
		return nil, fmt.Errorf("LogFormat: %w", err)
	}
	return timeSlot(s), nil
}

// timeSlot is a slot for a time pattern.
func timeSlot(s *strftime) *slot {
	f := fTimeStrf
	if s.zoneOnly() {
		f = fTimeZone
	}
	return &slot{variable: variable{field: f, shape: shapeFixed}, width: s.width, strf: s}
}

// apacheNamed says what a header, cookie, note or TLS variable fills.
func apacheNamed(letter, arg string) variable {
	lower := strings.ToLower(arg)
	switch letter {
	case "i":
		return headerVariable(lower)
	case "C":
		if strings.Contains(lower, "sess") {
			return variable{field: fSession, client: true}
		}
		return variable{field: fNamed, client: true, fieldName: arg}
	case "x":
		switch arg {
		case "SSL_PROTOCOL":
			return variable{field: fTLSVersion}
		case "SSL_CIPHER":
			return variable{field: fTLSCipher}
		case "SSL_TLS_SNI":
			return variable{field: fSNI, client: true}
		case "SSL_CLIENT_VERIFY":
			return variable{field: fCertVerify}
		case "SSL_CLIENT_S_DN":
			return variable{field: fCertSubject, client: true}
		}
	case "e":
		if arg == "UNIQUE_ID" {
			return variable{field: fRequestID}
		}
	}
	return variable{field: fNamed, client: true, fieldName: arg}
}

// headerVariable says what a request header, in lower case, fills.
func headerVariable(name string) variable {
	switch name {
	case "referer":
		return variable{field: fReferer, client: true}
	case "user-agent":
		return variable{field: fUserAgent, client: true}
	case "x-forwarded-for":
		return variable{field: fForwarded, client: true}
	case "host", ":authority":
		return variable{field: fHost, client: true}
	case "x-request-id":
		return variable{field: fRequestID, client: true}
	}
	return variable{field: fNamed, client: true, fieldName: "header:" + name}
}

// apacheVariables are the directives without an argument. A duration is the
// difference of two times of day, below zero if the clock was set back meanwhile.
var apacheVariables = map[string]variable{
	"h": {field: fRemoteAddr, shape: shapeAddr},
	"a": {field: fRemoteAddr, shape: shapeAddr},
	"A": {shape: shapeAddr},
	"l": {shape: shapeToken, client: true},
	"u": {field: fUser, client: true},
	"r": {field: fRequest, client: true},
	"s": {field: fStatus, shape: shapeNumber},
	"b": {field: fBytesOut, shape: shapeNumber},
	"B": {field: fBytesOut, shape: shapeNumber},
	"O": {field: fBytesOut, shape: shapeNumber},
	"I": {field: fBytesIn, shape: shapeNumber},
	"S": {shape: shapeNumber},
	"D": {field: fMicros, shape: shapeSigned},
	"T": {field: fSeconds, shape: shapeSeconds},
	"m": {field: fMethod, client: true},
	"U": {field: fURI, client: true},
	"q": {field: fArgs, client: true},
	"H": {shape: shapeToken},
	"v": {field: fServerName, shape: shapeToken},
	"V": {field: fHost, shape: shapeToken, client: true},
	"p": {shape: shapeNumber},
	"f": {client: true},
	"k": {shape: shapeNumber},
	"L": {shape: shapeToken},
	"P": {shape: shapeNumber},
	"R": {},
	"X": {field: fNamed, shape: shapeToken, fieldName: "connection_status"},
}

var _ Parser = (*layout)(nil)
