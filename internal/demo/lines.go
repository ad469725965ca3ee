package demo

import (
	"encoding/json"
	"fmt"
	"time"
)

// web is a request at the shop, logged by nginx as combined.
type web struct {
	addr, user, method, target string
	status, size               int
	referer, agent             string
}

func (w web) line(at time.Time) string {
	dash := func(s string) string {
		if s == "" {
			return "-"
		}
		return s
	}
	return fmt.Sprintf("%s - %s [%s] \"%s %s HTTP/1.1\" %d %d \"%s\" \"%s\"", w.addr, dash(w.user),
		at.Format("02/Jan/2006:15:04:05 -0700"), w.method, w.target, w.status, w.size, dash(w.referer), dash(w.agent))
}

// call is a request at the customer service, logged by Envoy as JSON.
type call struct {
	addr, user, purpose, tls string // an empty one is absent
	method, path             string
	status, size             int
	agent, id                string
	took                     int // milliseconds
}

func (c call) line(at time.Time) string {
	absent := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	doc := struct {
		Start     string `json:"start_time"`
		Method    string `json:"method"`
		Path      string `json:"path"`
		Protocol  string `json:"protocol"`
		Status    int    `json:"response_code"`
		Flags     string `json:"response_flags"`
		In        int    `json:"bytes_received"`
		Out       int    `json:"bytes_sent"`
		Duration  int    `json:"duration"`
		Peer      string `json:"downstream_remote_address"`
		Agent     string `json:"user_agent"`
		ID        string `json:"request_id"`
		Authority string `json:"authority"`
		Upstream  string `json:"upstream_host"`
		TLS       any    `json:"tls"`
		User      any    `json:"user"`
		Purpose   any    `json:"purpose"`
	}{
		at.Format("2006-01-02T15:04:05.000Z"), c.method, c.path, "HTTP/2", c.status, "-", 0, c.size, c.took, c.addr, c.agent, c.id,
		"crm.aurora.example", "10.20.4.11:8080", absent(c.tls), absent(c.user), absent(c.purpose),
	}
	b, err := json.Marshal(doc)
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	return string(b)
}

// check is a decision of Kafka's authorizer.
type check struct {
	user, operation, host, resource, request string
	denied                                   bool
}

func (c check) line(at time.Time) string {
	level, verdict, rule := "DEBUG", "Allowed", "MatchingAcl(acl=StandardAcl)"
	if c.denied {
		level, verdict, rule = "INFO", "Denied", "DefaultDeny"
	}
	if c.user == "broker" {
		rule = "SuperUser"
	}
	return fmt.Sprintf("[%s] %s Principal = User:%s is %s operation = %s from host = %s on resource = %s for request = %s with resourceRefCount = 1 based on rule %s (kafka.authorizer.logger)",
		at.Format("2006-01-02 15:04:05,000"), level, c.user, verdict, c.operation, c.host, c.resource, c.request, rule)
}
