package demo

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// networks are where customers come from. The blocks belong to universities
// and were theirs for decades, so their countries are stable: DE, FR, ES,
// California and BR.
var networks = []string{
	"141.20", "130.149", "134.76", "134.157", "147.96",
	"128.32", "171.64", "131.215",
	"143.107", "150.162", "200.144",
}

var browsers = []string{
	"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
	"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
	"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
}

var crawlers = []struct{ addr, agent string }{
	{"198.51.100.66", "Mozilla/5.0 (compatible; Findbot/2.1; +http://www.findbot.example/bot.html)"},
	{"198.51.100.130", "Mozilla/5.0 (compatible; Seekbot/1.0; +http://seek.example/bot)"},
	{"203.0.113.77", "PriceBot/3.2 (contact: bot@pricebot.example)"}, // an e-mail address where it is no violation
}

var (
	products   = []string{"trail-shoe-4401", "tent-basecamp-2p", "rucksack-45l", "rope-60m-9.8", "stove-mini", "jacket-aurora-3"}
	categories = []string{"tents", "shoes", "climbing", "jackets", "lamps"}
	words      = []string{"red+shoes", "tent+2+person", "rope+9.8", "rain+jacket", "4+season"}
	attacks    = []string{"/wp-login.php", "/.env", "/phpmyadmin/index.php", "/cgi-bin/luci"}
)

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

func customer(r *rand.Rand) string { return fmt.Sprintf("cust-%05d", 10_000+r.IntN(4_000)) }

// home is the address of a customer: always the same.
func home(cust string) string {
	h := uint32(2166136261)
	for _, c := range []byte(cust) {
		h = (h ^ uint32(c)) * 16777619
	}
	return fmt.Sprintf("%s.%d.%d", networks[h%uint32(len(networks))], h>>8%250+1, h>>16%250+1)
}

func uuid(r *rand.Rand) string {
	a, b := r.Uint64(), r.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0x3fff|0x8000, b&0xffffffffffff)
}

// order is the number of an order: 16 digits that look like a card and are
// none, since no issuer has the prefix 9 or since the check digit is wrong.
func order(r *rand.Rand) string {
	if r.IntN(2) == 0 {
		return withCheck(fmt.Sprintf("9%014d", r.Int64N(1e14)), 0)
	}
	return withCheck(fmt.Sprintf("4%014d", r.Int64N(1e14)), 1+r.IntN(9))
}

// card is a number in the form of a card: Visa's test prefix, random digits
// and a right check digit.
func card(r *rand.Rand) string { return withCheck(fmt.Sprintf("411111%09d", r.Int64N(1e9)), 0) }

// withCheck appends the Luhn digit of s, moved by off.
func withCheck(s string, off int) string {
	sum := 0
	for i := len(s) - 1; i >= 0; i-- {
		v := int(s[i] - '0')
		if (len(s)-1-i)%2 == 0 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return s + string(rune('0'+((10-sum%10)%10+off)%10))
}

// clock is a time of the day: most of it between 6 and 22 hours.
func clock(r *rand.Rand, day time.Time) time.Time {
	h := 6 + 8*(r.Float64()+r.Float64())
	if r.IntN(6) == 0 {
		h = 24 * r.Float64()
	}
	return day.Add(time.Duration(h * float64(time.Hour))).Truncate(time.Millisecond)
}

// office is a time of the working day.
func office(r *rand.Rand, day time.Time) time.Time {
	return day.Add(7*time.Hour + time.Duration(r.Int64N(int64(10*time.Hour)))).Truncate(time.Millisecond)
}

// shopDay is a day at the shop.
func (s *story) shopDay(day time.Time) {
	for range 300 + s.rng.IntN(80) {
		at := clock(s.rng, day)
		for _, w := range visit(s.rng) {
			s.add(Shop, at, w.line(at.Truncate(time.Second)))
			at = at.Add(time.Duration(200+s.rng.IntN(20_000)) * time.Millisecond)
		}
	}
	for range 120 {
		at := day.Add(time.Duration(s.rng.Int64N(int64(24 * time.Hour)))).Truncate(time.Second)
		s.add(Shop, at, crawl(s.rng).line(at))
	}
	for m := 0; m < 24*60; m += 5 {
		at := day.Add(time.Duration(m) * time.Minute)
		s.add(Shop, at, web{addr: "10.20.0.5", method: "GET", target: "/healthz", status: 200, size: 2, agent: "kube-probe/1.34"}.line(at))
	}
}

// visit is what one person does at the shop: looking around, or their account.
func visit(r *rand.Rand) []web {
	cust := customer(r)
	base := web{addr: home(cust), method: "GET", status: 200, agent: pick(r, browsers)}
	page := func(target, referer string) web {
		w := base
		w.target, w.referer, w.size = target, referer, 500+r.IntN(40_000)
		if r.IntN(12) == 0 {
			w.status, w.size = 304, 0
		}
		return w
	}
	const site = "https://shop.aurora.example"
	if r.IntN(3) > 0 {
		p := "/products/" + pick(r, products)
		c := "/category/" + pick(r, categories)
		out := []web{page("/", ""), page("/static/app.css?v=4.11.1", site+"/"), page(c, site+"/"), page(p, site+c)}
		switch r.IntN(8) {
		case 0:
			out = append(out, page("/search?q="+pick(r, words)+"&session="+uuid(r), site+p))
		case 1:
			w := page("/cart", site+p)
			w.method, w.status = "POST", 303
			out = append(out, w)
		case 2:
			out = append(out, page("/track/"+order(r), ""))
		}
		return out
	}
	in := page("/signin", site+"/")
	in.method, in.status = "POST", 303
	out := []web{in}
	if r.IntN(15) == 0 { // a wrong password first
		wrong := in
		wrong.status = 401
		out = []web{wrong, in}
	}
	own := "/v1/customers/" + cust
	for _, target := range []string{own, own + "/orders", own + "/orders/" + order(r)} {
		w := page(target, site+"/account")
		w.user = cust
		out = append(out, w)
	}
	if r.IntN(10) == 0 {
		w := page(own+"/address", site+"/account")
		w.user, w.method, w.status, w.size = cust, "PUT", 204, 0
		out = append(out, w)
	}
	return out
}

// crawl is a request of a machine: an index, or a scanner that finds nothing.
func crawl(r *rand.Rand) web {
	if r.IntN(5) == 0 {
		return web{addr: "192.0.2." + fmt.Sprint(1+r.IntN(250)), method: "GET", target: pick(r, attacks), status: 404, size: 146, agent: "Mozilla/5.0 zgrab/0.x"}
	}
	c := pick(r, crawlers)
	target := pick(r, []string{"/robots.txt", "/sitemap.xml", "/", "/products/" + pick(r, products), "/category/" + pick(r, categories)})
	return web{addr: c.addr, method: "GET", target: target, status: 200, size: 900 + r.IntN(30_000), agent: c.agent}
}

// crmDay is a day at the customer service.
func (s *story) crmDay(day time.Time) {
	calls := 500 + s.rng.IntN(200)
	if wd := day.Weekday(); wd == time.Saturday || wd == time.Sunday {
		calls /= 4
	}
	for range calls {
		at := office(s.rng, day)
		s.add(CRM, at, serve(s.rng).line(at))
	}
	for m := 0; m < 24*60; m += 10 {
		at := day.Add(time.Duration(m)*time.Minute + 500*time.Millisecond)
		s.add(CRM, at, call{addr: "10.20.0.5:40122", method: "GET", path: "/healthz", status: 200, size: 2, agent: "kube-probe/1.34", id: uuid(s.rng), took: 1}.line(at))
	}
}

// staffed is a call with what all calls have.
func staffed(r *rand.Rand, user, method, path, purpose string) call {
	return call{
		addr: fmt.Sprintf("10.30.%d.%d:%d", 1+len(user)%4, 10+r.IntN(200), 30_000+r.IntN(30_000)), user: user, purpose: purpose, tls: "TLSv1.3",
		method: method, path: path, status: 200, size: 300 + r.IntN(4_000), agent: "AuroraDesk/7.4.2", id: uuid(r), took: 3 + r.IntN(80),
	}
}

// serve is an ordinary call: every access has a documented purpose.
func serve(r *rand.Rand) call {
	own := "/v1/customers/" + customer(r)
	agent := fmt.Sprintf("agent%02d", 1+r.IntN(24))
	switch k := r.IntN(20); {
	case k < 8:
		return staffed(r, agent, "GET", own, "support")
	case k < 10:
		return staffed(r, agent, "GET", own+"/invoices", "support")
	case k < 11:
		return staffed(r, agent, "PATCH", own, "support")
	case k < 13:
		return staffed(r, agent, "GET", "/v1/tickets", "")
	case k < 15:
		return staffed(r, fmt.Sprintf("finance%d", 1+r.IntN(3)), "GET", own+"/invoices", "billing")
	case k < 16:
		c := staffed(r, "svc-billing", "GET", own, "billing")
		c.agent, c.tls = "billing/2.9", "TLSv1.2"
		return c
	case k < 17: // adequate country
		c := staffed(r, "courier-api", "GET", own+"/address", "fulfilment")
		c.addr, c.agent = "192.0.2.40:51123", "bergpost/5"
		return c
	case k < 18: // standard contractual clauses
		c := staffed(r, "mailer-01", "GET", "/v1/recipients?page="+fmt.Sprint(1+r.IntN(40)), "newsletter")
		c.addr, c.agent = "203.0.113.12:44871", "mailer/11.0"
		return c
	case k < 19:
		c := staffed(r, agent, "GET", "/v1/settings", "")
		if r.IntN(4) == 0 {
			c.status = 403 // now and then one that may not
		}
		return c
	default:
		c := staffed(r, agent, "GET", own, "support")
		c.status, c.size = 404, 90
		return c
	}
}

// eventsDay is a day of the event bus.
func (s *story) eventsDay(day time.Time) {
	for range 180 {
		at := day.Add(time.Duration(s.rng.Int64N(int64(24 * time.Hour)))).Truncate(time.Millisecond)
		s.add(Events, at, consume(s.rng).line(at))
	}
	for m := 3; m < 24*60; m += 30 {
		at := day.Add(time.Duration(m) * time.Minute)
		s.add(Events, at, check{user: "broker", operation: "CLUSTER_ACTION", host: "10.20.8.1", resource: "Cluster:LITERAL:kafka-cluster", request: "BrokerHeartbeat"}.line(at))
	}
}

// consume is an ordinary decision of the authorizer.
func consume(r *rand.Rand) check {
	return pick(r, []check{
		{user: "svc-orders", operation: "WRITE", host: "10.20.4.21", resource: "Topic:LITERAL:orders", request: "Produce"},
		{user: "svc-shipping", operation: "READ", host: "10.20.4.22", resource: "Topic:LITERAL:orders", request: "Fetch"},
		{user: "svc-shipping", operation: "READ", host: "10.20.4.22", resource: "Group:LITERAL:orders-shipping", request: "OffsetCommit"},
		{user: "svc-billing", operation: "READ", host: "10.20.4.23", resource: "Topic:LITERAL:payments", request: "Fetch"},
		{user: "mailer-01", operation: "READ", host: "203.0.113.12", resource: "Topic:LITERAL:customer-events", request: "Fetch"},
		{user: "svc-stock", operation: "WRITE", host: "10.20.4.24", resource: "Topic:LITERAL:stock-levels", request: "Produce"},
		{user: "svc-stock", operation: "DESCRIBE", host: "10.20.4.24", resource: "Group:LITERAL:stock-feed", request: "FindCoordinator"},
	})
}
