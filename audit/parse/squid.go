package parse

import (
	"fmt"
	"strings"

	"github.com/tallystick/tallystick/audit"
)

// The logformat strings of the named Squid formats, which are built in.
// %protocol stands for HTTP/%rv: a connection without a request has NONE/0.0.
const (
	squidNative   = `%ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %[un %Sh/%<a %mt`
	squidCommon   = `%>a - %[un [%tl] "%rm %ru HTTP/%rv" %>Hs %<st %Ss:%Sh`
	squidCombined = `%>a - %[un [%tl] "%rm %ru HTTP/%rv" %>Hs %<st "%{Referer}>h" "%{User-Agent}>h" %Ss:%Sh`
)

// squidRecord is how long a record may be: Squid cuts longer ones there, and
// their line end with it, so that the next record follows on the same line.
const squidRecord = 8191

// squid parses one logformat string.
type squid struct{ *layout }

// newSquid compiles a named format or a logformat string. Squid escapes quotes
// between quotes in a logformat of the operator's own; its built-in common and
// combined escape nothing.
func newSquid(name, format string, o options) (*squid, error) {
	l := &layout{name: name, what: "logformat", sigil: "%", protocol: "http", escape: escapeBackslash, record: squidRecord,
		timeHint: "a time such as 1795221548.201 or 02/Jan/2006:15:04:05 -0700"}
	switch format {
	case "squid":
		format = squidNative
	case "common":
		format, l.escape = squidCommon, escapeNone
	case "combined":
		format, l.escape = squidCombined, escapeNone
	}
	if !strings.Contains(format, "%") {
		return nil, unknownFormat("squid:" + format)
	}
	if rest, ok := strings.CutPrefix(strings.TrimSpace(format), "logformat "); ok {
		_, format, _ = strings.Cut(strings.TrimSpace(rest), " ")
	}
	pieces, err := percentPieces(strings.ReplaceAll(format, "HTTP/%rv", "%protocol"), squidVariable)
	if err != nil {
		return nil, err
	}
	if err := l.assemble(pieces); err != nil {
		return nil, err
	}
	return &squid{l}, l.check(o, "add %ts.%03tu to the logformat")
}

// Parse implements Parser.
func (s *squid) Parse(b *audit.Batch, i int) {
	second := squidSecond(b.Lines[i].Text.Reveal(access))
	line, e, ok := beginAfter(b, i, s.name, false, second)
	if !ok {
		return
	}
	// A line has one event: where two records stand in it, it is the whole one
	// at the end. That a cut one stands before it keeps it from being evidence
	// for an allowed access.
	work := s.take()
	ok = work.parse(b, i, e, line, second)
	s.scratch.Put(work)
	if ok && second > 0 {
		e.ParseStatus, e.Integrity = audit.ParseTruncated, audit.IntegrityTruncated
		addField(e, "glued", "after a record that was cut at 8191 bytes")
	}
}

// squidSecond is where a second record begins on a line, 0 if there is none.
// Where the first was cut, Squid leaves a NUL in the place of its line end.
func squidSecond(line string) int {
	if len(line) <= squidRecord+1 {
		return 0
	}
	at := squidRecord
	if line[at] == 0 {
		at++
	}
	return at
}

// squidVariable reads a code after its percent sign:
// %[encoding][-][[0]width][{argument}]code[{argument}].
func squidVariable(s string) ([]piece, string, error) {
	whole := s
	s = strings.TrimLeft(s, `"[#'/`)
	n := 0
	for n < len(s) && (s[n] == '-' || s[n] >= '0' && s[n] <= '9') {
		n++
	}
	width := s[:n]
	s = s[n:]
	arg := ""
	braces := func() error {
		if !strings.HasPrefix(s, "{") {
			return nil
		}
		end := strings.IndexByte(s, '}')
		if end < 0 {
			return fmt.Errorf("logformat: %%{ without }")
		}
		arg, s = s[1:end], s[end+1:]
		return nil
	}
	if err := braces(); err != nil {
		return nil, "", err
	}
	code := ""
	for _, c := range squidCodes {
		if strings.HasPrefix(s, c) {
			code = c
			break
		}
	}
	if code == "" {
		return nil, "", fmt.Errorf("logformat: the code after the percent sign at %q is unknown", firstWord(whole))
	}
	s = s[len(code):]
	if arg == "" && squidTakesArgument[code] {
		if err := braces(); err != nil {
			return nil, "", err
		}
	}
	v := &slot{variable: squidVariables[code]}
	switch {
	case code == ">h" && arg != "":
		v.variable = headerVariable(strings.ToLower(strings.SplitN(arg, ":", 2)[0]))
	case code == "note" || code == "<h" || code == "adapt::<last_h" || code == "ea":
		v.fieldName = arg
		if arg == "" {
			v.field = fIgnored
		}
	case (code == "tl" || code == "tg") && arg != "":
		f, err := newStrftime(arg)
		if err != nil {
			return nil, "", fmt.Errorf("logformat: %w", err)
		}
		v = timeSlot(f)
	}
	v.padded = v.padded || width != "" && !strings.HasPrefix(width, "0")
	v.name = whole[:len(whole)-len(s)]
	return []piece{{slot: v}}, s, nil
}

// firstWord is the beginning of a configured string up to a blank.
func firstWord(s string) string {
	w, _, _ := strings.Cut(s, " ")
	return w
}

// squidCodes are the codes, longer ones before their beginnings.
var squidCodes = []string{"protocol", "err_code", "err_detail", "note", "tls_version", "ssl::>sni", "ssl::>cert_subject", "ssl::>negotiated_version",
	"ssl::>negotiated_cipher", "ssl::bump_mode", "master_xaction", "transport::", "credentials", ">eui", ">Hs", "<Hs", ">sh", "<sh", ">st", "<st", ">rm", "<rm", ">ru",
	"<ru", ">rP", ">rd", ">rv", "<rv", ">la", ">lp", "<la", "<lp", "<tt", "<pt", "<bs", ">a", "<a", "<A", ">A", ">p", "<p", ">h", "<h", "Ss", "Sh", "Hs", "la", "lp",
	"mt", "rm", "ru", "rp", "rv", "st", "tl", "tg", "tr", "ts", "tu", "dt", "un", "ul", "ui", "ue", "us", "et", "sn", "ea", "ei"}

var squidTakesArgument = map[string]bool{">h": true, "<h": true, "tl": true, "tg": true, "note": true}

// squidVariables are the codes that say something about an access.
var squidVariables = map[string]variable{
	"protocol": {field: fProtocol, shape: shapeVersion}, "err_code": {shape: shapeToken}, "err_detail": {shape: shapeToken},
	"note": {field: fNamed, client: true}, "<h": {field: fNamed}, "ea": {field: fNamed},
	"tls_version": {field: fTLSVersion}, "ssl::>sni": {field: fSNI, client: true}, "ssl::>cert_subject": {field: fCertSubject, client: true},
	"ssl::>negotiated_version": {field: fTLSVersion}, "ssl::>negotiated_cipher": {field: fTLSCipher},
	"ts": {field: fEpoch, shape: shapeNumber}, "tu": {field: fFraction, shape: shapeNumber},
	"tl": {field: fTimeLocal, shape: shapeTimeLocal}, "tg": {field: fTimeLocal, shape: shapeTimeLocal},
	"tr": {field: fMillis, shape: shapeSigned}, "dt": {shape: shapeToken}, "<tt": {shape: shapeSigned}, "<pt": {shape: shapeSigned},
	">a": {field: fRemoteAddr, shape: shapeAddr}, ">p": {field: fRemotePort, shape: shapeNumber}, ">A": {shape: shapeToken},
	"<a": {field: fUpstream, shape: shapeAddr}, "<A": {field: fUpstream, shape: shapeToken}, "<p": {shape: shapeNumber},
	"la": {shape: shapeAddr}, "lp": {shape: shapeNumber}, ">la": {shape: shapeAddr}, ">lp": {shape: shapeNumber}, "<la": {shape: shapeAddr}, "<lp": {shape: shapeNumber},
	"Ss": {field: fResult, shape: shapeToken}, "Sh": {shape: shapeToken},
	"Hs": {field: fStatus, shape: shapeNumber}, ">Hs": {field: fStatus, shape: shapeNumber}, "<Hs": {shape: shapeNumber},
	"<st": {field: fBytesOut, shape: shapeNumber}, "st": {field: fBytesOut, shape: shapeNumber}, ">st": {field: fBytesIn, shape: shapeNumber},
	">sh": {shape: shapeNumber}, "<sh": {shape: shapeNumber}, "<bs": {shape: shapeNumber},
	"rm": {field: fMethod, shape: shapeToken, client: true}, ">rm": {field: fMethod, shape: shapeToken, client: true}, "<rm": {shape: shapeToken, client: true},
	"ru": {field: fRequestURI, shape: shapeToken, client: true}, ">ru": {field: fRequestURI, shape: shapeToken, client: true}, "<ru": {shape: shapeToken, client: true},
	"rp": {field: fURI, shape: shapeToken, client: true}, "rv": {shape: shapeToken}, ">rv": {shape: shapeToken}, "<rv": {shape: shapeToken},
	">rd": {field: fHost, shape: shapeToken, client: true}, ">rP": {shape: shapeToken},
	"un": {field: fUser, client: true}, "ul": {field: fUser, client: true}, "us": {field: fUser, client: true}, "ui": {client: true}, "ue": {field: fUser, client: true},
	">h": {client: true}, "mt": {shape: shapeToken}, "et": {shape: shapeToken}, "sn": {shape: shapeToken},
	"credentials": {client: true}, "master_xaction": {shape: shapeToken}, "ssl::bump_mode": {shape: shapeToken}, ">eui": {shape: shapeToken},
}
