package parse_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/parse"
	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/plainaccess"
)

// fuzz runs one parser over arbitrary lines, two in a batch. What it must hold:
// no panic, a rejection or an event with a time, and a column within the line.
func fuzz(f *testing.F, format, seeds string) {
	logs, err := filepath.Glob(seeds)
	if err != nil || len(logs) == 0 {
		f.Fatalf("no seeds in %s", seeds)
	}
	for _, l := range logs {
		data, err := os.ReadFile(l)
		if err != nil {
			f.Fatal(err)
		}
		for _, s := range strings.Split(string(data), "\n") {
			f.Add(s)
		}
	}
	p, err := parse.ByName(format)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b := &audit.Batch{Received: received, Events: make([]audit.Event, 2)}
		for range 2 {
			b.Lines = append(b.Lines, audit.Line{Text: plain.New(s), Length: len(s)})
		}
		p.Parse(b, 0)
		p.Parse(b, 1)
		for _, r := range b.Rejections {
			if r.Column < 0 || r.Column > len(s)+1 || r.Expected == "" {
				t.Fatalf("column %d of %d, expected %q", r.Column, len(s), r.Expected)
			}
		}
		for i := range b.Events {
			e := &b.Events[i]
			if !e.Rejected && (e.Time.IsZero() || e.ParseStatus == "" || e.Integrity == "" || e.Auth == "") {
				t.Fatalf("an event without %v %q %q %q", e.Time, e.ParseStatus, e.Integrity, e.Auth)
			}
			if len(e.Target.Reveal(plainaccess.Token{})) > 2*len(s) {
				t.Fatal("a target longer than its line")
			}
		}
	})
}

func FuzzNginxCombined(f *testing.F) { fuzz(f, "nginx:combined", "testdata/nginx/*.log") }

func FuzzNginxJSON(f *testing.F) {
	fuzz(f, `nginx:escape=json {"time":"$time_iso8601","remote_addr":"$remote_addr","request":"$request","status":$status,"rt":$request_time,"ua":"$http_user_agent","p":"$http_x_purpose"}`, "testdata/nginx/json*.log")
}

func FuzzNginxLoose(f *testing.F) {
	fuzz(f, "nginx:$remote_addr $http_user_agent $request [$time_iso8601] $args $status", "testdata/nginx/*.log")
}

func FuzzEnvoy(f *testing.F) { fuzz(f, "envoy:json", "testdata/envoy/*.log") }

func FuzzKafka(f *testing.F) { fuzz(f, "kafka:authorizer", "testdata/kafka/*.log") }

// FuzzLogFormat compiles arbitrary log_format strings.
func FuzzLogFormat(f *testing.F) {
	f.Add(`nginx:log_format x escape=json '{"a":"$time_iso8601"}' '$x';`)
	f.Add(`nginx:$remote_addr ${host} [$time_local] "$request"`)
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parse.ByName("nginx:" + s)
		if err != nil {
			return
		}
		b := &audit.Batch{Received: received, Events: make([]audit.Event, 1), Lines: []audit.Line{{Text: plain.New(s), Length: len(s)}}}
		p.Parse(b, 0)
	})
}
