package masking_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking"
	"github.com/tallystick/tallystick/masking/plain"
)

// changed is the default policy with one field's line replaced.
func changed(field, value string) []byte {
	var out []string
	for _, l := range strings.Split(string(masking.DefaultPolicySource()), "\n") {
		if strings.HasPrefix(l, "  "+field+":") {
			if value == "" {
				continue
			}
			l = "  " + field + ": " + value
		}
		out = append(out, l)
	}
	return []byte(strings.Join(out, "\n"))
}

// vaulted is a policy that keeps the originals of fields and has one transform
// beside those that have to be there.
func vaulted(fields, transform string) string {
	return "version: 1\nvault:\n  kept: [" + fields + "]\n" + `fields:
  {schema_version: keep, event_time: keep, source: keep, stream: keep, generation: keep, offset: keep, chunk: keep, version: keep, row: keep, mark: keep, ` + transform + "}\n"
}

func TestPolicyErrors(t *testing.T) {
	for _, tc := range []struct {
		name, data, want, hint string
	}{
		{"kept address", string(changed("client_ip", "keep")), "client_ip: it can hold personal data and may not be kept", "use truncate, redact or drop"},
		{"year token of a subject", string(changed("subjects", "pseudonym year")), "subjects: a token that identifies a person has to be made with the key of the day", "use pseudonym day"},
		{"year token of a session", string(changed("session_id", "pseudonym year")), "session_id: a token that identifies a person has to be made with the key of the day", "use pseudonym day"},
		{"no such transform", string(changed("host", "sha256")), `host: "sha256" is no transform`, "use keep, drop"},
		{"does not fit", string(changed("target", "truncate")), `target: it cannot be made with "truncate"`, "use template"},
		{"origin is fixed", string(changed("offset", "drop")), "offset says where an entry stands", "add offset: keep"},
		{"unknown field", string(masking.DefaultPolicySource()) + "  raw: keep\n", `there is no field "raw"`, "remove it"},
		{"version", strings.Replace(string(masking.DefaultPolicySource()), "version: 1", "version: 2", 1), "version 2 of the policy format is unknown", "write version: 1"},
		{"original of a subject without a pseudonym", vaulted("subjects", "subjects: redact"), "policy.yaml:3:10: no erasure would find the originals of subjects: it looks for people by the pseudonyms of subjects, which has none here (redact)",
			"write subjects: pseudonym day, or leave subjects out of the vault"},
		{"original of an address, nobody is named", vaulted("client_ip", "principal_id: drop"), "policy.yaml:3:10: no erasure would find the originals of client_ip: it looks for people by the pseudonyms of principal_id, which has none here (drop)",
			"write principal_id: pseudonym year, or leave client_ip out"},
		{"original of a principal that is not named", vaulted("principal_id", ""), "originals of principal_id", "write principal_id: pseudonym year"},
		{"original of a target, no subjects", vaulted("target", "principal_id: pseudonym year"), "pseudonyms of subjects", "write subjects: pseudonym day"},
		{"the second of a class", vaulted("client_ip, subjects", "principal_id: pseudonym year"), "policy.yaml:3:21: no erasure", "leave subjects out"},
		{"not YAML", "version: [", "policy.yaml:1:", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := masking.ParsePolicy("policy.yaml", []byte(tc.data))
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "policy.yaml:") || !strings.Contains(text.HintOf(err), tc.hint) {
				t.Errorf("got %v\nhint %q", err, text.HintOf(err))
			}
		})
	}
}

// withoutVault is a policy that keeps no originals.
func withoutVault(policy []byte) []byte {
	before, rest, _ := bytes.Cut(policy, []byte("vault:\n"))
	_, after, _ := bytes.Cut(rest, []byte("fields:\n"))
	return slices.Concat(before, []byte("fields:\n"), after)
}

// TestPolicyKeepsFoundOriginals: a field may be redacted and its original kept,
// where a pseudonym says whose it is.
func TestPolicyKeepsFoundOriginals(t *testing.T) {
	for _, transforms := range []string{
		"principal_id: pseudonym year, subjects: pseudonym day, client_ip: redact, target: drop", "principal_id: pseudonym day, subjects: pseudonym day",
	} {
		if _, err := masking.ParsePolicy("policy.yaml", []byte(vaulted("client_ip, target, subjects, principal_id", transforms))); err != nil {
			t.Errorf("%s: %v", transforms, err)
		}
	}
}

func TestPolicyTakesAway(t *testing.T) {
	p := plain.New
	event := audit.Event{
		Time: at, Principal: p("agent14"), PrincipalKind: audit.KindStaff, PrincipalDeclared: true, PrincipalVerified: true, RequestID: p("r"),
		Host: p("shop.example.com"), ClientAddr: p("192.0.2.7"), Status: 200, Labels: map[string]string{"a": "b"},
		Subjects: []audit.Subject{{Kind: "email", Value: p("a@b.de")}}, Protocol: "http", Carries: audit.Carries{TLS: true},
	}
	for _, tc := range []struct {
		name, field, value string
		got                func(e *audit.Entry) any
		want               any
	}{
		{"redact a text", "host", "redact", func(e *audit.Entry) any { return e.Host }, "[redacted]"},
		{"drop a text", "host", "drop", func(e *audit.Entry) any { return e.Host }, ""},
		{"not named is redacted", "host", "", func(e *audit.Entry) any { return e.Host }, "[redacted]"},
		{"redact an absent text", "sni", "redact", func(e *audit.Entry) any { return e.SNI }, ""},
		{"redact a list", "subjects", "redact", func(e *audit.Entry) any { return strings.Join(e.Subjects, " ") }, "[redacted]"},
		{"drop a list", "subjects", "drop", func(e *audit.Entry) any { return len(e.Subjects) }, 0},
		{"redact a shared list", "carries", "redact", func(e *audit.Entry) any { return strings.Join(e.Carries, " ") }, "[redacted]"},
		{"redact a number", "status_code", "redact", func(e *audit.Entry) any { return e.StatusCode }, uint16(0)},
		{"redact a truth", "principal_verified", "redact", func(e *audit.Entry) any { return e.PrincipalVerified }, false},
		{"drop a map", "labels", "drop", func(e *audit.Entry) any { return len(e.Labels) }, 0},
		{"drop a token", "request_id", "drop", func(e *audit.Entry) any { return e.RequestID }, ""},
		{"redact the principal", "principal_id", "redact", func(e *audit.Entry) any { return e.PrincipalID }, "[redacted]"},
		{"redact addresses", "client_ip", "redact", func(e *audit.Entry) any { return e.ClientIP }, "[redacted]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			policy, err := masking.ParsePolicy("policy.yaml", withoutVault(changed(tc.field, tc.value)))
			if err != nil {
				t.Fatal(err)
			}
			out := maskAll(t, masking.NewEngine(policy, dayKeys()), event)
			if got := tc.got(&out[0]); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
			if again := maskAll(t, masking.NewEngine(nil, dayKeys()), event)[0]; len(again.Carries) != 1 || again.Carries[0] != "tls" {
				t.Errorf("a policy changed the shared list: %v", again.Carries)
			}
		})
	}
}

func TestPolicyDayPrincipals(t *testing.T) {
	policy, err := masking.ParsePolicy("policy.yaml", changed("principal_id", "pseudonym day"))
	if err != nil {
		t.Fatal(err)
	}
	staff := func(day int) audit.Event {
		return audit.Event{Time: at.AddDate(0, 0, day), Principal: plain.New("agent14"), PrincipalKind: audit.KindStaff, PrincipalDeclared: true}
	}
	out := maskAll(t, masking.NewEngine(policy, dayKeys()), staff(0), staff(1))
	if out[0].PrincipalID == out[1].PrincipalID {
		t.Fatal("staff kept their token over days")
	}
}

func TestPolicyID(t *testing.T) {
	other, err := masking.ParsePolicy("p", changed("host", "drop"))
	if err != nil {
		t.Fatal(err)
	}
	if id := masking.DefaultPolicy().ID(); len(id) != 12 || id == other.ID() {
		t.Fatalf("%q, %q", id, other.ID())
	}
}
