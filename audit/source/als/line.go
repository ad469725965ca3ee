package als

import (
	"bytes"
	"encoding/json"
	"net"
	"strconv"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	"google.golang.org/protobuf/types/known/durationpb"
)

// line is what an entry becomes: one JSON object, the format envoy:als. A key
// that has no value is not there.
type line struct {
	Kind    string `json:"kind"` // http or tcp
	LogName string `json:"log_name,omitempty"`
	Node    string `json:"node,omitempty"`
	Type    string `json:"type,omitempty"` // access_log_type: DownstreamEnd
	Stream  string `json:"stream_id,omitempty"`

	Start    string `json:"start_time,omitempty"` // RFC 3339, UTC
	Duration int64  `json:"duration_ns,omitempty"`

	Peer     string `json:"peer,omitempty"`        // address:port; from X-Forwarded-For where Envoy trusts it
	Direct   string `json:"direct_peer,omitempty"` // of the connection
	Upstream string `json:"upstream,omitempty"`
	Cluster  string `json:"upstream_cluster,omitempty"`
	Route    string `json:"route,omitempty"`
	Flags    string `json:"flags,omitempty"` // as %RESPONSE_FLAGS%
	TLS      *tlsOf `json:"tls,omitempty"`

	Protocol  string `json:"protocol,omitempty"`
	Method    string `json:"method,omitempty"`
	Path      string `json:"path,omitempty"`
	Original  string `json:"original_path,omitempty"`
	Authority string `json:"authority,omitempty"`
	Agent     string `json:"user_agent,omitempty"`
	Referer   string `json:"referer,omitempty"`
	Forwarded string `json:"forwarded_for,omitempty"`
	RequestID string `json:"request_id,omitempty"`
	Status    uint32 `json:"status,omitempty"`
	Details   string `json:"details,omitempty"`
	BytesIn   uint64 `json:"bytes_in,omitempty"` // of the body
	BytesOut  uint64 `json:"bytes_out,omitempty"`

	Headers  map[string]string `json:"headers,omitempty"` // of the request, as Envoy is told to log them
	Response map[string]string `json:"response_headers,omitempty"`
	Tags     map[string]string `json:"custom_tags,omitempty"`
}

type tlsOf struct {
	Version string `json:"version,omitempty"`
	Cipher  uint32 `json:"cipher,omitempty"` // IANA's number
	SNI     string `json:"sni,omitempty"`
	Subject string `json:"subject,omitempty"` // of the client's certificate
	SAN     string `json:"san,omitempty"`     // its first URI, else its first DNS name
}

// writer makes lines of the entries of one stream. It belongs to the stream's
// goroutine.
type writer struct {
	logName, node string
	buf           bytes.Buffer
	enc           *json.Encoder
}

func newWriter() *writer {
	w := &writer{}
	w.enc = json.NewEncoder(&w.buf)
	w.enc.SetEscapeHTML(false)
	return w
}

// http returns the line of an entry; the bytes are used again by the next.
func (w *writer) http(e *accesslogv3.HTTPAccessLogEntry) []byte {
	l := w.common("http", e.GetCommonProperties())
	q, r := e.GetRequest(), e.GetResponse()
	l.Protocol = httpVersion(e.GetProtocolVersion())
	if m := q.GetRequestMethod(); m != corev3.RequestMethod_METHOD_UNSPECIFIED {
		l.Method = m.String()
	}
	l.Path, l.Original, l.Authority = q.GetPath(), q.GetOriginalPath(), q.GetAuthority()
	l.Agent, l.Referer, l.Forwarded, l.RequestID = q.GetUserAgent(), q.GetReferer(), q.GetForwardedFor(), q.GetRequestId()
	l.Status, l.Details = r.GetResponseCode().GetValue(), r.GetResponseCodeDetails()
	l.BytesIn, l.BytesOut = q.GetRequestBodyBytes(), r.GetResponseBodyBytes()
	l.Headers, l.Response = q.GetRequestHeaders(), r.GetResponseHeaders()
	return w.encode(l)
}

// tcp returns the line of an entry; the bytes are used again by the next.
func (w *writer) tcp(e *accesslogv3.TCPAccessLogEntry) []byte {
	l := w.common("tcp", e.GetCommonProperties())
	l.BytesIn, l.BytesOut = e.GetConnectionProperties().GetReceivedBytes(), e.GetConnectionProperties().GetSentBytes()
	return w.encode(l)
}

func (w *writer) encode(l *line) []byte {
	w.buf.Reset()
	_ = w.enc.Encode(l) // strings and numbers only: it can't fail
	return bytes.TrimSuffix(w.buf.Bytes(), []byte("\n"))
}

func (w *writer) common(kind string, c *accesslogv3.AccessLogCommon) *line {
	l := &line{
		Kind: kind, LogName: w.logName, Node: w.node, Stream: c.GetStreamId(),
		Peer: address(c.GetDownstreamRemoteAddress()), Direct: address(c.GetDownstreamDirectRemoteAddress()),
		Upstream: address(c.GetUpstreamRemoteAddress()), Cluster: c.GetUpstreamCluster(), Route: c.GetRouteName(),
		Flags: flags(c.GetResponseFlags()), TLS: tlsProperties(c.GetTlsProperties()), Tags: c.GetCustomTags(),
		Duration: duration(c),
	}
	if c.GetStartTime() != nil {
		l.Start = c.GetStartTime().AsTime().Format(time.RFC3339Nano)
	}
	if t := c.GetAccessLogType(); t != accesslogv3.AccessLogType_NotSet {
		l.Type = t.String()
	}
	return l
}

// ended reports whether an entry tells of the end of its access: Envoy counts
// each access once, whatever intermediate entries it logs.
func ended(c *accesslogv3.AccessLogCommon) bool {
	switch c.GetAccessLogType() {
	case accesslogv3.AccessLogType_NotSet, accesslogv3.AccessLogType_DownstreamEnd, accesslogv3.AccessLogType_TcpConnectionEnd:
		return true
	}
	return false
}

func duration(c *accesslogv3.AccessLogCommon) int64 {
	for _, d := range []*durationpb.Duration{c.GetDuration(), c.GetTimeToLastDownstreamTxByte()} {
		if d != nil {
			return d.AsDuration().Nanoseconds()
		}
	}
	return 0
}

func address(a *corev3.Address) string {
	switch x := a.GetAddress().(type) {
	case *corev3.Address_SocketAddress:
		return net.JoinHostPort(x.SocketAddress.GetAddress(), strconv.FormatUint(uint64(x.SocketAddress.GetPortValue()), 10))
	case *corev3.Address_Pipe:
		return "unix:" + x.Pipe.GetPath()
	case *corev3.Address_EnvoyInternalAddress:
		return "envoy://" + x.EnvoyInternalAddress.GetServerListenerName()
	}
	return ""
}

func tlsProperties(p *accesslogv3.TLSProperties) *tlsOf {
	if p == nil {
		return nil
	}
	t := &tlsOf{Cipher: p.GetTlsCipherSuite().GetValue(), SNI: p.GetTlsSniHostname(), Subject: p.GetPeerCertificateProperties().GetSubject()}
	if v := p.GetTlsVersion(); v != accesslogv3.TLSProperties_VERSION_UNSPECIFIED {
		t.Version = v.String()
	}
	for _, n := range p.GetPeerCertificateProperties().GetSubjectAltName() {
		if uri := n.GetUri(); uri != "" {
			t.SAN = uri
			break
		}
		if t.SAN == "" {
			t.SAN = n.GetDns()
		}
	}
	return t
}

func httpVersion(v accesslogv3.HTTPAccessLogEntry_HTTPVersion) string {
	switch v {
	case accesslogv3.HTTPAccessLogEntry_HTTP10:
		return "HTTP/1.0"
	case accesslogv3.HTTPAccessLogEntry_HTTP11:
		return "HTTP/1.1"
	case accesslogv3.HTTPAccessLogEntry_HTTP2:
		return "HTTP/2"
	case accesslogv3.HTTPAccessLogEntry_HTTP3:
		return "HTTP/3"
	}
	return ""
}

// flags are the short names of Envoy's %RESPONSE_FLAGS%, with commas.
func flags(f *accesslogv3.ResponseFlags) string {
	if f == nil {
		return ""
	}
	var set []string
	for _, x := range []struct {
		on   bool
		name string
	}{
		{f.FailedLocalHealthcheck, "LH"}, {f.NoHealthyUpstream, "UH"}, {f.UpstreamRequestTimeout, "UT"}, {f.LocalReset, "LR"},
		{f.UpstreamRemoteReset, "UR"}, {f.UpstreamConnectionFailure, "UF"}, {f.UpstreamConnectionTermination, "UC"}, {f.UpstreamOverflow, "UO"},
		{f.NoRouteFound, "NR"}, {f.DelayInjected, "DI"}, {f.FaultInjected, "FI"}, {f.RateLimited, "RL"}, {f.UnauthorizedDetails != nil, "UAEX"},
		{f.RateLimitServiceError, "RLSE"}, {f.DownstreamConnectionTermination, "DC"}, {f.UpstreamRetryLimitExceeded, "URX"},
		{f.StreamIdleTimeout, "SI"}, {f.InvalidEnvoyRequestHeaders, "IH"}, {f.DownstreamProtocolError, "DPE"},
		{f.UpstreamMaxStreamDurationReached, "UMSDR"}, {f.ResponseFromCacheFilter, "RFCF"}, {f.NoFilterConfigFound, "NFCF"},
		{f.DurationTimeout, "DT"}, {f.UpstreamProtocolError, "UPE"}, {f.NoClusterFound, "NC"}, {f.OverloadManager, "OM"},
		{f.DnsResolutionFailure, "DF"}, {f.DownstreamRemoteReset, "DR"},
	} {
		if x.on {
			set = append(set, x.name)
		}
	}
	return strings.Join(set, ",")
}
