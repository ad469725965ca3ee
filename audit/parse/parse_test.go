package parse_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/parse"
	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/plainaccess"
)

var update = flag.Bool("update", false, "write the golden files")

var received = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// batch makes a batch of the lines of data.
func batch(data []byte) *audit.Batch {
	b := &audit.Batch{Source: "s", Received: received}
	for i, l := range bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n")) {
		b.Lines = append(b.Lines, audit.Line{Origin: audit.Origin{Stream: "t", Offset: uint64(i)}, Text: plain.New(string(l)), Length: len(l)})
	}
	return b
}

// process parses data as a source of the format.
func process(t testing.TB, format string, data []byte) *audit.Batch {
	t.Helper()
	s, err := parse.New(map[string]source.Config{"s": {Format: format, Purpose: "header:X-Purpose"}})
	if err != nil {
		t.Fatal(err)
	}
	b := batch(data)
	if err := s.Process(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	return b
}

// clear is an event as a map with its clear values and without empty fields.
func clear(e *audit.Event) map[string]any {
	out := map[string]any{}
	v := reflect.ValueOf(e).Elem()
	for i := range v.NumField() {
		name, f := v.Type().Field(i).Name, v.Field(i)
		if f.IsZero() || name == "Origin" || name == "Received" || name == "Source" || name == "Protocol" && f.String() == "http" {
			continue
		}
		switch x := f.Interface().(type) {
		case plain.Text:
			out[name] = x.Reveal(plainaccess.Token{})
		case []plain.Text:
			l := []string{}
			for _, t := range x {
				l = append(l, t.Reveal(plainaccess.Token{}))
			}
			if len(l) > 0 {
				out[name] = l
			}
		case []audit.Field:
			m := map[string]string{}
			for _, t := range x {
				m[t.Name] = t.Value.Reveal(plainaccess.Token{})
			}
			if len(m) > 0 {
				out[name] = m
			}
		case []audit.Subject, []audit.Found:
		case audit.ParseStatus:
			if x != audit.ParseOK {
				out[name] = x
			}
		case audit.Integrity:
			if x != audit.IntegrityOK {
				out[name] = x
			}
		case time.Duration:
			out[name] = x.String()
		default:
			out[name] = x
		}
	}
	return out
}

func TestGolden(t *testing.T) {
	logs, err := filepath.Glob("testdata/*/*.log")
	if err != nil || len(logs) == 0 {
		t.Fatalf("no golden cases: %v", err)
	}
	defaults := map[string]string{"nginx": "nginx:combined", "envoy": "envoy:json", "kafka": "kafka:authorizer", "apache": "apache:combined"}
	for _, log := range logs {
		base := strings.TrimSuffix(log, ".log")
		t.Run(strings.TrimPrefix(base, "testdata/"), func(t *testing.T) {
			format := defaults[filepath.Base(filepath.Dir(log))]
			if f, err := os.ReadFile(base + ".format"); err == nil {
				format = strings.TrimSpace(string(f))
			}
			data, err := os.ReadFile(log)
			if err != nil {
				t.Fatal(err)
			}
			b := process(t, format, data)
			var got bytes.Buffer
			enc := json.NewEncoder(&got)
			enc.SetEscapeHTML(false)
			r := 0
			for i := range b.Events {
				if !b.Events[i].Rejected {
					if err := enc.Encode(clear(&b.Events[i])); err != nil {
						t.Fatal(err)
					}
					continue
				}
				rej := b.Rejections[r]
				r++
				if err := enc.Encode(map[string]any{"rejected": rej.Reason, "line": rej.Line, "column": rej.Column, "expected": rej.Expected}); err != nil {
					t.Fatal(err)
				}
			}
			if *update {
				if err := os.WriteFile(base+".json", got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(base + ".json")
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}
