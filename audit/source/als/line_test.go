package als_test

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/tallystick/tallystick/audit/source/als"
)

var update = flag.Bool("update", false, "write the golden files")

func socket(host string, port uint32) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: host, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port},
	}}}
}

func common() *accesslogv3.AccessLogCommon {
	return &accesslogv3.AccessLogCommon{
		StartTime:                     timestamppb.New(time.Date(2026, 11, 21, 10, 0, 0, 123456789, time.UTC)),
		Duration:                      durationpb.New(1500 * time.Microsecond),
		DownstreamRemoteAddress:       socket("203.0.113.7", 40123),
		DownstreamDirectRemoteAddress: socket("10.0.0.5", 55000),
		UpstreamRemoteAddress:         socket("2001:db8::5", 8080),
		UpstreamCluster:               "shop", RouteName: "customers", StreamId: "0d3f",
		AccessLogType: accesslogv3.AccessLogType_DownstreamEnd,
	}
}

func request(method corev3.RequestMethod, path string, status uint32) *accesslogv3.HTTPAccessLogEntry {
	return &accesslogv3.HTTPAccessLogEntry{
		CommonProperties: common(), ProtocolVersion: accesslogv3.HTTPAccessLogEntry_HTTP11,
		Request: &accesslogv3.HTTPRequestProperties{
			RequestMethod: method, Path: path, Authority: "shop.aurora.example", UserAgent: "Mozilla/5.0", RequestBodyBytes: 12,
			RequestHeaders: map[string]string{"x-purpose": "support"},
		},
		Response: &accesslogv3.HTTPResponseProperties{ResponseCode: wrapperspb.UInt32(status), ResponseBodyBytes: 884, ResponseCodeDetails: "via_upstream"},
	}
}

// lines are entries of many shapes; testdata/lines.log is what they become, and
// a golden case of the format envoy:als.
func lines() []string {
	get := corev3.RequestMethod_GET
	full := request(get, "/v1/customers/1001?page=2", 200)
	full.CommonProperties.CustomTags = map[string]string{"jwt_sub": "agent-7"}
	full.Request.ForwardedFor, full.Request.OriginalPath, full.Request.Referer, full.Request.RequestId = "203.0.113.7", "/customers/1001", "https://shop.aurora.example/", "5f1c"
	mutual := request(get, "/v1/orders", 200)
	mutual.ProtocolVersion = accesslogv3.HTTPAccessLogEntry_HTTP2
	mutual.CommonProperties.TlsProperties = &accesslogv3.TLSProperties{
		TlsVersion: accesslogv3.TLSProperties_TLSv1_3, TlsCipherSuite: wrapperspb.UInt32(4865), TlsSniHostname: "shop.aurora.example",
		PeerCertificateProperties: &accesslogv3.TLSProperties_CertificateProperties{
			Subject: `CN=batch,O="Aurora, AG"`,
			SubjectAltName: []*accesslogv3.TLSProperties_CertificateProperties_SubjectAltName{
				{San: &accesslogv3.TLSProperties_CertificateProperties_SubjectAltName_Dns{Dns: "batch.aurora.example"}},
				{San: &accesslogv3.TLSProperties_CertificateProperties_SubjectAltName_Uri{Uri: "spiffe://aurora.example/batch"}},
			},
		},
	}
	denied := request(corev3.RequestMethod_DELETE, "/v1/customers/1001", 403)
	denied.CommonProperties.ResponseFlags = &accesslogv3.ResponseFlags{UnauthorizedDetails: &accesslogv3.ResponseFlags_Unauthorized{Reason: accesslogv3.ResponseFlags_Unauthorized_EXTERNAL_SERVICE}}
	forging := request(get, "/a\",\"status\":200,\"x\":\"\n<script>", 404)
	forging.Request.UserAgent = "a\"b\\c\u2028\u0001"
	dead := request(get, "/v1/orders", 503)
	dead.CommonProperties.ResponseFlags = &accesslogv3.ResponseFlags{UpstreamConnectionFailure: true, UpstreamRetryLimitExceeded: true}
	dead.CommonProperties.UpstreamRemoteAddress = nil
	begun := request(get, "/v1/stream", 0)
	begun.CommonProperties.AccessLogType = accesslogv3.AccessLogType_DownstreamPeriodic
	begun.Response.ResponseCode = nil
	pipe := request(get, "/", 200)
	pipe.CommonProperties.DownstreamDirectRemoteAddress = &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: "/run/envoy.sock"}}}
	tcp := &accesslogv3.TCPAccessLogEntry{CommonProperties: common(), ConnectionProperties: &accesslogv3.ConnectionProperties{ReceivedBytes: 87, SentBytes: 254}}
	tcp.CommonProperties.AccessLogType = accesslogv3.AccessLogType_TcpConnectionEnd
	return []string{
		als.HTTPLine(full), als.HTTPLine(mutual), als.HTTPLine(denied), als.HTTPLine(forging), als.HTTPLine(dead), als.HTTPLine(begun), als.HTTPLine(pipe),
		als.TCPLine(tcp), als.HTTPLine(&accesslogv3.HTTPAccessLogEntry{}), als.TCPLine(&accesslogv3.TCPAccessLogEntry{}),
	}
}

func TestLines(t *testing.T) {
	const path = "../../parse/testdata/envoyals/lines.log"
	got := strings.Join(lines(), "\n") + "\n"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// Any entry is one line of valid JSON.
func FuzzLine(f *testing.F) {
	b, err := proto.Marshal(request(corev3.RequestMethod_GET, "/a?b=c", 200))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		var e accesslogv3.HTTPAccessLogEntry
		if proto.Unmarshal(b, &e) != nil {
			return
		}
		l := als.HTTPLine(&e)
		if strings.ContainsAny(l, "\n\r\x00") || !json.Valid([]byte(l)) {
			t.Fatal("the line is not one JSON object")
		}
	})
}
