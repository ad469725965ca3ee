package parse_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tallystick/tallystick/audit"
)

// rejected are lines of a sample that no format takes.
type rejected struct {
	lines    int
	expected string // in the rejection
	why      string // for readers: what the lines are
}

// samples are log files of real servers and of other projects, by their path
// under testdata/corpora or in the folder that TALLYSTICK_CORPORA names. copy is
// a golden file with the same lines, which is read instead.
var samples = []struct {
	file, copy string
	formats    []string // a line has to follow one of them
	rejected   []rejected
}{
	{"generated/apache/combined.log", "apache/combined.log", []string{"apache:combined"}, nil},
	{"generated/apache/common.log", "apache/common.log", []string{"apache:common"}, nil},
	{"generated/apache/vhost_combined.log", "apache/vhost_combined.log", []string{"apache:vhost_combined"}, nil},
	{"generated/apache/ssl_request.log", "apache/ssl_request.log", nil, nil},
	{"generated/apache/custom.log", "apache/custom.log", nil, nil},
	{"own/apache2.log", "", []string{"apache:combined"}, nil},
	{"own/apache2-vhost.log", "apache/vhost_timed.log", nil, nil},
	{"apache/lnav.access_log.0", "", []string{"apache:combined"}, nil},
	{"apache/lnav.access_log.1", "", []string{"apache:combined"}, nil},
	{"apache/lnav.access_log_dupe.0", "", []string{"apache:combined"}, nil},
	{"apache/lnav.bad_access_log.0", "", []string{"apache:combined"}, []rejected{{1, "%u (text)", "identity and user are missing"}}},
	{"apache/lnav.regexp_access_log.0", "", []string{`apache:%v:%p %h %{REQ}e %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %D`}, nil},
	{"apache/lnav.shop_access_log.0", "", []string{`nginx:main`, "nginx:combined"}, nil},
	{"apache/lnav.syslog_with_access_log.0", "", []string{"apache:common"}, []rejected{{5, "", "sudo, automount and repeats, and two access lines without a time of their own"}}},
	{"apache/mtail.apache-combined.log", "", []string{"apache:combined"}, nil},
	{"apache/mtail.apache-common.log", "", []string{`apache:%h %l %u %t "%r" %>s %b %D "%{Referer}i" "%{User-Agent}i"`}, nil},
	{"apache/opensearch.apache.raw.log", "", []string{"apache:combined"}, []rejected{{1, "", "the closing quote of the user agent is missing"}}},

	{"generated/nginx/combined.log", "", []string{"nginx:combined"}, nil},
	{"generated/nginx/main.log", "", []string{"nginx:main"}, nil},
	{"generated/nginx/json.log", "", []string{`nginx:escape=json {"time":"$time_iso8601","msec":"$msec","remote_addr":"$remote_addr","remote_port":"$remote_port","remote_user":"$remote_user","request":"$request","request_method":"$request_method","uri":"$uri","args":"$args","host":"$host","status":"$status","body_bytes_sent":"$body_bytes_sent","request_length":"$request_length","request_time":"$request_time","http_referer":"$http_referer","http_user_agent":"$http_user_agent","xff":"$http_x_forwarded_for","xsubject":"$http_x_subject","ssl_protocol":"$ssl_protocol","ssl_cipher":"$ssl_cipher","ssl_client_s_dn":"$ssl_client_s_dn","ssl_client_verify":"$ssl_client_verify","upstream_addr":"$upstream_addr","upstream_status":"$upstream_status","upstream_response_time":"$upstream_response_time","request_id":"$request_id","server_name":"$server_name","server_port":"$server_port"}`}, nil},
	{"own/nginx.log", "", []string{"nginx:combined"}, nil},
	{"own/nginx-json.log", "", []string{ownNginxJSON}, nil},
	{"nginx/opensearch.nginx.raw.log", "", []string{"nginx:combined", `nginx:$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $connection`}, nil},
	{"nginx/telegraf.nginx_logs", "", []string{"nginx:combined", `nginx:$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $connection`}, nil},

	{"generated/haproxy/all.syslog.log", "", []string{"haproxy:https", "haproxy:http", "haproxy:clf", "haproxy:tcp", haproxyHandmade}, nil},
	{"generated/haproxy/all.syslog.log", "haproxy/http.log", []string{"haproxy:http"}, nil},
	{"generated/haproxy/all.syslog.log", "haproxy/https.log", []string{"haproxy:https"}, nil},
	{"generated/haproxy/all.syslog.log", "haproxy/clf.log", []string{"haproxy:clf"}, nil},
	{"generated/haproxy/all.syslog.log", "haproxy/tcp.log", []string{"haproxy:tcp"}, nil},
	{"generated/haproxy/all.syslog.log", "haproxy/custom.log", []string{haproxyHandmade}, nil},
	{"own/haproxy.log", "haproxy/raw.log", []string{"haproxy:http"}, nil},
	{"own/haproxy-syslog.log", "haproxy/rfc5424.log", []string{"haproxy:http"}, nil},
	{"haproxy/lnav.haproxy.0", "", []string{"haproxy:http"}, []rejected{{3, "%ci (an address)", "Proxy ... started"}}},

	{"generated/squid/access.log", "squid/native.log", []string{"squid:squid"}, nil},
	{"generated/squid/combined.log", "squid/combined.log", []string{"squid:combined"}, nil},
	{"generated/squid/common.log", "squid/common.log", []string{"squid:common"}, nil},
	{"generated/squid/ext.log", "squid/ext.log", nil, nil},
	{"own/squid.log", "", []string{"squid:squid"}, nil},
	{"own/squid-combined.log", "", []string{"squid:combined"}, nil},
	{"own/squid-json.log", "squid/handmade-json.log", nil, nil},

	{"own/envoy.log", "envoytext/default.log", []string{"envoy:default"}, nil},
	{"own/envoy-json.log", "", []string{"envoy:json"}, nil},
	{"own/traefik.log", "", []string{"traefik:clf"}, nil},
	{"own/traefik-json.log", "traefik/json.log", []string{"traefik:json"}, nil},
	{"own/caddy.log", "caddy/2.11.log", []string{"caddy:json"}, nil},
	{"own/caddy-2.6.2.log", "", []string{"caddy:json"}, nil},
	{"generated/caddy/access.json.log", "caddy/2.6.2.log", []string{"caddy:json"}, nil},
	{"caddy/lnav.caddy_log.0", "", []string{"caddy:json"}, []rejected{{35, "an access", "messages of starting and stopping"}}},
	{"caddy/lnav.caddy_log.1", "", []string{"caddy:json"}, nil},

	{"kafka/authorizer.variants.log", "", []string{"kafka:authorizer"}, []rejected{
		{1, "begins with Principal", "No acl found"}, {1, "begins with Principal", "an authentication of another logger"}}},
	{"own/kafka-authorizer.log", "", []string{"kafka:authorizer"}, nil},
	{"own/kafka-authorizer-4.0.2.log", "", []string{"kafka:authorizer"}, nil},
	{"own/kafka-authorizer-odd.log", "", []string{"kafka:authorizer"}, nil},
	{"kafka/request.variants.log", "", []string{"kafka:request"}, []rejected{{2, "a time", "the samples were published without the beginning of the line"}}},
	{"own/kafka-request.log", "kafkarequest/4.3.1.log", []string{"kafka:request"}, []rejected{{18, "a completed request", "TRACE: requests as they come in, and answers as they go out"}}},

	{"own/mosquitto.log", "mosquitto/iso.log", []string{"mosquitto:log"}, []rejected{{68, "a connection, a publication", "starting, acknowledgements, and what another line tells better"}}},
	{"generated/mosquitto/epoch.log", "mosquitto/epoch.log", []string{"mosquitto:log"}, []rejected{{65, "a connection, a publication", "as above"}}},
	{"generated/mosquitto/iso.log", "", []string{"mosquitto:log"}, []rejected{{65, "a connection, a publication", "as above"}}},
}

const (
	haproxyHandmade = `haproxy:%{+Q}o {"ci":%ci,"cp":%cp,"t":%tr,"m":%HM,"u":%HU,"v":%HV,"st":%ST,"b":%B,"U":%U,"ts":%tsc,"ft":%ft,"bs":%b,"s":%s,"ua":%[capture.req.hdr(0)],"sslv":%sslv}`
	ownNginxJSON    = `nginx:escape=json {"time":"$time_iso8601","remote_addr":"$remote_addr","remote_user":"$remote_user","request":"$request","uri":"$request_uri","status":$status,"bytes":$body_bytes_sent,"rt":$request_time,"urt":"$upstream_response_time","ref":"$http_referer","ua":"$http_user_agent","xff":"$http_x_forwarded_for"}`
)

// notLogs are files of the corpora that are no access log of a format here:
// configurations, inputs, expected outputs of other projects, taxonomies, and
// logs that no record can be made of: nginx/custom has no time, nginx/none is
// not escaped, envoy-als holds messages of a protocol.
var notLogs = []string{"MANIFEST.tsv", "README.md", "fideslang/", "driver/", "cases", ".conf", ".cfg", "Caddyfile", "mosquitto/acl", ".golden", ".json",
	"generated/nginx/custom.log", "generated/nginx/none.log", "own/envoy-als.jsonl"}

// notCopied are samples that are read only where TALLYSTICK_CORPORA names a
// folder with them: the larger ones, and the Kafka lines whose names are not
// ours to publish, of which the golden files have variants.
var notCopied = []string{"apache/lnav.shop_access_log.0", "apache/opensearch.apache.raw.log", "nginx/opensearch.nginx.raw.log", "nginx/telegraf.nginx_logs",
	"kafka/authorizer.variants.log", "kafka/request.variants.log"}

// TestSamples reads the samples: each line becomes an event or is rejected for
// the reason that stands next to it.
func TestSamples(t *testing.T) {
	root := os.Getenv("TALLYSTICK_CORPORA")
	for _, s := range samples {
		switch {
		case s.copy != "":
			t.Run(s.copy, func(t *testing.T) { readSample(t, filepath.Join("testdata", s.copy), s.formats, s.rejected) })
		case !slices.Contains(notCopied, s.file):
			t.Run(s.file, func(t *testing.T) { readSample(t, filepath.Join("testdata/corpora", s.file), s.formats, s.rejected) })
			continue
		}
		if root != "" && (s.copy == "" || len(s.formats) == 1 && !strings.Contains(s.file, "all.syslog")) {
			t.Run(s.file, func(t *testing.T) { readSample(t, filepath.Join(root, s.file), s.formats, s.rejected) })
		}
	}
	everySampleIsRead(t, "testdata/corpora")
	if root != "" {
		everySampleIsRead(t, root)
	}
}

// everySampleIsRead wants each log under a folder to stand in samples.
func everySampleIsRead(t *testing.T, root string) {
	t.Helper()
	known := map[string]bool{}
	for _, s := range samples {
		known[s.file] = true
	}
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		for _, n := range notLogs {
			if strings.Contains(name, n) {
				return err
			}
		}
		if !known[filepath.ToSlash(name)] {
			t.Errorf("%s is no sample of this test", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func readSample(t *testing.T, path string, formats []string, want []rejected) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if formats == nil {
		f, err := os.ReadFile(strings.TrimSuffix(path, ".log") + ".format")
		if err != nil {
			t.Fatal(err)
		}
		formats = []string{strings.TrimSpace(string(f))}
	}
	left := map[int]audit.Rejection{}
	for n, format := range formats {
		refused := map[int]audit.Rejection{}
		for _, r := range process(t, format, data).Rejections {
			if before, ok := left[r.Line]; n == 0 {
				refused[r.Line] = r
			} else if ok {
				refused[r.Line] = before
			}
		}
		left = refused
	}
	for _, w := range want {
		n := 0
		for line, r := range left {
			if n < w.lines && strings.Contains(r.Expected, w.expected) {
				delete(left, line)
				n++
			}
		}
		if n != w.lines {
			t.Errorf("%d lines were rejected that are %s; want %d", n, w.why, w.lines)
		}
	}
	lines := bytes.Split(data, []byte("\n"))
	for line, r := range left {
		t.Errorf("line %d, column %d: %s, expected %s: %.200s", line+1, r.Column, r.Reason, r.Expected, lines[line])
	}
}
