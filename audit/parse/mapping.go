package parse

import (
	"fmt"
	"os"
	"sort"
	"strings"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/strictyaml"
	"github.com/tallystick/tallystick/internal/text"
)

// mappingFile is a file that maps the lines of a JSON log to an Event.
type mappingFile struct {
	// Fields maps our names to places in the line: keys with dots between them,
	// a backslash before a dot that belongs to a key. The first element stands
	// for an array.
	Fields map[string]string `yaml:"fields"`
	// Constants are our names with the same value for every line.
	Constants map[string]string `yaml:"constants,omitempty"`
	// Time is the strftime pattern of the time; without one it is ISO 8601 or a
	// number since 1970.
	Time string `yaml:"time,omitempty"`
	// Headers is where the request headers stand, for header:NAME in
	// tallystick.yaml: http.headers.
	Headers string `yaml:"headers,omitempty"`
	// Only names a place and the value that a line has to have there; the
	// others tell of no access.
	Only map[string]string `yaml:"only,omitempty"`
}

// mappingFields are our names in a mapping file.
var mappingFields = map[string]field{
	"time": fTimeAny, "user": fUser, "device": fDevice, "session": fSession, "request_id": fRequestID,
	"peer": fRemoteAddr, "peer_port": fRemotePort, "direct_peer": fRealip, "forwarded_for": fForwarded,
	"request": fRequest, "method": fMethod, "target": fRequestURI, "path": fURI, "query": fArgs, "host": fHost,
	"referer": fReferer, "user_agent": fUserAgent, "status": fStatus, "denied": fDenied, "allowed": fAllowed,
	"bytes_in": fBytesIn, "bytes_out": fBytesOut,
	"duration_s": fSeconds, "duration_ms": fMillis, "duration_us": fMicros, "duration_ns": fNanos,
	"tls_version": fTLSVersion, "tls_cipher": fTLSCipher, "sni": fSNI,
	"client_cert_subject": fCertSubject, "client_cert_san": fCertSAN, "client_cert_hash": fCertHash, "client_cert_verify": fCertVerify,
	"upstream": fUpstream, "resource_type": fResourceType, "resource_name": fResourceName,
}

// mappingConstants are our names that can be constants.
var mappingConstants = map[string]bool{"protocol": true, "method": true, "resource_type": true, "resource_name": true, "host": true, "tls_version": true}

// newMapping reads a mapping file and makes its parser.
func newMapping(name, path string, o options) (*jsonTree, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, &text.Hint{Err: fmt.Errorf("failed to read the mapping file: %w", err), Hint: "json:FILE.yaml names a file that maps our fields to places in the line"}
	}
	var m mappingFile
	doc, err := strictyaml.Decode(path, data, &m)
	if err != nil {
		return nil, err
	}
	t := newJSONTree(name, o)
	t.needs = " as its mapping file names them"
	if err := m.fields(t, doc); err != nil {
		return nil, err
	}
	constants, err := m.constants(doc)
	if err != nil {
		return nil, err
	}
	if m.Constants["protocol"] != "" {
		t.protocol = m.Constants["protocol"]
	}
	only := m.only(t)
	headers := ""
	if m.Headers != "" {
		headers = m.Headers + ".~"
	}
	t.locate(o, headers)
	t.carries.Target = t.carries.Target || m.Constants["resource_name"] != ""
	t.finish = func(b *audit.Batch, i int, g *values, raw *jsonRaw) bool {
		for _, c := range only {
			if raw[c.note] != c.value {
				b.Reject(i, audit.ReasonNotAccess, 1, "a line that the mapping file wants")
				return false
			}
		}
		e := &b.Events[i]
		for k := range constants {
			g.set(e, &constants[k].slot, constants[k].value)
		}
		if e.Protocol == "" {
			e.Protocol = "tcp"
			if !e.Method.Empty() || !e.Target.Empty() || g.uri != "" {
				e.Protocol = "http"
			}
		}
		if e.Denied {
			e.DenyBy = "authz"
		}
		if !e.ClientCertSubject.Empty() && t.carries.Principal && e.User.Empty() && e.ClientCertVerified {
			e.Auth = "mtls"
		}
		return true
	}
	return t, nil
}

// fields gives the fields their places.
func (m *mappingFile) fields(t *jsonTree, doc *strictyaml.Doc) error {
	names := make([]string, 0, len(m.Fields))
	for n := range m.Fields {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		f, ok := mappingFields[n]
		if !ok {
			return doc.Fault("fields."+n, "use one of "+strings.Join(sortedKeys(mappingFields), ", "), "%s is no field of ours", n)
		}
		if m.Fields[n] == "" {
			return doc.Fault("fields."+n, "write the keys with dots between them", "%s has no place", n)
		}
		v := variable{field: f, client: true}
		if n != "time" || m.Time == "" {
			t.at(m.Fields[n], v)
			continue
		}
		s, err := newStrftime(m.Time)
		if err != nil || !s.whole() {
			return doc.Fault("time", "for example %Y-%m-%dT%H:%M:%S%z", "the time pattern has no full date and clock of a fixed width")
		}
		t.at(m.Fields[n], variable{field: fTimeStrf})
		t.slots[len(t.slots)-1].strf = s
	}
	if m.Fields["time"] == "" {
		return doc.Fault("fields", "add time: with the place of the time", "the time is missing")
	}
	return nil
}

// constant is a value that every line has.
type constant struct {
	slot  slot
	value string
}

func (m *mappingFile) constants(doc *strictyaml.Doc) ([]constant, error) {
	var out []constant
	for _, n := range sortedKeys(m.Constants) {
		switch {
		case !mappingConstants[n]:
			return nil, doc.Fault("constants."+n, "use one of "+strings.Join(sortedKeys(mappingConstants), ", "), "%s can't be a constant", n)
		case n == "protocol":
			switch m.Constants[n] {
			case "http", "kafka", "mqtt", "tcp":
			default:
				return nil, doc.Fault("constants.protocol", "use http, kafka, mqtt or tcp", "the protocol %q is unknown", m.Constants[n])
			}
		default:
			out = append(out, constant{slot: slot{variable: variable{field: mappingFields[n]}}, value: m.Constants[n]})
		}
	}
	return out, nil
}

// condition is a value that a place has to have.
type condition struct {
	note  int
	value string
}

func (m *mappingFile) only(t *jsonTree) []condition {
	var out []condition
	for _, place := range sortedKeys(m.Only) {
		if len(out) < maxNotes {
			out = append(out, condition{note: t.see(place), value: m.Only[place]})
		}
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
