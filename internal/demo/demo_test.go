package demo_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit/datamap"
	"github.com/tallystick/tallystick/internal/demo"
)

var end = time.Date(2026, 11, 21, 10, 40, 0, 0, time.UTC)

func write(t *testing.T, o demo.Options) (string, []demo.Finding) {
	t.Helper()
	dir := t.TempDir()
	found, err := demo.Write(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return dir, found
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSameSeedSameBytes(t *testing.T) {
	a, _ := write(t, demo.Options{Seed: 1, Days: 3, End: end})
	b, _ := write(t, demo.Options{Seed: 1, Days: 3, End: end})
	c, _ := write(t, demo.Options{Seed: 2, Days: 3, End: end})
	for _, name := range []string{"logs/shop.log", "logs/crm.log", "logs/kafka.log", "expected.json", "datamap.yaml", "tallystick.yaml"} {
		if read(t, filepath.Join(a, name)) != read(t, filepath.Join(b, name)) {
			t.Errorf("%s differs", name)
		}
	}
	if read(t, filepath.Join(a, "logs/shop.log")) == read(t, filepath.Join(c, "logs/shop.log")) {
		t.Error("another seed gives the same bytes")
	}
}

func TestNeverInAUsedFolder(t *testing.T) {
	dir, _ := write(t, demo.Options{Seed: 1, Days: 1, End: end})
	if !demo.Written(dir) || demo.Written(t.TempDir()) {
		t.Error("a demo is not known again")
	}
	if _, err := demo.Write(dir, demo.Options{Seed: 1, Days: 1, End: end}); err == nil {
		t.Error("logs were written twice")
	}
}

func TestDataMap(t *testing.T) {
	dir, _ := write(t, demo.Options{Seed: 1, Days: 1, End: end})
	m, err := datamap.Load(filepath.Join(dir, "datamap.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range m.Warnings() {
		if !strings.Contains(w, "winback") {
			t.Errorf("warning: %s", w)
		}
	}
}

func TestVolume(t *testing.T) {
	dir, _ := write(t, demo.Options{Seed: 1, Days: 30, End: end})
	n := 0
	for _, s := range []string{demo.Shop, demo.CRM, demo.Events} {
		text := read(t, demo.Path(dir, s))
		var last time.Time
		for _, l := range lines(text, s) {
			if l.at.Before(last) {
				t.Fatalf("%s is not in the order of time", s)
			}
			last = l.at
			n++
		}
	}
	if n < 60_000 || n > 120_000 {
		t.Errorf("%d lines", n)
	}
}

// seen is what the naive reader makes of a line.
type seen struct {
	source, user, purpose, tls, method, path, target, referer, addr string
	status                                                          int
	denied                                                          bool
	at                                                              time.Time
}

var (
	nginx = regexp.MustCompile(`^(\S+) - (\S+) \[([^\]]+)\] "(\S+) (\S+) HTTP/1\.1" (\d+) \d+ "([^"]*)" "[^"]*"$`)
	kafka = regexp.MustCompile(`^\[([^\]]+)\] \w+ Principal = User:(\S+) is (\w+) operation = (\S+) from host = (\S+) on resource = (\w+):LITERAL:(\S+) for`)
)

func lines(text, source string) []seen {
	var out []seen
	scan := bufio.NewScanner(strings.NewReader(text))
	for scan.Scan() {
		out = append(out, line(scan.Text(), source))
	}
	return out
}

func line(s, source string) seen {
	l := seen{source: source}
	fail := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	var err error
	switch source {
	case demo.Shop:
		m := nginx.FindStringSubmatch(s)
		l.addr, l.user, l.method, l.target, l.referer = m[1], strings.Trim(m[2], "-"), m[4], m[5], m[7]
		if strings.HasPrefix(m[2], "cust-") {
			l.user = m[2]
		}
		l.at, err = time.Parse("02/Jan/2006:15:04:05 -0700", m[3])
		fail(err)
		fail(json.Unmarshal([]byte(m[6]), &l.status))
		l.denied = l.status == 401 || l.status == 403
	case demo.CRM:
		var doc map[string]any
		fail(json.Unmarshal([]byte(s), &doc))
		str := func(k string) string { v, _ := doc[k].(string); return v }
		l.user, l.purpose, l.tls, l.method, l.target = str("user"), str("purpose"), str("tls"), str("method"), str("path")
		l.status = int(doc["response_code"].(float64))
		l.at, err = time.Parse(time.RFC3339Nano, str("start_time"))
		fail(err)
		l.denied = l.status == 401 || l.status == 403
	default:
		m := kafka.FindStringSubmatch(s)
		l.user, l.denied, l.method, l.addr, l.target = m[2], m[3] == "Denied", m[4], m[5], strings.ToLower(m[6])+" "+m[7]
		l.at, err = time.Parse("2006-01-02 15:04:05,000", m[1])
		fail(err)
		l.status = 200
		if l.denied {
			l.status = 403
		}
	}
	l.path, _, _ = strings.Cut(l.target, "?")
	l.at = l.at.UTC()
	return l
}

// personal says where personal data is, by what the path looks like, and the
// purposes allowed there.
var personal = []struct {
	source  string
	like    *regexp.Regexp
	allowed []string
}{
	{demo.CRM, regexp.MustCompile(`^/v1/customers/[^/]+$`), []string{"support", "billing"}},
	{demo.CRM, regexp.MustCompile(`^/v1/customers/[^/]+/address$`), []string{"fulfilment", "support"}},
	{demo.CRM, regexp.MustCompile(`^/v1/customers/[^/]+/invoices$`), []string{"billing", "support"}},
	{demo.CRM, regexp.MustCompile(`^/v1/segments/`), []string{"analytics", "newsletter"}},
	{demo.CRM, regexp.MustCompile(`^/v1/recipients$`), []string{"newsletter"}},
	{demo.Events, regexp.MustCompile(`^topic (orders|customer-events|payments)$`), []string{"by the map"}},
}

func (l seen) purposes() []string {
	for _, p := range personal {
		if l.source == p.source && p.like.MatchString(l.path) {
			return p.allowed
		}
	}
	return nil
}

var (
	mail   = regexp.MustCompile(`[\w.+-]+@[\w-]+\.\w+`)
	digits = regexp.MustCompile(`\d{16}`)
)

func luhn(s string) bool {
	sum := 0
	for i := range len(s) {
		v := int(s[len(s)-1-i] - '0')
		if i%2 == 1 {
			v *= 2
		}
		sum += v/10 + v%10
	}
	return sum%10 == 0
}

// judge is the naive recount of one line: the controls that it violates.
func judge(l seen) []string {
	var out []string
	ok := l.status < 400
	allowed := l.purposes()
	if ok && l.source == demo.CRM && allowed != nil && l.user != "tmp-consultant" && (l.purpose == "winback" || !slices.Contains(allowed, l.purpose)) {
		out = append(out, "AC-01")
	}
	if ok && l.source == demo.CRM && allowed != nil && !slices.Contains([]string{"TLSv1.2", "TLSv1.3"}, l.tls) {
		out = append(out, "TL-01")
	}
	if ok && allowed != nil && strings.HasPrefix(l.user, "lumen-") {
		out = append(out, "TR-01")
	}
	if l.source != demo.Events {
		for _, s := range []string{l.target, l.referer} {
			s, _ = url.QueryUnescape(s)
			card := false
			for _, d := range digits.FindAllString(s, -1) {
				card = card || strings.ContainsAny(d[:1], "45") && luhn(d)
			}
			if card || mail.MatchString(s) {
				out = append(out, "EX-03")
				break
			}
		}
	}
	return out
}

type fact struct {
	Control, Source, Principal string
	Time                       time.Time
}

func TestExpectedFindingsEqualANaiveRecount(t *testing.T) {
	for _, o := range []demo.Options{{Seed: 1, Days: 30, End: end}, {Seed: 7, Days: 12, End: end}, {Seed: 3, Days: 5, End: end}} {
		dir, returned := write(t, o)
		var expected []demo.Finding
		if err := json.Unmarshal([]byte(read(t, filepath.Join(dir, "expected.json"))), &expected); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(returned, expected); d != "" {
			t.Fatalf("expected.json is not what was returned:\n%s", d)
		}
		var want, got []fact
		for _, f := range expected {
			want = append(want, fact{f.Control, f.Source, f.Principal + f.Client, f.Time})
		}
		for _, source := range []string{demo.Shop, demo.CRM, demo.Events} {
			got = append(got, recount(lines(read(t, demo.Path(dir, source)), source))...)
		}
		for _, list := range [][]fact{want, got} {
			sort.Slice(list, func(i, j int) bool {
				a, b := list[i], list[j]
				if !a.Time.Equal(b.Time) {
					return a.Time.Before(b.Time)
				}
				return a.Control+a.Source+a.Principal < b.Control+b.Source+b.Principal
			})
		}
		if d := cmp.Diff(got, want); d != "" {
			t.Errorf("seed %d, %d days: recount (-got +want):\n%s", o.Seed, o.Days, d)
		}
	}
}

func recount(list []seen) []fact {
	var out []fact
	gaps := map[string]bool{}
	gap := func(control string, l seen, key, who string) {
		if !gaps[control+key] {
			gaps[control+key] = true
			out = append(out, fact{control, l.source, who, l.at})
		}
	}
	windows := map[string][]time.Time{}
	before := map[string]int{}
	for _, l := range list {
		who := l.user
		if who == "" {
			who = l.addr
		}
		for _, c := range judge(l) {
			out = append(out, fact{c, l.source, who, l.at})
		}
		if l.status < 400 && strings.HasPrefix(l.path, "/v1/export") {
			gap("GP-01", l, l.path, "")
		}
		if l.status < 400 && strings.HasPrefix(l.user, "tmp-") {
			gap("GP-02", l, l.user+l.at.Format(time.DateOnly), l.user)
		}
		if l.denied {
			key := who
			if l.user == "" {
				key = who[:strings.LastIndex(who, ".")] // the network
			}
			w := append(windows[key], l.at)
			for l.at.Sub(w[0]) >= 5*time.Minute {
				w = w[1:]
			}
			if len(w) >= 20 && before[key] < 20 {
				out = append(out, fact{"DN-01", l.source, who, w[0]})
			}
			windows[key], before[key] = w, len(w)
		}
	}
	return out
}

func TestEveryControlIsSeeded(t *testing.T) {
	_, found := write(t, demo.Options{Seed: 1, Days: 30, End: end})
	count := map[string]int{}
	for _, f := range found {
		count[f.Control]++
	}
	want := map[string]int{"AC-01": 148, "TL-01": 7, "EX-03": 11, "TR-01": 6, "DN-01": 3, "GP-01": 1, "GP-02": 1}
	if d := cmp.Diff(count, want); d != "" {
		t.Errorf("(-got +want):\n%s", d)
	}
}

func TestLive(t *testing.T) {
	dir, _ := write(t, demo.Options{Seed: 1, Days: 1, End: end})
	before := read(t, demo.Path(dir, demo.Shop))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- demo.Live(ctx, dir, 2000) }()
	grown := func() bool {
		for _, s := range []string{demo.Shop, demo.CRM, demo.Events} {
			if info, err := os.Stat(demo.Path(dir, s)); err != nil || time.Since(info.ModTime()) > time.Second {
				return false
			}
		}
		return len(read(t, demo.Path(dir, demo.Shop))) > len(before)+5000
	}
	for deadline := time.Now().Add(10 * time.Second); !grown(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the logs do not grow")
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	text := read(t, demo.Path(dir, demo.Shop))
	for _, l := range lines(text[len(before):], demo.Shop) {
		if v := judge(l); len(v) > 0 && v[0] != "EX-03" {
			t.Errorf("an ordinary line violates %v", v)
		}
	}
}

func TestLiveViolations(t *testing.T) {
	dir, _ := write(t, demo.Options{Seed: 1, Days: 1, End: end})
	before := map[string]int{}
	for _, s := range []string{demo.Shop, demo.CRM, demo.Events} {
		before[s] = len(read(t, demo.Path(dir, s)))
	}
	if err := demo.Violations(dir, end.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range []string{demo.Shop, demo.CRM, demo.Events} {
		for _, f := range recount(lines(read(t, demo.Path(dir, s))[before[s]:], s)) {
			got = append(got, f.Control)
		}
	}
	if d := cmp.Diff(got, []string{"EX-03", "AC-01", "TL-01", "TR-01", "DN-01"}); d != "" {
		t.Errorf("(-got +want):\n%s", d)
	}
}
