package datamap_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit/datamap"
	"github.com/tallystick/tallystick/internal/text"
)

var update = flag.Bool("update", false, "write the .err files anew")

func load(t testing.TB, name string) *datamap.Map {
	t.Helper()
	m, err := datamap.Load(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestFaults(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d cases, %v", len(files), err)
	}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".yaml")
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			_, err = datamap.Parse("datamap.yaml", data)
			if err == nil {
				t.Fatal("no error")
			}
			got := "error: " + err.Error() + "\nhint: " + text.HintOf(err) + "\n"
			golden := strings.TrimSuffix(f, ".yaml") + ".err"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Fatalf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestLoadMissing(t *testing.T) {
	_, err := datamap.Load(filepath.Join(t.TempDir(), "datamap.yaml"))
	if err == nil || !strings.Contains(text.HintOf(err), "tallystick init") {
		t.Fatalf("%v, %q", err, text.HintOf(err))
	}
}

func TestAsOf(t *testing.T) {
	m := load(t, "good.yaml")
	if len(m.Warnings()) != 0 {
		t.Fatalf("warnings: %v", m.Warnings())
	}
	day := func(s string) time.Time {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	analytics, mailer := m.Purpose("analytics"), m.Org("mailer")
	for _, tc := range []struct {
		name      string
		got, want any
	}{
		{"before the first day", analytics.Effective(day("2024-12-31T23:59:59Z")), false},
		{"first moment", analytics.Effective(day("2025-01-01T00:00:00Z")), true},
		{"last moment", analytics.Effective(day("2026-06-30T23:59:59Z")), true},
		{"after the last day", analytics.Effective(day("2026-07-01T00:00:00Z")), false},
		{"contract", mailer.ContractAt(day("2027-12-31T12:00:00Z")), "DPA-2025-11"},
		{"contract ended", mailer.ContractAt(day("2028-01-01T00:00:00Z")), ""},
		{"no transfer yet", m.TransferAt("mailer", "US", day("2025-10-31T00:00:00Z")) == nil, true},
		{"transfer", m.TransferAt("mailer", "US", day("2025-11-01T00:00:00Z")).Instrument, "SCC 2021/914 module 2"},
		{"other country", m.TransferAt("mailer", "IN", day("2026-11-01T00:00:00Z")) == nil, true},
		{"basis", m.Purpose("support").Basis(), "GDPR 6(1)(b), LGPD 7-V"},
		{"own by word", m.Org("own").Name, "Aurora Outdoor GmbH"},
		{"pt-BR", m.Purpose("support").Name.In("pt-BR"), "Atendimento ao cliente"},
		{"plain text", m.Purpose("support").Retention.In("pt-BR"), "24 months after the last order"},
		{"digest", len(m.Digest()), 12},
		{"empty digest", datamap.Empty().Digest(), "none"},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: got %v, want %v", tc.name, tc.got, tc.want)
		}
	}
}

func TestPrincipal(t *testing.T) {
	m, err := datamap.Parse("m", []byte(`organisation: {name: A, country: DE}
systems: [{key: a}]
principals:
- {match: "svc-a*", kind: service, label: first}
- {match: svc-abc, kind: service, label: literal after the prefix}
- {match: "svc-*", kind: service, label: wide}
- {match: svc-x, kind: staff, label: literal after the wide one}
- {match: bob, kind: staff, label: bob}
- {match: "b*", kind: staff, label: b}
`))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"svc-abc": "first", "svc-b": "wide", "svc-x": "wide", "bob": "bob", "bobby": "b", "svc": "", "": ""} {
		got := ""
		if p := m.Principal(name); p != nil {
			got = p.Label
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
	if datamap.Empty().Principal("bob") != nil {
		t.Error("an empty map declares a principal")
	}
}

func TestSubjectKinds(t *testing.T) {
	if diff := cmp.Diff(load(t, "good.yaml").SubjectKinds(), []string{"customer_id", "email"}); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
	if kinds := datamap.Empty().SubjectKinds(); len(kinds) != 0 {
		t.Errorf("an empty map names %v", kinds)
	}
}

func TestTaxonomy(t *testing.T) {
	x, err := datamap.LoadTaxonomy()
	if err != nil {
		t.Fatal(err)
	}
	if len(x.Categories) != 85 || len(x.Uses) != 54 || len(x.Subjects) != 15 {
		t.Fatalf("%d categories, %d uses, %d subjects", len(x.Categories), len(x.Uses), len(x.Subjects))
	}
	for c, want := range map[string]bool{"user.health_and_medical.genetic": true, "user.contact": false, "user.demographic": false, "user.criminal_history": true, "none": false} {
		if x.Special(c) != want {
			t.Errorf("%s: got %v", c, !want)
		}
	}
	if !datamap.Covers("user.contact", "user.contact.email") || !datamap.Covers("user", "user") || datamap.Covers("user.contact", "user.contacts") || datamap.Covers("user.contact.email", "user.contact") {
		t.Error("prefix matching")
	}
}

func FuzzParse(f *testing.F) {
	for _, p := range []string{"testdata/good.yaml", "testdata/bad/match-star.yaml", "testdata/bad/malformed.yaml"} {
		data, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := datamap.Parse("f", data)
		if (m == nil) == (err == nil) {
			t.Fatal("neither or both of a map and an error")
		}
		if m != nil {
			var out datamap.Match
			m.MatchHTTP(&out, "crm", "GET", "/v1/customers/1", nil)
			m.MatchKafka(&out, "crm", "topic", "a")
			m.Principal("a")
		}
	})
}
