package transform_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tallystick/tallystick/masking/detect"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/pseudonym"
	"github.com/tallystick/tallystick/masking/transform"
)

func domain(t testing.TB, name string) *keys.Domain {
	t.Helper()
	d, err := keys.OpenDomain(filepath.Join(t.TempDir(), name), name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func policy(t testing.TB, yaml string) *transform.Policy {
	t.Helper()
	p, err := transform.ParsePolicy("policy.yaml", []byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func masker(t testing.TB, yaml string, d *keys.Domain) *transform.Masker {
	t.Helper()
	m, err := transform.New(policy(t, yaml), detect.Default(), d)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

const all = `version: 1
domain: partner-a
text: detect
fields:
  ts: date month
  level: keep
  meta: keep
  user.email: pseudonym
  user.name: redact
  user.note: drop
  user.born: age 0 18 30 50 65
  user.ip: truncate
  user.tags: keep
  card: last 4
  zip: first 2
  amount: round 100
  score: bands 0 10 100
  pos: place 1
  id: token
  account: format
  visit: random
  message: detect
  "*.code": keep
found:
  email: pseudonym
  user.financial: last 4
  ipv4: truncate 16
  user.device: redact
`

var tokens = regexp.MustCompile(`(v1|t1|r1)\.[A-Za-z0-9_.-]+`)

func TestLine(t *testing.T) {
	m := masker(t, all, domain(t, "partner-a"))
	for _, tc := range []struct{ name, in, want string }{
		{"keep and coarsen", `{"ts":"2026-11-21T13:05:22Z","level":"info","zip":"24103","amount":1249.5,"score":12}`,
			`{"ts":"2026-11","level":"info","zip":"24***","amount":1200,"score":"10-99"}`},
		{"not named", `{"level":"info","who":"ana","n":1,"ok":true,"nothing":null,"deep":{"a":["x",{"b":2}]}}`,
			`{"level":"info","[redacted]":"[redacted]","[redacted] 2":"[redacted]","[redacted] 3":"[redacted]","[redacted] 4":null,"[redacted] 5":{"[redacted]":["[redacted]",{"[redacted]":"[redacted]"}]}}`},
		{"names that a person gave", `{"ana@example.com":1,"le\u0076el":3}`, `{"[redacted]":"[redacted]","le\u0076el":3}`},
		{"tokens", `{"user":{"email":"Ana@Example.com","name":"Ana","note":{"x":[1,2]},"ip":"203.0.113.7","born":"2001-02-03"},"id":7,"visit":"a"}`,
			`{"user":{"email":"v1.T","name":"[redacted]","ip":"203.0.113.0/24","born":"18-29"},"id":"t1.T","visit":"r1.T"}`},
		{"drop at both ends", `{"user":{"note":1,"tags":["a","b"],"note":2}}`, `{"user":{"tags":["a","b"]}}`},
		{"kept as a whole", `{"meta":{"ana":[1,{"b":null}]}}`, `{"meta":{"ana":[1,{"b":null}]}}`},
		{"an object where a value was named", `{"card":{"number":"4111111111111111"},"message":{"a":"b"}}`, `{"card":"[redacted]","message":"[redacted]"}`},
		{"arrays are no step", `{"user":[{"ip":["203.0.113.7","x"]}]}`, `{"user":[{"ip":["203.0.113.0/24","[redacted]"]}]}`},
		{"any name", `{"x":{"code":7},"y":{"code":8,"z":9}}`, `{"[redacted]":{"code":7},"[redacted] 2":{"code":8,"[redacted]":"[redacted]"}}`},
		{"too short to keep a part", `{"card":"1234567","zip":"241"}`, `{"card":"[redacted]","zip":"[redacted]"}`},
		{"last", `{"card":"4111 1111 1111 1111","pos":"52.5200,13.4050"}`, `{"card":"***1111","pos":"52.5,13.4"}`},
		{"text in a field", `{"message":"mail \"b@c.de\" from 198.51.100.7"}`, `{"message":"mail \"v1.T\" from 198.51.0.0/16"}`},
		{"text", `198.51.100.7 paid with 4111111111111111, mac 5a:1b:44:11:3a:b7, cpf=52998224725`, `198.51.0.0/16 paid with ***1111, mac [redacted], cpf=[redacted]`},
		{"text encoded", `GET /?e=b%40c.de&card=4111%201111%201111%201111 HTTP/1.1`, `GET /?e=v1.T&card=***1111 HTTP/1.1`},
		{"JSON array as text", `["a@b.de"]`, `["v1.T"]`},
		{"spaces", ` { "level" : "a" , "zip" : "24103" } `, `{"level":"a","zip":"24***"}`},
		{"empty", ``, ``},
		{"empty object", `{}`, `{}`},
		{"not UTF-8", "{\"level\":\"a\xff\",\"zip\":\"\xff4103\"}", "{\"level\":\"a\ufffd\",\"zip\":\"\\ufffd4***\"}"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, err := m.Line([]byte("x"), tc.in)
			if err != nil {
				t.Fatal(err)
			}
			got := tokens.ReplaceAllString(string(out[1:]), "$1.T")
			if diff := cmp.Diff(got, tc.want); diff != "" {
				t.Errorf("(-got +want):\n%s", diff)
			}
			if strings.HasPrefix(tc.want, "{") && !json.Valid(out[1:]) {
				t.Error("it is no JSON")
			}
		})
	}
}

func TestLineFaults(t *testing.T) {
	m := masker(t, all, domain(t, "partner-a"))
	for _, tc := range []struct {
		name, in string
		column   int
		reason   string
	}{
		{"no end", `{"level":"a"`, 13, "a comma or }"},
		{"no end of a string", `{"level":"a`, 12, "within a string"},
		{"no value", `{"level":}`, 10, "no JSON value"},
		{"no name", `{1:2}`, 2, "name of a field"},
		{"no colon", `{"a" 1}`, 6, "colon"},
		{"comma", `{"a":1,}`, 8, "name of a field"},
		{"array", `{"a":[1 2]}`, 9, "a comma or ]"},
		{"array ends", `{"a":[1,`, 9, "within a value"},
		{"escape", `{"a":"\x41"}`, 7, "no escape"},
		{"escape u", `{"a":"\u00g1"}`, 7, "no escape"},
		{"control", "{\"a\":\"\x01\"}", 7, "control character"},
		{"number", `{"a":01}`, 6, "no number"},
		{"more", `{"a":1} {"b":2}`, 9, "nothing more"},
		{"dropped and broken", `{"user":{"note":[1,}}`, 20, "no JSON value"},
		{"depth", strings.Repeat(`{"a":`, 70), 5*64 + 1, "deeper than 64"},
		{"depth of arrays", `{"a":` + strings.Repeat(`[`, 1<<20), 5 + 63 + 1, "deeper than 64"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, err := m.Line([]byte("x"), tc.in)
			var fault *transform.LineError
			if !errors.As(err, &fault) || fault.Column != tc.column || !strings.Contains(fault.Reason, tc.reason) || string(out) != "x" {
				t.Errorf("got %q, %v", out, err)
			}
		})
	}
}

func TestTokens(t *testing.T) {
	a, b := domain(t, "partner-a"), domain(t, "partner-b")
	ma, mb := masker(t, all, a), masker(t, strings.Replace(all, "partner-a", "partner-b", 1), b)
	line := func(m *transform.Masker, s string) string {
		t.Helper()
		out, err := m.Line(nil, s)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	t.Run("one value, one token, by path and in text", func(t *testing.T) {
		want := pseudonym.Token(a.Pseudonyms, "email", "ana@example.com")
		for _, s := range []string{`{"user":{"email":"ANA@example.com"}}`, `{"message":"<ana@example.com>"}`, `GET /?q=ana%2540example.com`} {
			if got := line(ma, s); !strings.Contains(got, want) {
				t.Errorf("%s", got)
			}
		}
	})
	t.Run("domains share none", func(t *testing.T) {
		for _, s := range []string{`{"user":{"email":"ana@example.com"}}`, `{"id":"ana"}`, `{"account":"12345678"}`} {
			first := line(ma, s)
			if first == line(mb, s) {
				t.Errorf("%s is the same in both", s)
			}
			if again := line(ma, s); again != first {
				t.Errorf("%s changes", s)
			}
		}
	})
	t.Run("reversible tokens come back", func(t *testing.T) {
		out := line(ma, `{"id":"Ana Souza ☃"}`)
		if got := ma.Restore("x " + out + " y " + out); strings.Count(got, "Ana Souza ☃") != 2 || strings.Contains(got, "t1.") {
			t.Errorf("restored %s", got)
		}
		if got := mb.Restore(out); got != out {
			t.Errorf("another domain restored %s", got)
		}
		forged := strings.Replace(out, "t1.", "t1."+a.SealID+".AAAA.", 1)
		if got := ma.Restore(forged); strings.Contains(got, "Ana") && !strings.Contains(forged, "Ana") {
			t.Errorf("restored a forged token: %s", got)
		}
	})
	t.Run("formats are kept", func(t *testing.T) {
		out := line(ma, `{"account":"1234-5678 90"}`)
		if !regexp.MustCompile(`^{"account":"\d{4}-\d{4} \d\d"}$`).MatchString(out) || strings.Contains(out, "1234-5678") {
			t.Errorf("got %s", out)
		}
		for _, s := range []string{"12345", "1234567a", "Ana"} {
			if got := line(ma, `{"account":"`+s+`"}`); got != `{"account":"[redacted]"}` {
				t.Errorf("%d characters: %s", len(s), got)
			}
		}
	})
	t.Run("random tokens last as long as the masker", func(t *testing.T) {
		first := line(ma, `{"visit":"a"}`)
		if again := line(ma, `{"visit":"a"}`); again != first || first == line(ma, `{"visit":"b"}`) {
			t.Error("one value has two tokens, or two values one")
		}
		if line(masker(t, all, a), `{"visit":"a"}`) == line(ma, `{"visit":"a"}`) {
			t.Error("two maskers made the same token")
		}
	})
}

func TestCounts(t *testing.T) {
	m := masker(t, all, domain(t, "partner-a"))
	for _, s := range []string{`{"level":"a","zip":"2410","zip":"x","who":1}`, "mail a@b.de", `{"zip":[]}`} {
		if _, err := m.Line(nil, s); err != nil {
			t.Fatal(err)
		}
	}
	want := []transform.Count{
		{Rule: "level", Values: 1}, {Rule: "zip", Values: 2, Changed: 2, Refused: 1},
		{Rule: "found email", Values: 1, Changed: 1}, {Rule: "", Values: 1, Changed: 1},
	}
	if diff := cmp.Diff(m.Counts(), want); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
}

func TestTextIsRedactedByDefault(t *testing.T) {
	m := masker(t, "version: 1\ndomain: a\n", nil)
	for in, want := range map[string]string{"hello": "[redacted]", "": "", `{"a":1}`: `{"[redacted]":"[redacted]"}`} {
		if out, err := m.Line(nil, in); err != nil || string(out) != want {
			t.Errorf("%q became %q, %v", in, out, err)
		}
	}
}

func TestNewFaults(t *testing.T) {
	if _, err := transform.New(policy(t, all), detect.Default(), nil); err == nil || !strings.Contains(err.Error(), "keys") {
		t.Errorf("no keys: %v", err)
	}
	if _, err := transform.New(policy(t, all), detect.Default(), domain(t, "other")); err == nil || !strings.Contains(err.Error(), "partner-a") {
		t.Errorf("keys of another domain: %v", err)
	}
	if _, err := transform.New(policy(t, "version: 1\ndomain: a\nfound: {emails: redact}"), detect.Default(), nil); err == nil || !strings.Contains(err.Error(), `"emails"`) {
		t.Errorf("unknown kind: %v", err)
	}
}

func TestPolicyFaults(t *testing.T) {
	const head = "version: 1\ndomain: a\n"
	for _, tc := range []struct{ name, yaml, want string }{
		{"version", "version: 2\ndomain: a", "version 2"},
		{"domain", "version: 1\ndomain: A b", "no name of a domain"},
		{"no domain", "version: 1", "no name of a domain"},
		{"unknown key", head + "field: {}", "unknown key"},
		{"text", head + "text: keep", `"keep"`},
		{"confidence", head + "confidence: 200", "200"},
		{"transform", head + "fields: {a: hash}", "policy.yaml:3"},
		{"empty", head + "fields: {a: ''}", "no transform"},
		{"arguments", head + "fields: {a: first}", "first takes"},
		{"number", head + "fields: {a: last 0}", "no whole number"},
		{"bits", head + "fields: {a: truncate 33}", "no whole number"},
		{"kind", head + "fields: {a: pseudonym E-Mail}", "no name of a kind"},
		{"unit", head + "fields: {a: date week}", "no unit"},
		{"step", head + "fields: {a: round 0}", "above zero"},
		{"edges", head + "fields: {a: bands 5 1}", "after a larger"},
		{"no edge", head + "fields: {a: bands x}", "no number"},
		{"empty step", head + "fields: {a..b: keep}", "empty step"},
		{"within", head + "fields: {a: keep, a.b: redact}", "shorter path"},
		{"detect what was found", head + "found: {email: detect}", "for fields"},
		{"found transform", head + "found: {email: hash}", "no transform"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := transform.ParsePolicy("policy.yaml", []byte(tc.yaml)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v", err)
			}
			if formal := tc.name != "edges" && tc.name != "step" && tc.name != "within" && tc.name != "bits" && tc.name != "empty step"; formal && schema(t, tc.yaml) == nil {
				t.Error("the JSON Schema takes it")
			}
		})
	}
	if err := schema(t, all); err != nil {
		t.Errorf("the JSON Schema refuses a good policy: %v", err)
	}
}

// schema checks a policy by the JSON Schema for editors.
func schema(t *testing.T, policy string) error {
	t.Helper()
	raw, err := os.ReadFile("../../schemas/masking/policy.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("policy.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("policy.json")
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := yaml.Unmarshal([]byte(policy), &v); err != nil {
		return err
	}
	j, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	in, err := jsonschema.UnmarshalJSON(bytes.NewReader(j))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(in)
}

// FuzzLine: what comes out of a JSON object is JSON, and no canary survives in
// fields that are not named.
func FuzzLine(f *testing.F) {
	f.Add(`{"a":["canary-77319",{"canary-77319":"x canary-77319 y"}]}`)
	f.Add(`{"user":{"email":"canary-77319@b.de","note":[{}]},"message":"a@b.de"}`)
	m := masker(f, "version: 1\ndomain: a\nfields: {level: keep, user.note: drop, user.email: redact}", nil)
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ContainsAny(s, "\n\r") {
			return
		}
		out, err := m.Line(nil, s)
		if err != nil {
			var fault *transform.LineError
			if !errors.As(err, &fault) || fault.Column < 1 || fault.Column > len(s)+1 {
				t.Fatalf("%v", err)
			}
			return
		}
		if strings.HasPrefix(s, "{") && json.Valid([]byte(s)) != json.Valid(out) {
			t.Fatalf("valid: in %v, out %v", json.Valid([]byte(s)), json.Valid(out))
		}
		if !strings.Contains(s, "level") && strings.Contains(string(out), "canary-77319") {
			t.Fatal("a value came through")
		}
	})
}

func BenchmarkLine(b *testing.B) {
	m := masker(b, "version: 1\ndomain: partner-a\ntext: detect\nfields: {client: truncate, user: pseudonym email, target: detect, ref: drop, session: pseudonym, time: keep, status: keep, bytes: keep, agent: keep}\n"+
		"found: {email: pseudonym, ipv4: truncate, card: last 4, session: pseudonym}", domain(b, "partner-a"))
	for _, tc := range []struct{ name, line string }{
		{"text", `203.0.113.77 - - [21/Nov/2026:13:05:22 +0000] "GET /v1/search?email=alice.meyer%40example.com&card=4111111111111111&JSESSIONID=0a1b2c3d4e5f60718293 HTTP/1.1" 200 5123 "https://shop.example/start" "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36"`},
		{"json", `{"time":"2026-11-21T13:05:22Z","client":"203.0.113.77","user":"alice.meyer@example.com","session":"0a1b2c3d4e5f60718293","ref":"https://shop.example/start","status":200,"bytes":5123,"agent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36"}`},
	} {
		b.Run(tc.name, func(b *testing.B) {
			var dst []byte
			b.SetBytes(int64(len(tc.line)))
			b.ReportAllocs()
			for b.Loop() {
				var err error
				if dst, err = m.Line(dst[:0], tc.line); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
