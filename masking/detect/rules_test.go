package detect_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/detect"
)

const rules = `version: 1
countries: [US, BR]
off: [mac]
detectors:
- {kind: employee_no, category: user.workplace, pattern: 'EMP-[0-9]{6}', confidence: 80}
- {kind: member, category: user.unique_id, names: [member_no, "X-Member"]}
allow:
- {kind: email, values: [noreply@shop.example], domains: [internal.example]}
- {kind: ipv4, networks: [10.0.0.0/8]}
- {kind: employee_no, values: [EMP-000000]}
`

func TestRules(t *testing.T) {
	r, err := detect.ParseRules("rules.yaml", []byte(rules))
	if err != nil {
		t.Fatal(err)
	}
	d, err := detect.New(detect.Options{Rules: r})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, in string
		want     []string
	}{
		{"pattern", "by EMP-123456 and EMP-000000", []string{"employee_no=EMP-123456"}},
		{"pattern encoded", "q=EMP%2D123456", []string{"employee_no=EMP%2D123456"}},
		{"names", `{"memberNo":"A 17"} X-Member: 4711 member_no=&x=1`, []string{"member=A", "member=4711"}},
		{"allowed value and domains", "NoReply@Shop.example a@internal.example b@x.internal.example c@notinternal.example", []string{"email=c@notinternal.example"}},
		{"allowed network", "10.1.2.3 11.1.2.3", []string{"ipv4=11.1.2.3"}},
		{"off", "5a:1b:44:11:3a:b7", nil},
		{"phones of the countries", "call (415) 555-2671 or 11 91234-5678", []string{"phone=(415) 555-2671", "phone=11 91234-5678"}},
		{"numbers of the countries", "529.982.247-25 52998224725", []string{"cpf=529.982.247-25", "cpf=52998224725"}},
		{"plates of the countries", "placa ABC1D23", []string{"plate=ABC1D23"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			for _, m := range d.Scan(nil, tc.in) {
				got = append(got, string(m.Kind)+"="+tc.in[m.Start:m.End])
			}
			if diff := cmp.Diff(got, tc.want); diff != "" {
				t.Errorf("(-got +want):\n%s", diff)
			}
		})
	}
	if info, ok := d.Info("member"); !ok || info.Category != "user.unique_id" || len(d.Kinds()) != len(detect.Names())-1+2 {
		t.Errorf("%+v %v, %d kinds", info, ok, len(d.Kinds()))
	}
}

func TestRulesFaults(t *testing.T) {
	for _, tc := range []struct{ name, yaml, want string }{
		{"version", "version: 2", "rules.yaml:1"},
		{"unknown key", "version: 1\nallows: []", "unknown key"},
		{"country", "version: 1\ncountries: [XX]", `country "XX"`},
		{"off", "version: 1\noff: [emails]", `no detector "emails"`},
		{"built in", "version: 1\ndetectors: [{kind: email, category: user, pattern: a}]", "built-in"},
		{"kind", "version: 1\ndetectors: [{kind: A b, category: user, pattern: a}]", "no name of a kind"},
		{"category", "version: 1\ndetectors: [{kind: ab, category: system, pattern: a}]", "no category"},
		{"nothing to look for", "version: 1\ndetectors: [{kind: ab, category: user}]", "neither"},
		{"confidence", "version: 1\ndetectors: [{kind: ab, category: user, pattern: a, confidence: 101}]", "101"},
		{"syntax", "version: 1\ndetectors: [{kind: ab, category: user, pattern: '(a'}]", "missing closing"},
		{"empty match", "version: 1\ndetectors: [{kind: ab, category: user, pattern: 'a*'}]", "everything"},
		{"too large", "version: 1\ndetectors: [{kind: ab, category: user, pattern: '((a{50}){50}){50}'}]", "repeat"},
		{"too long", "version: 1\ndetectors: [{kind: ab, category: user, pattern: '" + strings.Repeat("a", 600) + "'}]", "600"},
		{"allowed kind", "version: 1\nallow: [{kind: mail, values: [a]}]", `no detector "mail"`},
		{"allows nothing", "version: 1\nallow: [{kind: email}]", "allows nothing"},
		{"network", "version: 1\nallow: [{kind: ipv4, networks: [10.0.0.1]}]", "no network"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := detect.ParseRules("rules.yaml", []byte(tc.yaml))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v", err)
			}
			_ = text.HintOf(err)
		})
	}
}

func TestOptionsFaults(t *testing.T) {
	for _, o := range []detect.Options{{Only: []detect.Kind{"x"}}, {Off: []detect.Kind{"x"}}, {Countries: []string{"xx"}}} {
		if _, err := detect.New(o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

func FuzzParseRules(f *testing.F) {
	f.Add([]byte(rules))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := detect.ParseRules("r.yaml", b); err == nil {
			if _, err := detect.New(detect.Options{Rules: r}); err != nil {
				t.Fatalf("rules that load make no detector: %v", err)
			}
		}
	})
}
