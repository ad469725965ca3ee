package parse

import (
	"strings"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/masking/plain"
)

// field is what of an event a variable of nginx fills.
type field uint8

const (
	fIgnored field = iota
	fNamed         // a Field of the event
	fRemoteAddr
	fRealip
	fRemotePort
	fUser
	fTimeLocal
	fTimeISO
	fMsec
	fRequest
	fMethod
	fRequestURI
	fURI
	fArgs
	fHost
	fServerName
	fStatus
	fBytesOut
	fBytesIn
	fDuration
	fReferer
	fUserAgent
	fForwarded
	fRequestID
	fSession
	fTLSVersion
	fTLSCipher
	fSNI
	fCertVerify
	fCertSubject
	fCertHash
	fUpstream
	numFields
)

// shape is what the value of a variable looks like.
type shape uint8

const (
	shapeAny shape = iota
	shapeNumber
	shapeSeconds
	shapeTimeLocal
	shapeTimeISO
	shapeAddr
)

func (s shape) String() string {
	return [...]string{"text", "a number", "seconds", "dd/Mon/yyyy:hh:mm:ss +zzzz", "yyyy-mm-ddThh:mm:ss+zz:zz", "an address"}[s]
}

// fits reports whether a raw value has the shape; "-" and "" are missing ones.
func (s shape) fits(v string) bool {
	if s == shapeAny || v == "-" || v == "" {
		return true
	}
	switch s {
	case shapeNumber:
		_, ok := parseUint(v)
		return ok
	case shapeSeconds:
		_, ok := parseSeconds(v)
		return ok
	case shapeTimeLocal:
		return v[2] == '/' && v[6] == '/' && v[11] == ':' && v[20] == ' '
	case shapeTimeISO:
		return len(v) >= 20 && len(v) <= 40 && v[4] == '-' && v[10] == 'T' && v[13] == ':'
	case shapeAddr:
		return strings.IndexByte(v, ' ') < 0
	}
	return true
}

// variable says what a variable fills, what it looks like and whether a client
// chooses it.
type variable struct {
	field     field
	shape     shape
	client    bool
	fieldName string // of a named field
}

// nginxVariable looks a variable up. Unknown ones become named fields and count
// as chosen by the client.
func nginxVariable(name string) variable {
	if v, ok := nginxVariables[name]; ok {
		return v
	}
	switch h, isHeader := strings.CutPrefix(name, "http_"); {
	case isHeader:
		return variable{field: fNamed, client: true, fieldName: "header:" + strings.ReplaceAll(h, "_", "-")}
	case strings.HasPrefix(name, "cookie_") && strings.Contains(strings.ToLower(name), "sess"):
		return variable{field: fSession, client: true}
	case strings.HasPrefix(name, "upstream_"), strings.HasPrefix(name, "ssl_"), strings.HasPrefix(name, "proxy_"), strings.HasPrefix(name, "connection"):
		return variable{field: fNamed, fieldName: name}
	}
	return variable{field: fNamed, client: true, fieldName: name}
}

// nginxVariables are the variables with a place of their own, and those that
// say nothing about an access.
var nginxVariables = map[string]variable{
	"remote_addr":                     {field: fRemoteAddr, shape: shapeAddr},
	"realip_remote_addr":              {field: fRealip, shape: shapeAddr},
	"remote_port":                     {field: fRemotePort, shape: shapeNumber},
	"remote_user":                     {field: fUser, client: true},
	"time_local":                      {field: fTimeLocal, shape: shapeTimeLocal},
	"time_iso8601":                    {field: fTimeISO, shape: shapeTimeISO},
	"msec":                            {field: fMsec, shape: shapeSeconds},
	"request":                         {field: fRequest, client: true},
	"request_method":                  {field: fMethod, client: true},
	"request_uri":                     {field: fRequestURI, client: true},
	"uri":                             {field: fURI, client: true},
	"document_uri":                    {field: fURI, client: true},
	"args":                            {field: fArgs, client: true},
	"query_string":                    {field: fArgs, client: true},
	"host":                            {field: fHost, client: true},
	"http_host":                       {field: fHost, client: true},
	"server_name":                     {field: fServerName},
	"status":                          {field: fStatus, shape: shapeNumber},
	"body_bytes_sent":                 {field: fBytesOut, shape: shapeNumber},
	"bytes_sent":                      {field: fBytesOut, shape: shapeNumber},
	"request_length":                  {field: fBytesIn, shape: shapeNumber},
	"request_time":                    {field: fDuration, shape: shapeSeconds},
	"http_referer":                    {field: fReferer, client: true},
	"http_user_agent":                 {field: fUserAgent, client: true},
	"http_x_forwarded_for":            {field: fForwarded, client: true},
	"request_id":                      {field: fRequestID},
	"req_id":                          {field: fRequestID},
	"http_x_request_id":               {field: fRequestID, client: true},
	"ssl_protocol":                    {field: fTLSVersion},
	"ssl_cipher":                      {field: fTLSCipher},
	"ssl_server_name":                 {field: fSNI, client: true},
	"ssl_client_verify":               {field: fCertVerify},
	"ssl_client_s_dn":                 {field: fCertSubject, client: true},
	"ssl_client_fingerprint":          {field: fCertHash},
	"upstream_addr":                   {field: fUpstream},
	"upstream_status":                 {},
	"upstream_response_time":          {},
	"upstream_connect_time":           {},
	"upstream_header_time":            {},
	"upstream_response_length":        {},
	"proxy_upstream_name":             {},
	"proxy_alternative_upstream_name": {},
	"pipe":                            {},
	"pid":                             {},
	"connection":                      {},
	"connection_requests":             {},
	"scheme":                          {},
	"https":                           {},
	"server_port":                     {},
	"server_addr":                     {},
	"server_protocol":                 {},
	"hostname":                        {},
	"gzip_ratio":                      {},
	"nginx_version":                   {},
	"is_args":                         {},
}

// set fills what v stands for with an un-escaped value; false if the value is
// not what the variable holds.
func (g *nginxValues) set(e *audit.Event, v *nginxVar, s string) bool {
	switch v.field {
	case fNamed:
		addField(e, v.fieldName, s)
	case fRemoteAddr:
		if port := e.PeerPort; true {
			splitAddr(e, strings.TrimSuffix(s, ":"))
			e.PeerPort = port
		}
	case fRealip:
		g.realip = s
	case fRemotePort:
		n, _ := parseUint(s)
		e.PeerPort = uint16(n)
	case fUser:
		e.User = plain.New(s)
	case fTimeLocal, fTimeISO, fMsec:
		g.setTime(v.field, s)
	case fRequest:
		splitRequest(e, s)
	case fMethod:
		e.Method = plain.New(s)
	case fRequestURI:
		e.Target = plain.New(s)
	case fURI:
		g.uri = s
	case fArgs:
		g.args = s
	case fHost:
		e.Host = plain.New(s)
	case fServerName:
		g.serverName = s
	case fStatus, fBytesOut, fBytesIn, fDuration:
		return setNumber(e, v.field, s)
	default:
		g.setRest(e, v.field, s)
	}
	return true
}

func setNumber(e *audit.Event, f field, s string) bool {
	if f == fDuration {
		d, ok := parseSeconds(s)
		e.Duration = d
		return ok
	}
	n, ok := parseBytes(s)
	switch f {
	case fStatus:
		if n > 999 {
			return false
		}
		e.Status = uint16(n)
	case fBytesOut:
		e.BytesOut = n
	case fBytesIn:
		e.BytesIn = n
	}
	return ok
}

func (g *nginxValues) setRest(e *audit.Event, f field, s string) {
	t := plain.New(s)
	switch f {
	case fReferer:
		e.Referer = t
	case fUserAgent:
		e.UserAgent = t
	case fForwarded:
		splitForwarded(e, s)
	case fRequestID:
		e.RequestID = t
	case fSession:
		e.Session = t
	case fTLSVersion:
		e.TLSVersion = t
	case fTLSCipher:
		e.TLSCipher = t
	case fSNI:
		e.SNI = t
	case fCertVerify:
		e.ClientCertVerified = s == "SUCCESS"
	case fCertSubject:
		e.ClientCertSubject = t
	case fCertHash:
		e.ClientCertHash = t
	case fUpstream:
		e.Upstream = plain.New(lastTry(s))
	}
}

// setTime reads the time; of several, $msec is the finest.
func (g *nginxValues) setTime(f field, s string) {
	if g.timed && g.timeOK && f != fMsec {
		return
	}
	g.timed = true
	switch f {
	case fTimeLocal:
		g.time, g.timeOK = localTime(s)
	case fTimeISO:
		var n int
		g.time, n, _, g.timeOK = isoTime(s, time.UTC)
		g.timeOK = g.timeOK && n == len(s)
	case fMsec:
		d, ok := parseSeconds(s)
		g.time, g.timeOK = time.Unix(0, int64(d)).UTC(), ok
	}
}

// lastTry is the last of nginx's upstreams: ", " stands between tries, " : "
// between internal redirects.
func lastTry(s string) string {
	if i := strings.LastIndex(s, ", "); i >= 0 {
		s = s[i+2:]
	}
	if i := strings.LastIndex(s, " : "); i >= 0 {
		s = s[i+3:]
	}
	return s
}
