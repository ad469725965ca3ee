package services_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// leakFormat is a log_format with everything that nginx can tell.
const leakFormat = `nginx:$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"` +
	` "$http_x_forwarded_for" $ssl_protocol "$ssl_cipher" "$ssl_client_s_dn" "$http_authorization" "$cookie_session" "$http_x_purpose" "$request_id" "$host" "$ssl_server_name" "$upstream_addr" "$http_x_diary"`

// leakConfig taps all formats; the nginx one with every variable is full.
const leakConfig = `
data: data
datamap: datamap.yaml
console: {listen: "127.0.0.1:0"}
sources:
- {name: web, file: logs/web.log, format: "nginx:combined", system: shop, labels: {site: berlin}}
- {name: full, file: logs/full.log, format: '` + leakFormat + `', system: shop, principal: [remote_user, client_subject], purpose: "header:x-purpose", trusted_proxies: [203.0.113.0/24]}
- {name: api, file: logs/api.log, format: "envoy:json", system: crm, principal: ["field:user", client_san, client_subject], purpose: "field:purpose", trusted_proxies: [10.0.0.0/8]}
- {name: bus, file: logs/bus.log, format: "kafka:authorizer", timezone: UTC, system: events}
`

const leakMap = `
organisation: {key: own, name: Aurora Outdoor GmbH, country: DE, address: "Seestrasse 1, Berlin", dpo: {name: Office, email: dpo@aurora.example}, encarregado: {name: Encarregado, email: e@aurora.example}}
systems:
- {key: shop, name: Web shop, country: DE}
- {key: crm, name: Customer service, country: DE}
- {key: events, name: Event bus, country: DE}
purposes:
- {key: support, name: {en: Support, pt-BR: Atendimento}, data_use: essential.service.operations.support, legal_basis: {gdpr: "6(1)(b)", lgpd: "7-V"}, business_purpose: performing services, categories: [user.contact], subject_types: [customer], retention: 24 months, from: 2024-01-01, source: the person}
resources:
- {system: shop, match: "GET /v1/customers/{subject:customer_id}", dataset: customers, categories: [user.contact], subject_types: [customer], purposes: [support]}
- {system: shop, match: "GET /search?email={subject:email}", categories: [user.contact.email], subject_types: [customer], purposes: [support]}
- {system: crm, match: "GET /v1/customers/{subject:customer_id}", dataset: customers, categories: [user.contact], subject_types: [customer], purposes: [support]}
- {system: events, match: "topic customer-events", categories: [user.contact], subject_types: [customer], purposes: [support]}
principals:
- {match: agent14, kind: staff, label: Support (agent 14)}
- {match: lumen-etl, kind: recipient, org: lumen, label: Lumen}
- {match: "KND-*", kind: self, subject: customer_id}
organisations:
- {key: lumen, name: Lumen Pvt Ltd, type: processor, country: IN, contract: DPA-1, contract_from: 2024-01-01, contract_until: 2035-12-31}
`

// leakLines are lines of every source with every canary in every place.
func leakLines(at time.Time) map[string][]string {
	return map[string][]string{"web": webLines(at), "full": fullLines(at), "api": apiLines(at), "bus": busLines(at)}
}

// encodings are ways in which a client may write a value into a URL.
func encodings(v string) []string {
	q := url.QueryEscape(v)
	return []string{q, url.QueryEscape(q), percentAll(v), url.QueryEscape(strings.ToUpper(v)), base64.URLEncoding.EncodeToString([]byte(v)), fmt.Sprintf("%x", v)}
}

// webLines are combined lines: ordinary, hostile and broken ones.
func webLines(at time.Time) []string {
	const agent = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
	ip := value("IPv4 address of a client")
	var out []string
	line := func(addr, user, request string, status int, referer, agent string) {
		out = append(out, combined(at.Add(time.Duration(len(out))*time.Second), addr, user, request, status, referer, agent))
	}
	for _, c := range canaries {
		for _, v := range encodings(c.value) {
			line(ip, "-", "GET /search?email="+v+" HTTP/1.1", 200, "https://shop.example/search?email="+v, agent)
		}
		q, raw := url.QueryEscape(c.value), nginxEscape(c.value)
		noSpace := strings.ReplaceAll(raw, " ", "_")
		line(ip, "-", "GET /v1/customers/"+q+" HTTP/1.1", 200, "-", agent)
		line(ip, "-", "GET /files/"+q+"/photo.jpg?"+q+"=1&"+q+" HTTP/2.0", 200, "-", agent)
		line(ip, "-", "GET /a/"+noSpace+" HTTP/1.1", 404, noSpace, noSpace)
		line(ip, noSpace, "GET /account HTTP/1.1", 200, "-", agent)
		line(ip, noSpace, "GET /account HTTP/1.1", 401, "https://"+noSpace+"/x", "Safari "+raw)
		line(noSpace, "-", "GET / HTTP/1.1", 200, "-", agent)
		line(ip, "-", noSpace+" / HTTP/1.1", 200, "-", agent)
		line(ip, "-", "GET http://"+noSpace+"/ HTTP/1.1", 200, "https://"+noSpace, agent)
		line(ip, "-", "CONNECT "+noSpace+":443 HTTP/1.1", 200, "-", agent)
		line(ip, "-", "GET /#"+noSpace+" HTTP/"+noSpace, 200, "-", agent)
		line(ip, "-", raw, 400, "-", "-")
		out = append(out, raw, "x "+c.value, combined(at, ip, raw, raw, 200, raw, raw)[:40+len(raw)/2],
			strings.Replace(page(at, 1), "/2026:", "/"+raw+":", 1), page(at, 1)+` "`+raw+`"`)
	}
	line(value("IPv6 address"), "-", "GET /v1/customers/"+value("customer id")+" HTTP/1.1", 200, "-", agent)
	line(ip, value("customer id"), "GET /v1/customers/"+value("customer id")+" HTTP/1.1", 200, "-", agent)
	for range 25 { // a burst of denials
		line(ip, value("name as user"), "POST /login HTTP/1.1", 403, "-", agent)
	}
	return append(out, "", strings.Repeat("long "+value("free text")+" ", 4000), "nul \x00 "+value("name as user"), "no text "+value("bytes that are no text"))
}

// fullLines have a canary in each variable.
func fullLines(at time.Time) []string {
	var out []string
	for _, c := range canaries {
		v := nginxEscape(c.value)
		word := strings.ReplaceAll(v, " ", "_")
		for place := range 11 {
			f := [...]string{"-", "203.0.113.9, 198.51.100.7", "TLSv1.3", "TLS_AES_256_GCM_SHA384", "-", "-", "-", "support", "-", "shop.example", "10.1.2.3:443"}
			f[place] = v
			if place == 0 {
				f[0] = word
			}
			out = append(out, fmt.Sprintf(`203.0.113.217 - %s [%s] "GET /v1/customers/%s HTTP/1.1" 200 5 "-" "curl/8.5.0" "%s" TLSv1.1 "%s" "%s" "Bearer %s" "%s" "%s" "%s" "%s" "%s" "%s" "%s"`,
				f[0], at.Format("02/Jan/2006:15:04:05 -0700"), url.PathEscape(value("customer id")), f[1], f[3], f[4], f[5], f[6], f[7], f[8], f[9], f[9], f[10], f[2]))
		}
	}
	return out
}

// apiLines are JSON lines with a canary under each key, known or not.
func apiLines(at time.Time) []string {
	keys := []string{"method", "path", "authority", "protocol", "response_flags", "x_forwarded_for", "user_agent", "referer", "request_id", "upstream_host",
		"downstream_remote_address", "downstream_direct_remote_address", "requested_server_name", "downstream_tls_version", "downstream_tls_cipher",
		"downstream_peer_subject", "downstream_peer_uri_san", "downstream_peer_fingerprint_256", "user", "purpose", "diary", "route_name",
		"response_code_details", "upstream_cluster", "response_code", "duration", "bytes_sent", "start_time", "access_log_type", "session"}
	base := func() map[string]any {
		return map[string]any{"start_time": at.Format(time.RFC3339Nano), "method": "GET", "path": "/v1/customers/" + value("customer id"), "protocol": "HTTP/2",
			"response_code": 200, "bytes_sent": 5, "authority": "crm.example", "downstream_remote_address": value("IPv4 address of a client") + ":40022",
			"user": "agent14", "purpose": "curiosity", "downstream_tls_version": "TLSv1.1"}
	}
	var out []string
	for _, c := range canaries {
		for _, k := range keys {
			m := base()
			m[k] = c.value
			out = append(out, marshal(m))
		}
		m := base()
		m[c.value] = "a key that nobody knows"
		m["nested"] = map[string]any{c.value: []string{c.value}}
		line := marshal(m)
		out = append(out, line, line[:len(line)/2], "{"+c.value, `{"log":`+marshal(line)+`,"stream":"stdout"}`)
	}
	m := base()
	m["x_forwarded_for"], m["downstream_remote_address"] = value("IPv4 address behind a proxy")+", "+value("IPv6 address"), "10.0.0.9:4000"
	return append(out, marshal(m))
}

func marshal(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// busLines are authorizer lines with a canary as principal, host and resource.
func busLines(at time.Time) []string {
	var out []string
	line := func(user, verdict, operation, host, resource string) {
		out = append(out, fmt.Sprintf("[%s] INFO Principal = User:%s is %s operation = %s from host = %s on resource = %s for request = Fetch with resourceRefCount = 1 based on rule MatchingAcl (kafka.authorizer.logger)",
			at.Format("2006-01-02 15:04:05,000"), user, verdict, operation, host, resource))
	}
	for _, c := range canaries {
		for _, verdict := range []string{"Allowed", "Denied"} {
			line(c.value, verdict, "READ", value("IPv4 address of a client"), "Topic:LITERAL:customer-events")
			line("lumen-etl", verdict, "READ", c.value, "Topic:LITERAL:customer-events")
			line("lumen-etl", verdict, "READ", "198.51.100.21", "Group:LITERAL:"+c.value)
			line("lumen-etl", verdict, "READ", "198.51.100.21", "Topic:PREFIXED:"+c.value)
			line("lumen-etl", verdict, "WRITE", "198.51.100.21", "TransactionalId:LITERAL:"+c.value)
			line("lumen-etl", verdict, "READ", "198.51.100.21", c.value+":LITERAL:x")
			line("lumen-etl", verdict, c.value, "198.51.100.21", "Topic:LITERAL:x")
		}
		out = append(out, "["+c.value+"] INFO Principal = User:x", "\tat "+c.value)
	}
	return out
}
