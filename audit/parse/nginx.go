package parse

import (
	"fmt"
	"strings"

	"github.com/tallystick/tallystick/internal/text"
)

// The log_format strings of the named nginx formats. combined is built into
// nginx, main is in the configuration of the official packages and ingress is
// upstreaminfo of ingress-nginx.
const (
	nginxCombined = `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"`
	nginxMain     = nginxCombined + ` "$http_x_forwarded_for"`
	nginxVhost    = `$host ` + nginxCombined
	nginxIngress  = nginxCombined + ` $request_length $request_time [$proxy_upstream_name] [$proxy_alternative_upstream_name]` +
		` $upstream_addr $upstream_response_length $upstream_response_time $upstream_status $req_id`
)

// newNginx compiles a named format or a log_format string.
func newNginx(name, format string, o options) (*layout, error) {
	switch format {
	case "combined":
		format = nginxCombined
	case "main":
		format = nginxMain
	case "vhost":
		format = nginxVhost
	case "ingress":
		format = nginxIngress
	}
	if !strings.Contains(format, "$") {
		return nil, unknownFormat("nginx:" + format)
	}
	f, escape, err := logFormat(format)
	if err != nil {
		return nil, err
	}
	// escape=default leaves only ASCII; escape=json copies the client's bytes.
	n := &layout{name: name, what: "log_format", sigil: "$", protocol: "http", timeHint: clfTimeHint, utf8: true}
	if escape == "json" {
		n.escape, n.utf8 = escapeJSON, false
	}
	pieces, err := nginxPieces(f)
	if err != nil {
		return nil, err
	}
	if err := n.assemble(pieces); err != nil {
		return nil, err
	}
	return n, n.check(o, "add $time_iso8601 to the log_format")
}

// clfTimeHint says what a time in the common log format looks like.
const clfTimeHint = "a time such as 02/Jan/2006:15:04:05 -0700"

// logFormat takes the string out of a log_format directive as it stands in
// nginx.conf. A string without the directive is taken as it is; escape=json
// may stand before it.
func logFormat(s string) (format, escape string, err error) {
	escape = "default"
	s = strings.TrimSpace(s)
	directive := false
	if rest, ok := strings.CutPrefix(s, "log_format "); ok {
		_, s, _ = strings.Cut(strings.TrimSpace(rest), " ")
		directive = true
	}
	if rest, ok := strings.CutPrefix(strings.TrimSpace(s), "escape="); ok {
		escape, s, _ = strings.Cut(rest, " ")
	}
	if escape != "default" && escape != "json" {
		return "", "", &text.Hint{
			Err:  fmt.Errorf("log_format with escape=%s: its lines can be forged by any client", escape),
			Hint: "use escape=json or escape=default in nginx.conf",
		}
	}
	if s = strings.TrimSpace(s); !directive && !strings.HasPrefix(s, "'") {
		return s, escape, nil
	}
	var b strings.Builder
	for s = strings.TrimSuffix(s, ";"); strings.TrimSpace(s) != ""; {
		s = strings.TrimSpace(s)
		q := s[0]
		end := -1
		if q == '\'' || q == '"' {
			end = strings.IndexByte(s[1:], q)
		}
		if end < 0 {
			return "", "", fmt.Errorf("log_format: a quoted string is missing its end")
		}
		b.WriteString(s[1 : 1+end])
		s = s[end+2:]
	}
	return b.String(), escape, nil
}

// nginxPieces splits a log_format string.
func nginxPieces(s string) ([]piece, error) {
	at := strings.IndexByte(s, '$')
	pieces := []piece{{literal: s[:at]}}
	for s = s[at:]; s != ""; {
		name, rest, err := variableName(s[1:])
		if err != nil {
			return nil, err
		}
		v := &slot{variable: nginxVariable(name), name: name}
		if v.shape == shapeTimeLocal {
			v.width = localTimeLen
		}
		lit := rest
		if d := strings.IndexByte(rest, '$'); d >= 0 {
			lit = rest[:d]
		}
		pieces = append(pieces, piece{slot: v}, piece{literal: lit})
		s = rest[len(lit):]
	}
	return pieces, nil
}

// variableName reads the name after a dollar sign, also in braces.
func variableName(s string) (name, rest string, err error) {
	if in, ok := strings.CutPrefix(s, "{"); ok {
		name, rest, ok = strings.Cut(in, "}")
		if !ok {
			return "", "", fmt.Errorf("log_format: ${ without }")
		}
		return name, rest, nil
	}
	end := strings.IndexFunc(s, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
	if end < 0 {
		end = len(s)
	}
	if end == 0 {
		return "", "", fmt.Errorf("log_format: a dollar sign without a variable")
	}
	return s[:end], s[end:], nil
}
