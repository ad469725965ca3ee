package parse_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/parse"
	"github.com/tallystick/tallystick/masking/plain"
)

// TestNumbersOfSomethingElse: a card or the number of a patient under the key
// of a byte count must not pass as one.
func TestNumbersOfSomethingElse(t *testing.T) {
	const envoy = `{"start_time":"2026-11-21T09:14:15Z","method":"GET","path":"/","protocol":"HTTP/2","response_code":200,"bytes_sent":NUMBER}`
	const nginx = `192.0.2.1 - - [21/Nov/2026:09:14:15 +0000] "GET / HTTP/1.1" 200 NUMBER "-" "x"`
	for _, tc := range []struct {
		name, format, line string
		number             string
		bytes              uint64
		status             audit.ParseStatus
		rejected           bool
	}{
		{"envoy, a large file", "envoy:json", envoy, "999999999999", 999_999_999_999, audit.ParseOK, false},
		{"envoy, thirteen digits", "envoy:json", envoy, "7731905288416", 0, audit.ParsePartial, false},
		{"envoy, a card", "envoy:json", envoy, "4111111111111111", 0, audit.ParsePartial, false},
		{"nginx, a large file", "nginx:combined", nginx, "999999999999", 999_999_999_999, audit.ParseOK, false},
		{"nginx, a card", "nginx:combined", nginx, "4111111111111111", 0, "", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := parse.ByName(tc.format)
			if err != nil {
				t.Fatal(err)
			}
			b := &audit.Batch{Lines: []audit.Line{{Text: plain.New(strings.Replace(tc.line, "NUMBER", tc.number, 1))}}, Events: make([]audit.Event, 1)}
			p.Parse(b, 0)
			e := &b.Events[0]
			if e.Rejected != tc.rejected || !tc.rejected && (e.BytesOut != tc.bytes || e.ParseStatus != tc.status) {
				t.Errorf("%d bytes, %s, rejected %v", e.BytesOut, e.ParseStatus, e.Rejected)
			}
		})
	}
}

// Apache subtracts two times of day: where the clock was set back between them,
// the line is an access all the same, of unknown duration.
func TestClockSetBackWhileServing(t *testing.T) {
	for _, tc := range []struct {
		name, directive, value string
		want                   time.Duration
		rejected               bool
	}{
		{"microseconds", "%D", "1500", 1500 * time.Microsecond, false},
		{"microseconds below zero", "%D", "-1500", 0, false},
		{"milliseconds below zero", "%{ms}T", "-2", 0, false},
		{"seconds below zero", "%T", "-1", 0, false},
		{"no number", "%D", "-x", 0, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := parse.ByName(`apache:%h %l %u %t "%r" %>s %O ` + tc.directive + ` "%{Referer}i"`)
			if err != nil {
				t.Fatal(err)
			}
			line := `192.0.2.1 - - [21/Nov/2026:09:14:15 +0000] "GET /v1/customers/7 HTTP/1.1" 200 81 ` + tc.value + ` "-"`
			b := &audit.Batch{Lines: []audit.Line{{Text: plain.New(line)}}, Events: make([]audit.Event, 1)}
			p.Parse(b, 0)
			if e := &b.Events[0]; e.Rejected != tc.rejected || e.Duration != tc.want || !tc.rejected && e.Status != 200 {
				t.Errorf("rejected %v, %s, status %d", e.Rejected, e.Duration, e.Status)
			}
		})
	}
}
