package parse

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/masking/plain"
)

// envoyField is what of an event a key of the JSON log fills.
type envoyField uint8

const (
	eUnknown envoyField = iota
	eIgnored
	eTime
	eMethod
	ePath
	eOriginalPath
	eAuthority
	eProtocol
	eStatus
	eFlags
	eBytesIn
	eBytesOut
	eDuration
	eForwarded
	eUserAgent
	eReferer
	eRequestID
	eUpstream
	ePeer
	eDirect
	eSNI
	eTLSVersion
	eTLSCipher
	eCertSubject
	eCertSAN
	eCertHash
	eAccessType
	numEnvoy
)

// envoyKeys are the keys in lower case: Istio's, Envoy Gateway's, the names of
// the operators themselves and common hand-made ones.
var envoyKeys = map[string]envoyField{
	"start_time": eTime, "time": eTime, "ts": eTime, "timestamp": eTime, "@timestamp": eTime,
	"method": eMethod, ":method": eMethod, "request_method": eMethod, "http_method": eMethod,
	"path": ePath, ":path": ePath, "request_path": ePath, "uri": ePath, "url": ePath,
	"x-envoy-origin-path": eOriginalPath, "x-envoy-original-path": eOriginalPath, "original_path": eOriginalPath, "origin_path": eOriginalPath,
	"authority": eAuthority, ":authority": eAuthority, "host": eAuthority, "domain": eAuthority,
	"protocol": eProtocol, "proto": eProtocol,
	"response_code": eStatus, "status": eStatus, "code": eStatus, "status_code": eStatus, "response_status": eStatus,
	"response_flags": eFlags, "flags": eFlags,
	"bytes_received": eBytesIn, "rx": eBytesIn, "bytes_in": eBytesIn, "request_bytes": eBytesIn,
	"bytes_sent": eBytesOut, "tx": eBytesOut, "bytes_out": eBytesOut, "response_bytes": eBytesOut, "bytes": eBytesOut,
	"duration": eDuration, "dur_ms": eDuration, "duration_ms": eDuration, "request_duration": eDuration,
	"x_forwarded_for": eForwarded, "x-forwarded-for": eForwarded, "xff": eForwarded, "forwarded_for": eForwarded,
	"user_agent": eUserAgent, "user-agent": eUserAgent, "ua": eUserAgent,
	"referer": eReferer, "referrer": eReferer, "ref": eReferer,
	"request_id": eRequestID, "x-request-id": eRequestID, "rid": eRequestID, "x_request_id": eRequestID,
	"upstream_host": eUpstream, "upstream": eUpstream, "upstream_remote_address": eUpstream,
	"downstream_remote_address": ePeer, "peer": ePeer, "remote_address": ePeer, "remote_addr": ePeer, "client_ip": ePeer, "client": ePeer,
	"downstream_remote_address_without_port": ePeer, "source_address": ePeer,
	"downstream_direct_remote_address": eDirect, "downstream_direct_remote_address_without_port": eDirect,
	"requested_server_name": eSNI, "sni": eSNI,
	"downstream_tls_version": eTLSVersion, "tls_version": eTLSVersion, "tls": eTLSVersion, "ssl_protocol": eTLSVersion,
	"downstream_tls_cipher": eTLSCipher, "tls_cipher": eTLSCipher, "ssl_cipher": eTLSCipher,
	"downstream_peer_subject": eCertSubject, "peer_subject": eCertSubject, "client_cert_subject": eCertSubject,
	"downstream_peer_uri_san": eCertSAN, "downstream_peer_dns_san": eCertSAN, "peer_san": eCertSAN, "peer_uri_san": eCertSAN, "client_san": eCertSAN,
	"downstream_peer_fingerprint_256": eCertHash, "downstream_peer_cert_hash": eCertHash, "peer_fingerprint": eCertHash,
	"access_log_type": eAccessType,

	// Known, and nothing about who accessed what.
	"response_code_details": eIgnored, "details": eIgnored, "connection_termination_details": eIgnored,
	"upstream_service_time": eIgnored, "x-envoy-upstream-service-time": eIgnored, "upstream_cluster": eIgnored,
	"upstream_local_address": eIgnored, "downstream_local_address": eIgnored, "route_name": eIgnored,
	"upstream_transport_failure_reason": eIgnored, "response_tx_duration": eIgnored, "request_tx_duration": eIgnored,
	"level": eIgnored, "stream": eIgnored,
}

// setTime reads a time: ISO 8601, or seconds or milliseconds since 1970.
func (g *envoyValues) setTime(s string, loc *time.Location) {
	var n int
	if g.time, n, g.zoned, g.timeOK = isoTime(s, loc); g.timeOK {
		g.timeOK = n == len(s)
		return
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || f < 0 || f > 1e14 {
		return
	}
	if f > 1e11 {
		f /= 1000
	}
	whole, frac := math.Modf(f)
	g.time, g.zoned, g.timeOK = time.Unix(int64(whole), int64(math.Round(frac*1e6))*1000).UTC(), true, true
}

// setEnvoy fills a field that has a place of its own. A number that is none
// leaves the line partial: the access is evidence without it too.
func setEnvoy(e *audit.Event, g *envoyValues, f envoyField, s string) {
	t := plain.New(s)
	switch f {
	case eMethod:
		e.Method = t
	case ePath:
		g.path = s
	case eOriginalPath:
		g.original = s
	case eAuthority:
		g.authority = s
	case eProtocol:
		e.Protocol = "http"
		if !strings.HasPrefix(s, "HTTP/") {
			e.Protocol = "tcp"
		}
	case eFlags:
		g.flags = s
	case eForwarded:
		e.Forwarded = e.Forwarded[:0]
		splitForwarded(e, s)
	case eUserAgent:
		e.UserAgent = t
	case eReferer:
		e.Referer = t
	case eRequestID:
		e.RequestID = t
	case eUpstream:
		e.Upstream = t
	case ePeer:
		splitAddr(e, s)
	case eDirect:
		g.direct = s
	case eSNI:
		e.SNI = t
	case eAccessType:
		g.accessType = s
	case eStatus, eBytesIn, eBytesOut, eDuration:
		setEnvoyNumber(e, f, s)
	default:
		setEnvoyTLS(e, f, t)
	}
}

func setEnvoyTLS(e *audit.Event, f envoyField, t plain.Text) {
	switch f {
	case eTLSVersion:
		e.TLSVersion = t
	case eTLSCipher:
		e.TLSCipher = t
	case eCertSubject:
		e.ClientCertSubject = t
	case eCertSAN:
		e.ClientCertSAN = t
	case eCertHash:
		e.ClientCertHash = t
	}
}

func setEnvoyNumber(e *audit.Event, f envoyField, s string) {
	if f == eDuration { // milliseconds
		if d, ok := parseSeconds(s); ok && d < time.Duration(math.MaxInt64/1000) {
			e.Duration = d / 1000
			return
		}
		e.ParseStatus = audit.ParsePartial
		return
	}
	n, ok := parseBytes(s)
	if !ok || f == eStatus && n > 999 {
		e.ParseStatus = audit.ParsePartial
		return
	}
	switch f {
	case eStatus:
		e.Status = uint16(n)
	case eBytesIn:
		e.BytesIn = n
	case eBytesOut:
		e.BytesOut = n
	}
}
