package alert_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/alert"
	"github.com/tallystick/tallystick/internal/text"
)

var update = flag.Bool("update", false, "write the golden files anew")

var start = time.Date(2026, 11, 21, 10, 2, 0, 0, time.UTC)

// law describes controls in the tests.
type law struct{}

func (law) Text(control, part, lang string) string {
	return map[string]string{
		"AC-01 title en": "Access without documented purpose", "AC-01 why en": "Personal data may be used only for purposes that were specified.",
		"AC-01 do en": "Ask for the purpose; document it, or end the access.", "AC-01 title pt-BR": "Acesso sem finalidade documentada",
		"AC-01 why pt-BR": "Dados pessoais só podem ser usados para finalidades especificadas.", "AC-01 do pt-BR": "Pergunte a finalidade; documente-a ou encerre o acesso.",
		"XX-99 title en": "Something else", "XX-99 title pt-BR": "Outra coisa", "GV-03 title en": "Hole in the record", "GV-03 title pt-BR": "Falha no registro",
		"GP-01 title en": "Undeclared resource", "GP-01 title pt-BR": "Recurso não declarado",
	}[control+" "+part+" "+lang]
}

func (law) Articles(string) []string {
	return []string{"GDPR Art. 5(1)(b)", "CCPA § 1798.100(c)", "LGPD Art. 6, I"}
}

func (law) System(key string) string       { return strings.ToUpper(key) }
func (law) Organisation(key string) string { return key + " Inc." }
func (law) Received(_ context.Context, source string, _, _ time.Time) (float64, bool, error) {
	return 0.998, source == "crm-proxy", nil
}

func composer(t *testing.T, lang string) *alert.Composer {
	t.Helper()
	c, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	return &alert.Composer{Text: c.For(lang), Controls: law{}, Names: law{}, Completeness: law{}, BaseURL: "https://audit.example/"}
}

// customers is a group in which one agent reads n customers' contact data.
func customers(n int, change func(f *audit.Finding)) *alert.Group {
	var g *alert.Group
	for i := range n {
		f := &audit.Finding{
			ID: fmt.Sprintf("F%d", i), Kind: audit.Violation, Control: "AC-01", ControlVersion: 1, Severity: audit.SeverityHigh,
			Time: start.Add(time.Duration(i) * 29 * time.Minute / time.Duration(max(n-1, 1))), Source: "crm-proxy", System: "crm",
			Principal: "v1.y7.AbCdEfGhIjKlMnOpQrStUv", PrincipalKind: audit.KindStaff, PrincipalLabel: "Support (agent 14)",
			Resource: "/v1/customers/{customer_id}", Categories: []string{"user.contact.email", "user.contact.phone_number"},
			Subjects: []string{fmt.Sprintf("v1.d1.%d", i)}, Count: 1, Facts: map[string]string{"action": "read", "subject_categories": "customer"},
		}
		f.Until = f.Time
		if change != nil {
			change(f)
		}
		if g == nil {
			g = alert.NewGroup(f)
		}
		principals := uint64(0)
		if i == 0 {
			principals = 1
		}
		g.Add(f, uint64(len(f.Subjects)), principals)
	}
	return g
}

func TestSentence(t *testing.T) {
	for _, tc := range []struct {
		name   string
		group  *alert.Group
		en, pt string
	}{
		{
			"143 customers", customers(143, nil),
			"High: Support (agent 14) read 143 customers' contact data in CRM with no documented purpose, 10:02-10:31 UTC",
			"Alta: Support (agent 14) leu dados de contato de 143 clientes em CRM sem finalidade documentada, 10:02-10:31 UTC",
		},
		{
			"one customer, names too", customers(1, func(f *audit.Finding) { f.Categories = []string{"user.contact", "user.name.first"} }),
			"High: Support (agent 14) read one customer's contact data and names in CRM with no documented purpose, 10:02 UTC",
			"Alta: Support (agent 14) leu dados de contato e nomes de um cliente em CRM sem finalidade documentada, 10:02 UTC",
		},
		{
			"nobody named, over two days", customers(2, func(f *audit.Finding) {
				f.PrincipalLabel, f.Subjects, f.Facts, f.Categories = "", nil, nil, nil
				if f.ID == "F1" {
					f.Time, f.Until = start.Add(20*time.Hour), start.Add(20*time.Hour)
				}
			}),
			"High: A member of staff (AbCdEfGh) accessed personal data in CRM with no documented purpose, 2026-11-21 10:02 - 2026-11-22 06:02 UTC",
			"Alta: Um membro da equipe (AbCdEfGh) acessou dados pessoais em CRM sem finalidade documentada, 21/11/2026 10:02 - 22/11/2026 06:02 UTC",
		},
		{
			"TLS", customers(3, func(f *audit.Finding) {
				f.Control, f.Facts["tls_version"] = "TL-01", []string{"1.0", "1.1", "none"}[f.ID[1]-'0']
			}),
			"High: 3 customers' contact data in CRM went over TLS 1.0, TLS 1.1 and plaintext, 3 times, 10:02-10:31 UTC",
			"Alta: dados de contato de 3 clientes em CRM trafegaram por TLS 1.0, TLS 1.1 e texto claro, 3 vezes, 10:02-10:31 UTC",
		},
		{
			"personal data in URLs", customers(2, func(f *audit.Finding) { f.Control, f.Facts = "EX-03", map[string]string{"found_kinds": "email, card"} }),
			"High: payment card numbers and e-mail addresses in URLs of CRM, 2 times, 10:02-10:31 UTC",
			"Alta: números de cartão de pagamento e endereços de e-mail em URLs de CRM, 2 vezes, 10:02-10:31 UTC",
		},
		{
			"transfer", customers(2, func(f *audit.Finding) {
				f.Control, f.Severity, f.PrincipalLabel = "TR-01", audit.SeverityCritical, "Mailer"
				f.Facts["recipient"], f.Facts["dest_country"] = "mailer", "IN"
			}),
			"Critical: Mailer of mailer Inc. read 2 customers' contact data in CRM, a transfer to India without adequacy or safeguard, 10:02-10:31 UTC",
			"Crítica: Mailer de mailer Inc. leu dados de contato de 2 clientes em CRM, uma transferência para Índia sem adequação nem salvaguarda, 10:02-10:31 UTC",
		},
		{
			"denials", customers(1, func(f *audit.Finding) { f.Control, f.Count, f.Until = "DN-01", 1250, start.Add(4*time.Minute) }),
			"High: Support (agent 14) was denied 1,250 times by CRM, 10:02-10:06 UTC",
			"Alta: Support (agent 14) teve o acesso negado 1.250 vezes por CRM, 10:02-10:06 UTC",
		},
		{
			"a control of the site's own", customers(2, func(f *audit.Finding) { f.Control = "XX-99" }),
			"High: Something else: Support (agent 14) in CRM, 2 times, 10:02-10:31 UTC",
			"Alta: Outra coisa: Support (agent 14) em CRM, 2 vezes, 10:02-10:31 UTC",
		},
		{
			"a gap", customers(1, func(f *audit.Finding) { f.Control, f.Kind, f.Severity = "GP-01", audit.Gap, audit.SeverityMedium }),
			"Medium, gap in knowledge: Undeclared resource: /v1/customers/{customer_id} in CRM, 10:02 UTC",
			"Média, lacuna de conhecimento: Recurso não declarado: /v1/customers/{customer_id} em CRM, 10:02 UTC",
		},
		{
			"the record itself", customers(1, func(f *audit.Finding) { f.Control, f.Facts = "GV-03", map[string]string{"reason": "broken-chain"} }),
			"High: Hole in the record at crm-proxy: a batch that does not continue the one before, 10:02 UTC",
			"Alta: Falha no registro em crm-proxy: um lote que não continua o anterior, 10:02 UTC",
		},
	} {
		for lang, want := range map[string]string{"en": tc.en, "pt-BR": tc.pt} {
			if got := composer(t, lang).Sentence(tc.group, start); got != want {
				t.Errorf("%s, %s (-got +want)\n%s", tc.name, lang, cmp.Diff(got, want))
			}
		}
	}
}

func TestNoticeGolden(t *testing.T) {
	for _, lang := range text.Languages {
		n, err := composer(t, lang).Compose(context.Background(), customers(143, nil), 7, 1, start.Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		body, err := n.Body()
		if err != nil {
			t.Fatal(err)
		}
		var pretty map[string]any
		if err := json.Unmarshal(body, &pretty); err != nil {
			t.Fatal(err)
		}
		out, err := json.MarshalIndent(pretty, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		got := n.Data.Text + "\n" + string(out) + "\n"
		path := filepath.Join("testdata", "notice."+lang+".txt")
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got, string(want)); diff != "" {
			t.Errorf("%s (-got +want)\n%s", lang, diff)
		}
	}
}

func TestBodyStaysShort(t *testing.T) {
	g := customers(500, func(f *audit.Finding) {
		f.Resource = strings.Repeat("/x", 20_000)
		f.Source = f.ID
		f.Facts["action"] = f.ID + strings.Repeat("y", 3000)
	})
	n, err := composer(t, "en").Compose(context.Background(), g, 1, 1, start)
	if err != nil {
		t.Fatal(err)
	}
	b, err := n.Body()
	if err != nil || len(b) > alert.MaxBody || !json.Valid(b) {
		t.Errorf("%d bytes, error %v", len(b), err)
	}
}

func TestRulesDue(t *testing.T) {
	r := alert.DefaultRules()
	at := func(d time.Duration) time.Time { return start.Add(d) }
	for _, tc := range []struct {
		name        string
		times       alert.Times
		now         time.Duration
		notify, end bool
	}{
		{"just opened", alert.Times{Opened: start, Changed: start}, 9 * time.Second, false, false},
		{"collected", alert.Times{Opened: start, Changed: start}, 10 * time.Second, true, false},
		{"collected while it still grows", alert.Times{Opened: start, Changed: at(10 * time.Second)}, 10 * time.Second, true, false},
		{"told, nothing new", alert.Times{Opened: start, Changed: start, Notified: at(10 * time.Second)}, time.Minute, false, false},
		{"told, grows, too early", alert.Times{Opened: start, Changed: at(time.Minute), Notified: at(10 * time.Second)}, 2 * time.Minute, false, false},
		{"told, grows", alert.Times{Opened: start, Changed: at(time.Minute), Notified: at(10 * time.Second)}, 5*time.Minute + 10*time.Second, true, false},
		{"silent for half an hour", alert.Times{Opened: start, Changed: start, Notified: at(10 * time.Second)}, 30 * time.Minute, false, true},
		{"slept through it all", alert.Times{Opened: start, Changed: start}, time.Hour, true, true},
	} {
		notify, end := r.Due(tc.times, at(tc.now))
		if notify != tc.notify || end != tc.end {
			t.Errorf("%s: notify %v, end %v", tc.name, notify, end)
		}
		next := r.Next(tc.times)
		before, over := r.Due(tc.times, next.Add(-1))
		notify, end = r.Due(tc.times, next)
		if before || over || !notify && !end {
			t.Errorf("%s: next at %s, before it %v and %v, then %v and %v", tc.name, next.Sub(start), before, over, notify, end)
		}
	}
}

func TestKey(t *testing.T) {
	f := &audit.Finding{Principal: "p", System: "s", Source: "src", Resource: "/r", Facts: map[string]string{"recipient": "m"}}
	for _, tc := range []struct {
		name string
		by   []string
		want string
	}{
		{"by default", nil, "p\x1fs"},
		{"by resource", []string{"system_key", "url_template"}, "s\x1f/r"},
		{"by a fact", []string{"recipient", "dest_country"}, "m\x1f"},
		{"by source", []string{"source"}, "src"},
	} {
		if got := alert.Key(f, tc.by); got != tc.want {
			t.Errorf("%s: %q", tc.name, got)
		}
	}
}

func TestTold(t *testing.T) {
	for _, tc := range []struct {
		kind     audit.FindingKind
		severity audit.Severity
		want     bool
	}{{audit.Violation, audit.SeverityLow, true}, {audit.Gap, audit.SeverityMedium, false}, {audit.Gap, audit.SeverityHigh, true}} {
		if got := (&alert.Group{Kind: tc.kind, Severity: tc.severity}).Told(); got != tc.want {
			t.Errorf("%s %s: %v", tc.kind, tc.severity, got)
		}
	}
}
