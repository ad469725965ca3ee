package enrich_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/datamap"
	"github.com/tallystick/tallystick/audit/enrich"
	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/masking/plain"
)

const siteMap = `organisation: {key: aurora, name: Aurora Outdoor GmbH, country: DE}
systems:
- {key: crm, name: CRM, country: DE}
- {key: events, name: Events, country: DE}
purposes:
- {key: support, name: Support, data_use: essential.service.operations.support, legal_basis: {gdpr: "6(1)(b)", lgpd: 7-V}, from: 2025-01-01, until: 2026-06-30}
- {key: mailing, name: Mailing, data_use: marketing.communications.email, legal_basis: {gdpr: "6(1)(a)"}}
resources:
- {system: crm, match: "GET /v1/customers/{subject:customer_id}", dataset: customers, categories: [user.contact], subject_types: [customer], purposes: [support]}
- {system: crm, match: "GET /v1/mail?to={subject:email}", categories: [user.contact.email], purposes: [support, mailing]}
- {system: crm, match: "GET /v1/patients/{subject:patient_id}", categories: [user.health_and_medical], purposes: [mailing]}
- {system: crm, match: "GET /static/*", categories: []}
- {system: events, match: "topic customer-events", categories: [user.contact], purposes: [mailing]}
principals:
- {match: "svc-*", kind: service, label: Batch jobs}
- {match: agent14, kind: staff, label: Support (agent 14), country: IN}
- {match: "mailer-*", kind: recipient, org: mailer, label: Mailer}
- {match: "helper-*", kind: recipient, org: helper}
- {match: "swiss-*", kind: recipient, org: swiss}
- {match: "nowhere-*", kind: recipient, org: nowhere}
- {match: "cust-*", kind: self, subject: customer_id}
organisations:
- {key: mailer, name: Mailer Inc., type: processor, country: US, contract: DPA-2025-11, contract_until: 2027-12-31}
- {key: helper, name: Helper Ltd., type: processor, country: FR}
- {key: swiss, name: Swiss AG, country: CH}
- {key: nowhere, name: Nowhere}
transfers:
- {organisation: mailer, country: US, mechanism: scc, instrument: SCC module 2, from: 2025-11-01, until: 2027-12-31}
`

type fakeCountries map[string]string

func (f fakeCountries) Of(a string) string { return f[a] }

func stage(t testing.TB, text string) *enrich.Stage {
	t.Helper()
	m, err := datamap.Parse("datamap.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	s, err := enrich.New(m, map[string]source.Config{
		"shop":   {Name: "shop", System: "crm", Labels: map[string]string{"site": "a"}},
		"stated": {Name: "stated", System: "crm", Principal: []string{"client_san", "field:jwt_sub", "header:X-User", "remote_user"}, Purpose: "header:X-Purpose"},
		"kafka":  {Name: "kafka", System: "events"},
		"other":  {Name: "other", System: "undeclared"},
	}, fakeCountries{"192.0.2.1": "FR", "192.0.2.9": "IN"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var noon = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

// get is a verified request by user.
func get(user, path string, query ...string) audit.Event {
	e := audit.Event{Protocol: "http", Operation: "GET", Path: plain.New(path), User: plain.New(user), UserVerified: user != "", Time: noon, Status: 200, ClientAddr: plain.New("192.0.2.1")}
	for i := 0; i+1 < len(query); i += 2 {
		e.Query = append(e.Query, audit.Field{Name: query[i], Value: plain.New(query[i+1])})
	}
	return e
}

func run(t testing.TB, s *enrich.Stage, source string, e audit.Event) audit.Event {
	t.Helper()
	b := &audit.Batch{Source: source, Events: []audit.Event{e}}
	if err := s.Process(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	return b.Events[0]
}

func TestEnrich(t *testing.T) {
	e := run(t, stage(t, siteMap), "shop", get("agent14", "/v1/customers/c17"))
	got := map[string]any{
		"principal": enrich.Reveal(e.Principal), "kind": e.PrincipalKind, "verified": e.PrincipalVerified, "declared": e.PrincipalDeclared,
		"label": e.PrincipalLabel, "org": e.PrincipalOrg, "country": e.PrincipalCountry, "client": e.ClientCountry, "system": e.System,
		"resource": e.Resource, "mapped": e.ResourceMapped, "subjects": len(e.Subjects), "subject": e.Subjects[0].Kind + "=" + enrich.Reveal(e.Subjects[0].Value),
		"types": e.SubjectTypes, "categories": e.Categories, "special": e.Special, "purpose": e.Purpose, "from": e.PurposeSource,
		"documented": e.PurposeDocumented, "use": e.DataUse, "basis": e.LegalBasis, "recipient": e.Recipient, "service": e.ServiceCountry,
		"transfer": e.Transfer, "label site": e.Labels["site"],
	}
	want := map[string]any{
		"principal": "agent14", "kind": audit.KindStaff, "verified": true, "declared": true,
		"label": "Support (agent 14)", "org": "own", "country": "IN", "client": "FR", "system": "crm",
		"resource": "GET /v1/customers/{subject:customer_id}", "mapped": true, "subjects": 1, "subject": "customer_id=c17",
		"types": []string{"customer"}, "categories": []string{"user.contact"}, "special": false, "purpose": "support", "from": audit.PurposeInferred,
		"documented": true, "use": "essential.service.operations.support", "basis": "GDPR 6(1)(b), LGPD 7-V", "recipient": "", "service": "DE",
		"transfer": audit.TransferNone, "label site": "a",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("(-want +got)\n%s", diff)
	}
}

func TestPrincipalKinds(t *testing.T) {
	s := stage(t, siteMap)
	unverified := get("cust-c17", "/v1/customers/c17")
	unverified.UserVerified = false
	denied := get("agent14", "/v1/customers/c17")
	denied.Status = 401
	for _, tc := range []struct {
		name     string
		event    audit.Event
		kind     audit.PrincipalKind
		verified bool
		declared bool
	}{
		{"service", get("svc-1", "/v1/customers/c17"), audit.KindService, true, true},
		{"nobody", get("", "/v1/customers/c17"), audit.KindAnonymous, false, false},
		{"dash", get("-", "/v1/customers/c17"), audit.KindAnonymous, false, false},
		{"undeclared", get("mallory", "/v1/customers/c17"), audit.KindUnknown, true, false},
		{"self by the rule, behind its prefix", get("cust-c17", "/v1/customers/C17"), audit.KindSelf, true, false},
		{"self by the rule, whole name", get("cust-c17", "/v1/customers/cust-c17"), audit.KindSelf, true, false},
		{"somebody else's data", get("cust-c17", "/v1/customers/c18"), audit.KindUnknown, true, false},
		{"no subject in the line", get("cust-c17", "/static/x"), audit.KindSelf, true, false},
		{"unverified is no self", unverified, audit.KindUnknown, false, false},
		{"self without a rule", get("a@b.example", "/v1/mail", "to", "A@B.example"), audit.KindSelf, true, false},
		{"another kind of subject is no self", get("cust-c17", "/v1/mail", "to", "c17"), audit.KindUnknown, true, false},
		{"user on 401", denied, audit.KindStaff, false, true},
	} {
		e := run(t, s, "shop", tc.event)
		if e.PrincipalKind != tc.kind || e.PrincipalVerified != tc.verified || e.PrincipalDeclared != tc.declared {
			t.Errorf("%s: got %s, verified %v, declared %v", tc.name, e.PrincipalKind, e.PrincipalVerified, e.PrincipalDeclared)
		}
	}
}

func TestLocators(t *testing.T) {
	s := stage(t, siteMap)
	base := get("remote", "/static/x")
	base.UserVerified = false
	header, claim, san := base, base, base
	header.Fields = []audit.Field{{Name: "header:x-user", Value: plain.New("from-header")}}
	claim.Fields = []audit.Field{{Name: "header:x-user", Value: plain.New("from-header")}, {Name: "jwt_sub", Value: plain.New("from-claim")}}
	san.Fields, san.ClientCertSAN, san.ClientCertVerified = claim.Fields, plain.New("from-san"), true
	dash := base
	dash.Fields = []audit.Field{{Name: "jwt_sub", Value: plain.New("-")}}
	for _, tc := range []struct {
		name     string
		event    audit.Event
		want     string
		verified bool
	}{
		{"remote user that the server did not check", base, "remote", false}, {"header", header, "from-header", true},
		{"claim before header", claim, "from-claim", true}, {"certificate first", san, "from-san", true}, {"absent claim", dash, "remote", false},
	} {
		e := run(t, s, "stated", tc.event)
		if enrich.Reveal(e.Principal) != tc.want || e.PrincipalVerified != tc.verified {
			t.Errorf("%s: verified %v, the principal is another", tc.name, e.PrincipalVerified)
		}
	}
	if e := run(t, s, "shop", header); enrich.Reveal(e.Principal) != "remote" {
		t.Error("a header that the source does not name was believed")
	}
}

func TestPurposes(t *testing.T) {
	s := stage(t, siteMap)
	stated := func(v string, at time.Time) audit.Event {
		e := get("agent14", "/v1/customers/c17")
		e.Time = at
		if v != "" {
			e.Fields = []audit.Field{{Name: "header:x-purpose", Value: plain.New(v)}}
		}
		return e
	}
	late := noon.AddDate(1, 0, 0)
	inferredLate := get("agent14", "/v1/mail", "to", "a@b.example")
	inferredLate.Time = late
	for _, tc := range []struct {
		name, source string
		event        audit.Event
		purpose      string
		from         audit.PurposeSource
		documented   bool
		kept         bool // the stated text is kept for masking
	}{
		{"stated", "stated", stated("support", noon), "support", audit.PurposeStated, true, false},
		{"stated after its end", "stated", stated("support", late), "support", audit.PurposeStated, false, false},
		{"stated, not allowed here", "stated", stated("mailing", noon), "mailing", audit.PurposeStated, false, false},
		{"stated, unknown", "stated", stated("fun with alice", noon), "", audit.PurposeStated, false, true},
		{"nothing stated", "stated", stated("", noon), "", audit.PurposeNone, false, false},
		{"inferred", "shop", stated("", noon), "support", audit.PurposeInferred, true, false},
		{"inferred after its end", "shop", stated("", late), "", audit.PurposeNone, false, false},
		{"the next one in effect", "shop", inferredLate, "mailing", audit.PurposeInferred, true, false},
		{"no personal data", "shop", get("agent14", "/static/a"), "", audit.PurposeNone, false, false},
	} {
		e := run(t, s, tc.source, tc.event)
		if e.Purpose != tc.purpose || e.PurposeSource != tc.from || e.PurposeDocumented != tc.documented || e.PurposeStated.Empty() == tc.kept {
			t.Errorf("%s: got %q, %s, documented %v", tc.name, e.Purpose, e.PurposeSource, e.PurposeDocumented)
		}
	}
}

func TestTransfers(t *testing.T) {
	s := stage(t, siteMap)
	conditional := stage(t, siteMap+"- {organisation: helper, country: US, mechanism: adequacy, instrument: DPF}\n")
	brazil := stage(t, "organisation: {name: Loja, country: BR}\nsystems: [{key: crm, country: BR}]\nprincipals:\n- {match: \"de-*\", kind: recipient, org: de}\n- {match: \"ch-*\", kind: recipient, org: ch}\n- {match: \"br-*\", kind: recipient, org: br}\norganisations: [{key: de, country: DE}, {key: ch, country: CH}, {key: br, country: BR}]\n")
	us := stage(t, "organisation: {name: Shop, country: US}\nsystems: [{key: crm, country: US}]\nprincipals:\n- {match: \"de-*\", kind: recipient, org: de}\n- {match: \"us-*\", kind: recipient, org: us}\norganisations: [{key: de, country: DE}, {key: us, country: US}]\n")
	at := func(user string, when time.Time) audit.Event {
		e := get(user, "/v1/customers/c17")
		e.Time = when
		return e
	}
	far := at("nowhere-1", noon)
	far.ClientAddr = plain.New("192.0.2.9")
	hidden := at("nowhere-1", noon)
	hidden.ClientAddr = plain.New("10.0.0.1")
	for _, tc := range []struct {
		name      string
		stage     *enrich.Stage
		event     audit.Event
		want      audit.Transfer
		dest, ref string
	}{
		{"own staff abroad", s, at("agent14", noon), audit.TransferNone, "", ""},
		{"a person's own data", s, at("cust-c17", noon), audit.TransferNone, "", ""},
		{"nobody knows who", s, at("mallory", noon), audit.TransferUnknown, "", ""},
		{"EEA", s, at("helper-1", noon), audit.TransferEEA, "FR", ""},
		{"adequate", s, at("swiss-1", noon), audit.TransferAdequate, "CH", "Decision 2000/518/EC"},
		{"clauses", s, at("mailer-1", noon), audit.TransferSafe, "US", "SCC module 2"},
		{"before the clauses: no country passes alone", s, at("mailer-1", time.Date(2025, 10, 31, 12, 0, 0, 0, time.UTC)), audit.TransferThird, "US", ""},
		{"after the clauses", s, at("mailer-1", time.Date(2028, 1, 1, 0, 0, 0, 0, time.UTC)), audit.TransferThird, "US", ""},
		{"by the client's address", s, far, audit.TransferThird, "IN", ""},
		{"unknown country", s, hidden, audit.TransferUnknown, "", ""},
		{"Brazil to Germany", brazil, at("de-1", time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)), audit.TransferAdequate, "DE", "Resolução CD/ANPD 32/2026"},
		{"Brazil to Germany before the resolution", brazil, at("de-1", noon), audit.TransferThird, "DE", ""},
		{"Brazil to Switzerland", brazil, at("ch-1", noon), audit.TransferThird, "CH", ""},
		{"inside the US: no law of the three asks", us, at("us-1", noon), audit.TransferNone, "US", ""},
		{"from the US: no rule is known", us, at("de-1", noon), audit.TransferUnknown, "DE", ""},
		{"inside Brazil", brazil, at("br-1", noon), audit.TransferNone, "BR", ""},
	} {
		e := run(t, tc.stage, "shop", tc.event)
		if e.Transfer != tc.want || e.DestCountry != tc.dest || e.TransferRef != tc.ref {
			t.Errorf("%s: got %s to %q by %q", tc.name, e.Transfer, e.DestCountry, e.TransferRef)
		}
	}
	if e := run(t, conditional, "shop", at("mailer-1", noon)); e.Recipient != "mailer" || e.ContractRef != "DPA-2025-11" || e.PrincipalOrg != "mailer" {
		t.Errorf("recipient %q, contract %q", e.Recipient, e.ContractRef)
	}
}

// A decision with a condition needs a transfers row that says it is met, and a
// row can't claim a decision that is not in effect.
func TestConditionalAdequacy(t *testing.T) {
	for _, tc := range []struct {
		name, country, mechanism string
		want                     audit.Transfer
	}{
		{"US on the list", "US", "adequacy", audit.TransferAdequate}, {"US with clauses", "US", "scc", audit.TransferSafe},
		{"India claims adequacy", "IN", "adequacy", audit.TransferThird}, {"US without a row", "US", "", audit.TransferThird},
		{"Korea without a row", "KR", "", audit.TransferThird}, {"Canada without a row", "CA", "", audit.TransferThird},
		{"Japan without a row", "JP", "", audit.TransferThird}, {"Brazil without a row", "BR", "", audit.TransferThird},
	} {
		text := "organisation: {name: A, country: DE}\nsystems: [{key: crm, country: DE}]\nprincipals: [{match: x, kind: recipient, org: x}]\norganisations: [{key: x, country: " + tc.country + "}]\n"
		if tc.mechanism != "" {
			text += "transfers: [{organisation: x, country: " + tc.country + ", mechanism: " + tc.mechanism + ", instrument: I}]\n"
		}
		e := get("x", "/")
		e.Time = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
		if got := run(t, stage(t, text), "shop", e); got.Transfer != tc.want {
			t.Errorf("%s: got %s", tc.name, got.Transfer)
		}
	}
}

func TestUndeclared(t *testing.T) {
	s := stage(t, siteMap)
	e := run(t, s, "shop", get("agent14", "/users/alice.meyer/orders"))
	if e.ResourceMapped || e.Resource != "GET /users/{id}/orders" || len(e.Categories) != 0 || len(e.Subjects) != 0 {
		t.Errorf("got %q", e.Resource)
	}
	e = run(t, s, "other", get("agent14", "/v1/customers/c17"))
	if e.System != "" || e.ResourceMapped || e.Resource != "GET /v1/customers/{id}" {
		t.Errorf("undeclared system: got %q %q", e.System, e.Resource)
	}
	if e = run(t, s, "no such source", get("agent14", "/")); e.PrincipalKind != audit.KindStaff || e.Resource != "GET /" {
		t.Errorf("unknown source: got %s %q", e.PrincipalKind, e.Resource)
	}
	if e = run(t, s, "shop", get("agent14", "/v1/patients/7")); !e.Special {
		t.Error("health data is not special")
	}
	dirty := get("", "")
	dirty.Purpose, dirty.Resource, dirty.Transfer, dirty.Recipient, dirty.Categories, dirty.Special = "x", "x", "x", "x", []string{"x"}, true
	if e = run(t, s, "shop", dirty); e.Purpose != "" || e.Resource != "" || e.Transfer != audit.TransferNone || e.Recipient != "" || e.Categories != nil || e.Special {
		t.Errorf("a value of another line survived: %q %q %q", e.Purpose, e.Resource, e.Recipient)
	}
}

func TestKafka(t *testing.T) {
	s := stage(t, siteMap)
	line := func(user, op, kind, name string) audit.Event {
		return audit.Event{Protocol: "kafka", Operation: op, User: plain.New(user), UserVerified: user != "", ResourceType: plain.New(kind), ResourceName: plain.New(name), Time: noon}
	}
	for _, tc := range []struct {
		name     string
		event    audit.Event
		resource string
		mapped   bool
		kind     audit.PrincipalKind
	}{
		{"topic", line("svc-1", "READ", "Topic", "customer-events"), "topic customer-events", true, audit.KindService},
		{"topic of new spelling", line("svc-1", "READ", "TOPIC", "customer-events"), "topic customer-events", true, audit.KindService},
		{"undeclared", line("svc-1", "READ", "Topic", "alice-inbox"), "topic {id}", false, audit.KindService},
		{"cluster", line("svc-1", "DESCRIBE", "Cluster", "kafka-cluster"), "", false, audit.KindService},
		{"broker", line("", "CLUSTERACTION", "Cluster", "kafka-cluster"), "", false, audit.KindBroker},
		{"named broker", line("broker-2", "CLUSTERACTION", "Cluster", "kafka-cluster"), "", false, audit.KindBroker},
		{"anonymous", line("", "READ", "Group", "orders"), "group orders", false, audit.KindAnonymous},
	} {
		e := run(t, s, "kafka", tc.event)
		if e.Resource != tc.resource || e.ResourceMapped != tc.mapped || e.PrincipalKind != tc.kind {
			t.Errorf("%s: got %q, mapped %v, %s", tc.name, e.Resource, e.ResourceMapped, e.PrincipalKind)
		}
	}
}

func TestBadLocator(t *testing.T) {
	_, err := enrich.New(datamap.Empty(), map[string]source.Config{"a": {Name: "a", Principal: []string{"user"}}}, nil)
	if err == nil {
		t.Fatal("no error")
	}
}

func BenchmarkStage(b *testing.B) {
	s := stage(b, siteMap)
	events := make([]audit.Event, 1000)
	users := []string{"agent14", "svc-7", "mailer-3", "cust-c17", "", "mallory"}
	paths := []string{"/v1/customers/c17", "/static/app.css", "/api/v2/orders/4711/items"}
	for i := range events {
		events[i] = get(users[i%len(users)], paths[i%len(paths)])
	}
	batch := &audit.Batch{Source: "shop", Events: events}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Process(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/line")
}
