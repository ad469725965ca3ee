package parse

import (
	"strings"

	"github.com/tallystick/tallystick/audit"
)

// newHAProxyJSON makes the parser of log-formats that HAProxy itself writes as
// JSON (%{+json}o, since 3.0), with the names of the variables or common ones
// as keys. JSON that is put together by hand is no JSON when a client sends a
// quote: give its log-format string instead.
func newHAProxyJSON(o options) *jsonTree {
	t := newJSONTree("haproxy:json", o)
	t.protocol, t.needs = "http", ", such as ci, tr and ST or client_ip, time and status"
	for names, v := range map[string]variable{
		"tr t T Tl Ts trg trl time timestamp date request_date accept_date @timestamp": {field: fTimeAny},
		"ci client_ip client_addr src":                       {field: fRemoteAddr},
		"cp client_port":                                     {field: fRemotePort},
		"ST status status_code http_status":                  {field: fStatus},
		"B bytes_read bytes bytes_sent":                      {field: fBytesOut},
		"U bytes_uploaded":                                   {field: fBytesIn},
		"Ta time_active_ms time_active duration duration_ms": {field: fMillis},
		"HM method http_method":                              {field: fMethod},
		"HU uri http_uri":                                    {field: fRequestURI},
		"HP path http_path":                                  {field: fURI},
		"HQ query http_query":                                {field: fArgs},
		"r request http_request":                             {field: fRequest},
		"tsc ts termination_state term_state":                {field: fTermination},
		"s server server_name":                               {field: fUpstream},
		"sslv ssl_version tls_version":                       {field: fTLSVersion},
		"sslc ssl_cipher ssl_ciphers tls_cipher":             {field: fTLSCipher},
		"sni ssl_fc_sni":                                     {field: fSNI},
		"ID unique_id request_id":                            {field: fRequestID},
		"ua user_agent":                                      {field: fUserAgent},
		"host http_host":                                     {field: fHost},
		"user auth_user":                                     {field: fUser},
		"xff x_forwarded_for":                                {field: fForwarded},
	} {
		for _, n := range strings.Fields(names) {
			t.at(n, v)
		}
	}
	t.locate(o, "~")
	t.finish = func(b *audit.Batch, i int, g *values, _ *jsonRaw) bool {
		e := &b.Events[i]
		if e.Method.Empty() && e.Target.Empty() && e.Status == 0 {
			e.Protocol = "tcp"
		}
		if !g.timed {
			b.Reject(i, audit.ReasonSyntax, 1, "a time under tr, t, time or timestamp")
			return false
		}
		return true
	}
	return t
}
