package demo

import (
	"fmt"
	"time"
)

// The patterns of the data map that the seeded lines fall under.
const (
	contactPattern = "GET /v1/customers/{subject:customer_id}"
	searchPattern  = "GET /search?email={subject:email}"
)

// seed adds what is wrong in the history. Each kind comes with a near miss
// somewhere: denials that are too few, an adequate country, numbers that are
// no cards. What falls outside the history is left out with its finding.
func (s *story) seed() {
	s.noPurpose()
	s.weakTLS()
	s.personalURLs()
	s.transfers()
	s.denials()
	s.gaps()
}

// day is the beginning of the UTC day that is n days before the end's.
func (s *story) day(n int) time.Time { return s.end.Truncate(24*time.Hour).AddDate(0, 0, -n) }

// crm adds a call and, if it lies in the history, its finding.
func (s *story) crm(at time.Time, c call, f Finding) {
	s.add(CRM, at, c.line(at))
	if f.Control == "" || !s.in(at) {
		return
	}
	f.Source, f.System, f.Time, f.Principal, f.Purpose = CRM, CRM, at, c.user, c.purpose
	s.find(f)
}

// noPurpose: staff read customers' contact data without a documented purpose.
func (s *story) noPurpose() {
	// Support (agent 14) reads 143 customers within half an hour, stating none.
	from := s.day(1).Add(10*time.Hour + 2*time.Minute)
	for i := range 143 {
		at := from.Add(time.Duration(i) * 29 * time.Minute / 142).Truncate(time.Millisecond)
		c := staffed(s.rng, "agent14", "GET", fmt.Sprintf("/v1/customers/cust-%05d", 10_000+i*27), "")
		s.crm(at, c, Finding{Control: "AC-01", Label: "Support (agent 14)", Resource: contactPattern})
	}
	for _, one := range []struct {
		ago           int
		user, purpose string
		label         string
	}{
		{3, "agent19", "curiosity", "Support (agent 19)"},  // not in the data map
		{9, "agent07", "newsletter", "Support (agent 07)"}, // not allowed for this resource
		{16, "sales2", "winback", "Sales"},                 // no longer in effect
		{16, "sales2", "winback", "Sales"},
		{24, "agent19", "", "Support (agent 19)"},
	} {
		at := office(s.rng, s.day(one.ago))
		c := staffed(s.rng, one.user, "GET", "/v1/customers/"+customer(s.rng), one.purpose)
		s.crm(at, c, Finding{Control: "AC-01", Label: one.label, Resource: contactPattern})
	}
}

// weakTLS: an old client reads customers over TLS 1.0, 1.1 or none at all.
func (s *story) weakTLS() {
	for _, one := range []struct {
		ago           int
		version, seen string
	}{
		{2, "TLSv1.1", "1.1"}, {2, "TLSv1.1", "1.1"}, {2, "TLSv1.1", "1.1"}, {6, "TLSv1.1", "1.1"}, {12, "TLSv1", "1.0"}, {20, "", "none"}, {20, "", "none"},
	} {
		at := office(s.rng, s.day(one.ago))
		c := staffed(s.rng, "svc-legacy-sync", "GET", "/v1/customers/"+customer(s.rng), "billing")
		c.tls, c.agent = one.version, "stock-sync/0.9"
		s.crm(at, c, Finding{Control: "TL-01", Label: "Old stock synchronisation", Resource: contactPattern, Detail: one.seen})
	}
}

// personalURLs: an e-mail address or a card number in a URL of the shop.
func (s *story) personalURLs() {
	add := func(ago int, target, referer, resource, detail string) {
		at := clock(s.rng, s.day(ago)).Truncate(time.Second)
		w := web{addr: home(customer(s.rng)), method: "GET", target: target, status: 200, size: 2_345, referer: referer, agent: pick(s.rng, browsers)}
		s.add(Shop, at, w.line(at))
		if s.in(at) {
			s.find(Finding{Control: "EX-03", Source: Shop, System: Shop, Time: at, Client: w.addr, Resource: resource, Detail: detail})
		}
	}
	for i, name := range []string{"anna.berger", "joao.silva", "m.keller", "lucia.prado", "sam.ortiz", "petra.lang"} {
		add(1+4*i, "/search?email="+name+"%40example.org&page=1", "", searchPattern, "email in query")
	}
	for _, ago := range []int{4, 17} {
		add(ago, "/newsletter/unsubscribe?address=ines.moura@example.com&id="+uuid(s.rng), "", "GET /newsletter/unsubscribe", "email in query")
	}
	add(5, "/static/app.css?v=4.11.1", "https://shop.aurora.example/search?email=anna.berger%40example.org", "GET /static/*", "email in referer")
	for _, ago := range []int{2, 22} {
		add(ago, "/checkout/confirm?card="+card(s.rng)+"&step=3", "", "GET /checkout/confirm", "card in query")
	}
}

// transfers: an organisation in a third country without a safeguard reads
// personal data, through the customer service and through the event bus.
func (s *story) transfers() {
	for _, ago := range []int{3, 10, 10, 18} {
		at := office(s.rng, s.day(ago))
		c := staffed(s.rng, "lumen-insights", "GET", "/v1/segments/loyal", "analytics")
		c.addr, c.agent = "198.51.100.20:50444", "lumen/4.2"
		s.crm(at, c, Finding{Control: "TR-01", Label: "Lumen Insights", Resource: "GET /v1/segments/{segment}", Detail: "IN"})
	}
	for _, ago := range []int{1, 14} {
		at := office(s.rng, s.day(ago))
		c := check{user: "lumen-etl", operation: "READ", host: "198.51.100.21", resource: "Topic:LITERAL:customer-events", request: "Fetch"}
		s.add(Events, at, c.line(at))
		if s.in(at) {
			s.find(Finding{Control: "TR-01", Source: Events, System: Events, Time: at, Principal: c.user, Label: "Lumen Insights", Resource: "topic customer-events", Detail: "IN"})
		}
	}
}

// denials: bursts of at least 20 refusals within 5 minutes, and one of 12.
func (s *story) denials() {
	burst := func(ago int, at time.Duration, n int, every time.Duration, source string, f Finding, add func(time.Time)) {
		from := s.day(ago).Add(at)
		for i := range n {
			add(from.Add(time.Duration(i) * every))
		}
		until := from.Add(19 * every)
		if n < 20 || !s.in(from) || !s.in(until) {
			return
		}
		f.Control, f.Source, f.System, f.Time, f.Until, f.Count = "DN-01", source, source, from, until, 20
		s.find(f)
	}
	refused := func(user string) func(time.Time) {
		return func(at time.Time) {
			c := staffed(s.rng, user, "GET", "/v1/segments/vip", "support")
			c.status = 403
			s.add(CRM, at, c.line(at))
		}
	}
	burst(2, 3*time.Hour+10*time.Minute, 24, 7*time.Second, CRM, Finding{Principal: "agent07", Label: "Support (agent 07)"}, refused("agent07"))
	burst(8, 4*time.Hour, 12, 5*time.Second, CRM, Finding{}, refused("agent19"))
	burst(5, 2*time.Hour+41*time.Minute, 31, 4*time.Second, Events, Finding{Principal: "svc-reporting", Label: "Batch jobs"}, func(at time.Time) {
		c := check{user: "svc-reporting", operation: "READ", host: "10.20.4.40", resource: "Topic:LITERAL:payments", request: "Fetch", denied: true}
		s.add(Events, at, c.line(at))
	})
	const guesser = "192.0.2.251"
	burst(4, 1*time.Hour+5*time.Minute, 26, 9*time.Second, Shop, Finding{Client: guesser}, func(at time.Time) {
		s.add(Shop, at, web{addr: guesser, method: "POST", target: "/signin", status: 401, size: 120, agent: "python-requests/2.32"}.line(at))
	})
}

// gaps: a resource and a principal that the data map does not declare.
func (s *story) gaps() {
	count := 0
	var first time.Time
	for _, ago := range []int{11, 11, 7} { // in the order of time
		at := s.day(ago).Add(2*time.Hour + time.Duration(count)*time.Minute)
		c := staffed(s.rng, "svc-billing", "GET", "/v1/export/customers", "billing")
		s.crm(at, c, Finding{})
		if s.in(at) {
			if count++; count == 1 {
				first = at
			}
		}
	}
	if count > 0 {
		s.find(Finding{Control: "GP-01", Kind: "gap", Source: CRM, System: CRM, Time: first, Resource: "GET /v1/export/customers"})
	}
	day := s.day(6).Add(9 * time.Hour) // one day: the pseudonym is that day's
	if !s.in(day) {
		return
	}
	for i := range 5 {
		at := day.Add(time.Duration(i) * 11 * time.Minute)
		c := staffed(s.rng, "tmp-consultant", "GET", "/v1/customers/"+customer(s.rng), "support")
		s.crm(at, c, Finding{})
	}
	s.find(Finding{Control: "GP-02", Kind: "gap", Source: CRM, System: CRM, Time: day, Principal: "tmp-consultant"})
}
