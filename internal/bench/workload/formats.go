package workload

import (
	"fmt"
	"net"
	"strconv"
)

// Format is a text format: its name for the parser, and how it writes an
// access.
type Format struct {
	Name string
	Line func(Access) string
}

// Formats are the text formats of the servers, nginx's combined first.
func Formats() []Format {
	return []Format{
		{"nginx:combined", combined},
		{"apache:combined", combined},
		{"haproxy:http", func(a Access) string {
			return fmt.Sprintf(`%s:%d [%s] fe~ up/s1 0/0/1/12/13 %d %d - - ---- 8/8/3/1/0 0/0 {%s|%s} "%s %s HTTP/1.1"`,
				a.Addr, port(a), a.At.Format("02/Jan/2006:15:04:05.000"), a.Status, a.Bytes, a.Agent, dashless(a.Referer), a.Method, a.Target)
		}},
		{"squid:squid", func(a Access) string {
			return fmt.Sprintf("%d.%03d %6d %s TCP_MISS/%03d %d %s http://shop.example.com%s %s HIER_DIRECT/10.0.0.9 text/html",
				a.At.Unix(), a.Number%1000, 13, a.Addr, a.Status, a.Bytes, a.Method, a.Target, a.User)
		}},
		{"squid:combined", func(a Access) string { return combined(a) + " TCP_MISS:HIER_DIRECT" }},
		{"envoy:default", func(a Access) string {
			return fmt.Sprintf(`[%s] "%s %s HTTP/1.1" %d - 0 %d 13 12 "%s" "%s" "%08x-5df1-44fb-b4ad-c7bd59e1e113" "shop.example.com" "10.0.0.9:8000"`,
				a.At.Format("2006-01-02T15:04:05.000Z"), a.Method, a.Target, a.Status, a.Bytes, a.Addr, a.Agent, a.Number)
		}},
		{"envoy:istio", func(a Access) string {
			return fmt.Sprintf(`[%s] "%s %s HTTP/1.1" %d - via_upstream - "-" 0 %d 13 12 "-" "%s" "%08x-5df1-44fb-b4ad-c7bd59e1e113" "shop.example.com" "10.0.0.9:8000" inbound|8000|| 127.0.0.6:38243 10.0.0.9:8000 %s outbound_.8000_._.shop default`,
				a.At.Format("2006-01-02T15:04:05.000Z"), a.Method, a.Target, a.Status, a.Bytes, a.Agent, a.Number, net.JoinHostPort(a.Addr, strconv.Itoa(port(a))))
		}},
		{"traefik:clf", func(a Access) string {
			return combined(a) + fmt.Sprintf(` %d "shop@file" "http://10.0.0.9:8000" 13ms`, a.Number)
		}},
		{"kafka:authorizer", func(a Access) string {
			return fmt.Sprintf("[%s,%03d] DEBUG Principal = User:%s is Allowed operation = READ from host = %s on resource = Topic:LITERAL:orders-%d for request = Fetch with resourceRefCount = 1 based on rule MatchingAcl(acl=StandardAcl(resourceType=TOPIC, resourceName=orders, patternType=PREFIXED, principal=User:x, host=*, operation=READ, permissionType=ALLOW)) (kafka.authorizer.logger)",
				a.At.Format("2006-01-02 15:04:05"), a.Number%1000, named(a), a.Addr, a.Bytes)
		}},
		{"mosquitto:log", func(a Access) string {
			return fmt.Sprintf("%s: Received PUBLISH from %s (d0, q1, r0, m%d, 'site/%d/orders/%d', ... (%d bytes))",
				a.At.Format("2006-01-02T15:04:05"), named(a), a.Number%65536, a.Status, a.Bytes, a.Bytes)
		}},
		{"emqx:text", func(a Access) string {
			return fmt.Sprintf("%s [debug] tag: AUTHZ, clientid: c%d, msg: authorization_permission_allowed, peername: %s, username: %s, topic: site/%d/orders, action: PUBLISH(Q1), source: file",
				a.At.Format("2006-01-02T15:04:05.000000+00:00"), a.Number%5000, net.JoinHostPort(a.Addr, strconv.Itoa(port(a))), named(a), a.Bytes)
		}},
	}
}

func combined(a Access) string {
	return fmt.Sprintf(`%s - %s [%s] "%s %s HTTP/1.1" %d %d "%s" "%s"`,
		a.Addr, a.User, a.At.Format("02/Jan/2006:15:04:05 -0700"), a.Method, a.Target, a.Status, a.Bytes, a.Referer, a.Agent)
}

func port(a Access) int { return 32768 + a.Number%28000 }

func named(a Access) string {
	if a.User == "-" {
		return "svc-batch"
	}
	return a.User
}

func dashless(s string) string {
	if s == "-" {
		return ""
	}
	return s
}
