package services_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/services"
)

// output is something that left the program's memory.
type output struct {
	place string
	data  []byte
}

// leakRun is one installation that has seen every canary, and what it put out.
type leakRun struct {
	*site
	binary string
	client *http.Client
	base   string

	mu  sync.Mutex
	out []output
}

func (l *leakRun) put(place string, data []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out = append(l.out, output{place, data})
}

// TestNoClearValueLeavesMemory is the house's most important test. Canaries go
// through the whole running system in lines of every format, good and bad; then
// everything that it wrote, sent or showed is searched for them in many forms.
func TestNoClearValueLeavesMemory(t *testing.T) {
	l := &leakRun{site: newSite(t)}
	tmp := filepath.Join(l.dir, "tmp")
	if err := os.Mkdir(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", tmp)
	l.binary = buildBinary(t)
	l.write("tallystick.yaml", leakConfig)
	l.write("datamap.yaml", leakMap)
	now := time.Now().UTC()
	lines := leakLines(now.Add(-time.Hour))
	cfg, err := services.LoadConfig(filepath.Join(l.dir, "tallystick.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	l.cfg = cfg
	l.cfg.Masking.Policies = l.maskedForms()
	l.vault(now)
	in := l.receive()
	var all []string
	total := 0
	for source, list := range lines {
		half := len(list) / 2
		l.write("logs/"+source+".log", list[:half]...)
		all = append(all, list...)
		total += len(list)
	}
	l.start()
	in.trust(l.site)
	watched := l.watchKafka(t)
	for source, list := range lines {
		l.appendTo(filepath.Join(l.dir, "logs", source+".log"), list[len(list)/2:]...)
	}
	const stored = "SELECT (SELECT count() FROM entries) + (SELECT countIf(reason != 'tap') FROM rejections)"
	l.waitCount(total, stored)
	l.waitCount(0, openChunks)
	l.acts(lines, now)
	l.push(lines["web"])
	l.crawl(now)
	l.maskTopics()
	if n := watched(); n == 0 {
		t.Error("no sealed batch was seen on its way")
	}
	wait(t, "a ticket", func() bool { return len(in.received()) > 0 })
	search := newSearcher(all)
	hits := l.tables(search, "true")
	l.bundle()
	l.registersDump()
	for i, b := range in.received() {
		l.put(fmt.Sprintf("webhook %d", i), b)
	}
	for _, what := range []string{
		"SELECT count() > 500 FROM entries", "SELECT count() > 100 FROM rejections", "SELECT uniqExact(control) >= 4 FROM findings WHERE kind = 'violation'",
		"SELECT count() > 100 AND uniqExact(class) = 2 FROM originals", "SELECT uniqExact(reason) >= 4 FROM rejections", "SELECT uniqExact(source) = 4 FROM entries",
	} {
		if rows := l.rows(what); rows[0][0] != "true" && rows[0][0] != "1" {
			t.Errorf("the lines did not do what they are for: %s: %s", what, rows[0][0])
		}
	}
	l.stop()
	l.put("log", []byte(l.log.String()))

	for _, h := range append(hits, l.sweep(search)...) {
		t.Errorf("%v", h)
	}
	t.Run("a plain copy would be found", func(t *testing.T) { l.canFail(t, search) })
}

// sweep searches what was put out and every file that is there.
func (l *leakRun) sweep(s *searcher) []hit {
	l.t.Helper()
	var hits []hit
	size := 0
	look := func(place string, data []byte) {
		size += len(data)
		hits = append(hits, s.search(place, data)...)
		for i, inner := range unpack(data) {
			hits = append(hits, s.search(fmt.Sprintf("%s, packed part %d", place, i+1), inner)...)
		}
	}
	for _, o := range l.out {
		look(o.place, o.data)
	}
	files := 0
	for _, dir := range []string{"data", "config", "tmp"} {
		err := filepath.WalkDir(filepath.Join(l.dir, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			name, err := filepath.Rel(l.dir, path)
			if err != nil {
				return err
			}
			b, err := os.ReadFile(path)
			look("file "+name, b)
			look("the name of file "+name, []byte(name))
			files++
			return err
		})
		if err != nil {
			l.t.Fatal(err)
		}
	}
	l.t.Logf("searched %d outputs and %d files, %d MB, for %d canaries", len(l.out), files, size>>20, len(canaries))
	slices.SortFunc(hits, func(a, b hit) int { return strings.Compare(a.String(), b.String()) })
	return hits
}

// buildBinary builds the command.
func buildBinary(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tallystick")
	if out, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", path, "../cmd/tallystick").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// watchKafka keeps the messages of both topics as a consumer sees them, which
// is after Kafka's own decompression.
func (l *leakRun) watchKafka(t *testing.T) (stop func() int) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	n := 0
	for _, topic := range []string{broker.Lines, broker.Findings} {
		wg.Go(func() {
			err := l.app.Broker().Consume(ctx, "leak-test", topic, func(ctx context.Context, p *broker.Partition) error {
				for {
					m, err := p.Fetch(ctx)
					if err != nil {
						return err
					}
					l.put(fmt.Sprintf("topic %s, partition %d, offset %d", topic, m.Partition, m.Offset), append(append(m.Key, '\n'), m.Value...))
					l.mu.Lock()
					n++
					l.mu.Unlock()
				}
			})
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("consume %s: %v", topic, err)
			}
		})
	}
	return func() int {
		cancel()
		wg.Wait()
		return n
	}
}

// tables searches every column of every table, the engine's own included. A
// row is read as one text; a hit is then looked for column by column.
func (l *leakRun) tables(search *searcher, where string) (hits []hit) {
	l.t.Helper()
	read, ctx := 0, context.Background()
	for _, row := range l.rows("SELECT database, name FROM system.tables WHERE engine NOT IN ('SystemNumbers', 'SystemZeros', 'SystemPrimes') AND name != 'unicode' AND " + where) { // endless, and the letters of the world
		name, from := row[0]+"."+row[1], " FROM `"+row[0]+"`.`"+row[1]+"`"
		res, err := l.app.Store().Select(ctx, "SELECT formatRow('TSVRaw', *)"+from, store.MaxRows(1_000_000))
		if err != nil {
			if row[0] == "tallystick" {
				l.t.Errorf("table %s can't be read: %v", name, err)
			}
			hits = append(hits, search.search("the error of table "+name, []byte(err.Error()))...)
			continue
		}
		read++
		if res.Cut {
			l.t.Errorf("table %s has more rows than were searched", name)
		}
		found := search.search("table "+name, columnText(res, 0))
		if len(found) == 0 {
			continue
		}
		if res, err = l.app.Store().Select(ctx, "SELECT *"+from, store.MaxRows(1_000_000)); err != nil {
			l.t.Fatal(err)
		}
		for i, c := range res.Columns {
			hits = append(hits, search.search("table "+name+", column "+c.Name, columnText(res, i))...)
		}
		if len(hits) == 0 {
			hits = found // in a place that * does not show
		}
	}
	if read < 5 {
		l.t.Errorf("only %d tables could be read", read)
	}
	return hits
}

// columnText is a column as text.
func columnText(res *store.Result, column int) []byte {
	var b bytes.Buffer
	for _, r := range res.Rows {
		_, _ = fmt.Fprintf(&b, "%v\n", r[column])
	}
	return b.Bytes()
}

// registersDump reads every table of the registers.
func (l *leakRun) registersDump() {
	l.t.Helper()
	ctx := context.Background()
	_, names, err := l.app.Registers().Select(ctx, "SELECT name FROM sqlite_master WHERE type = 'table'", nil)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, n := range names {
		_, rows, err := l.app.Registers().Select(ctx, fmt.Sprintf("SELECT * FROM %q", n[0]), nil)
		if err != nil {
			l.t.Fatal(err)
		}
		l.put(fmt.Sprintf("register %s", n[0]), fmt.Appendf(nil, "%s", rows))
	}
}

// acts are what people do at the command line, right and wrong.
func (l *leakRun) acts(lines map[string][]string, now time.Time) {
	day := func(n int) string { return now.AddDate(0, 0, n).Format(time.DateOnly) }
	cli := func(args ...string) []byte {
		cmd := exec.Command(l.binary, args...)
		cmd.Dir = l.dir
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			l.t.Fatal(err)
		}
		l.put("output of tallystick "+strings.Join(args[:min(2, len(args))], " "), out)
		return out
	}
	cli("sql", "SELECT * FROM entries")
	cli("sql", "--format", "json", "SELECT * FROM rejections")
	cli("sql", "SELECT nothing FROM nowhere")
	cli("ledger", "checkpoint")
	if out := cli("ledger", "verify"); bytes.Contains(out, []byte("error")) {
		l.t.Errorf("ledger verify: %s", out)
	}
	cli("config", "print")
	cli("config", "check")
	cli("keys", "list")
	if out := cli("keys", "backup", "-o", filepath.Join(l.dir, "tmp", "keys.json")); !bytes.Contains(out, []byte("delete it on")) {
		l.t.Errorf("keys backup: %s", out)
	}
	staff := l.rows("SELECT any(principal_id) FROM entries WHERE principal_label = 'Support (agent 14)'")[0][0]
	directory := l.write("directory.csv", "number,login", "1,"+value("e-mail address"), "2,"+value("free text"))
	if out := cli("who", "--reason", "T-1", "--directory", directory, "--", staff); !bytes.Contains(out, []byte("data map: Support")) {
		l.t.Errorf("who: %s", out)
	}
	cli("datamap", "check")
	cli("report", "render", "gdpr-accountability", "--from", day(-1), "--to", day(1), "--format", "csv", "-o", "-")
	cli("report", "render", "no-such-report", "--from", day(-1), "--to", day(1))
	formats := map[string]string{"web": "nginx:combined", "full": leakFormat, "api": "envoy:json", "bus": "kafka:authorizer"}
	for source := range lines {
		path := filepath.Join(l.dir, "logs", source+".log")
		cli("parse", "--format", formats[source], path)
		cli("parse", "--format", "auto", path)
		cli("parse", "--format", "envoy:json", path) // of another format: all rejected
		cli("ingest", "--format", formats[source], "--summary", "json", path)
		cli("detect", path)
		cli("detect", "--json", "--country", "DE", path)
		for _, policy := range l.policies() {
			cli("mask", "--policy", policy, path)
			cli("mask", "--policy", policy, "--dry-run", path)
			cli("mask", "--policy", policy, "--assess", "path,user", path)
		}
	}
	cli("ingest", "--format", "auto", filepath.Join(l.dir, "logs", "web.log"), "--new")
	cli("ingest", l.write("garbage.log", value("free text"), value("e-mail address")))
	drafts := filepath.Join(l.dir, "tmp", "drafts")
	if err := os.Mkdir(drafts, 0o700); err != nil {
		l.t.Fatal(err)
	}
	cli("init", "--dir", drafts, filepath.Join(l.dir, "logs", "web.log"), filepath.Join(l.dir, "logs", "api.log"), filepath.Join(l.dir, "logs", "bus.log"))
}

// policies are of the stand-alone masker: one names nothing, one has every
// transform that leaves no part of a value, and one the parts that may stay.
func (l *leakRun) policies() []string {
	return []string{
		l.write("none.yaml", "version: 1\ndomain: none"),
		l.write("tokens.yaml", `version: 1
domain: leak-test
fields: {path: pseudonym, user: token, authority: random, user_agent: drop, request_id: pseudonym, x_forwarded_for: truncate, protocol: format, bytes_sent: round 1000, start_time: date day}`),
		l.write("parts.yaml", `version: 1
domain: leak-parts
fields: {path: redact, user: redact, x_forwarded_for: truncate 16, start_time: date hour, duration: bands 0 10 100}
found: {user: redact}`),
	}
}

var hrefs = regexp.MustCompile(`(?:href|action|src)="(/[^"#]*)`)

// crawl signs in, follows every link, runs every report, calls the API, and
// asks for people by their names, which must not be answered.
func (l *leakRun) crawl(now time.Time) {
	l.t.Helper()
	l.signIn()
	csrf := l.token()
	l.askDocuments(csrf)
	for _, r := range []struct{ kind, lang string }{{"gdpr-accountability", "en"}, {"gdpr-accountability", "pt-BR"}, {"ccpa-metrics", "en"}, {"lgpd-record", "pt-BR"}} {
		l.request(http.MethodPost, "/reports", url.Values{"csrf": {csrf}, "kind": {r.kind}, "language": {r.lang},
			"from": {now.AddDate(0, 0, -2).Format(time.DateOnly)}, "to": {now.Format(time.DateOnly)}})
	}
	wait(l.t, "four reports", func() bool { return len(l.glob("data/reports/*/*.pdf")) == 4 })
	queue := []string{"/", "/metrics", "/healthz", "/readyz", "/no-such-page", "/api/v1/openapi.json", "/api/v1/me", "/api/v1/pulse", "/api/v1/findings?limit=1000",
		"/api/v1/entries?limit=1000", "/api/v1/sources", "/api/v1/reports", "/api/v1/runs", "/api/v1/trail", "/entries.csv", "/api/v1/entries/nothing", "/findings?period=30d"}
	for _, f := range l.rows("SELECT id, entry_id FROM findings LIMIT 1 BY control LIMIT 15") {
		queue = append(queue, "/findings/"+f[0], "/api/v1/findings/"+f[0], "/entries/"+f[1])
	}
	for _, c := range canaries { // the answer and the log must not repeat what was asked
		q := url.QueryEscape(c.value)
		queue = append(queue, "/entries?period=24h&subject="+q, "/api/v1/findings?principal="+q, "/entries/"+url.PathEscape(c.value))
	}
	seen, alike := map[string]bool{}, map[string]int{} // pages read; links that were followed to pages of one kind
	pages := 0
	for ; len(queue) > 0 && pages < 300; queue = queue[1:] {
		path := strings.ReplaceAll(queue[0], "&amp;", "&")
		if kind, _, _ := strings.Cut(path, "?"); seen[path] || kind == "/sign-out" || strings.HasPrefix(kind, "/docs/") && len(kind) > 20 {
			continue
		}
		seen[path] = true
		pages++
		for _, m := range hrefs.FindAllSubmatch(l.request(http.MethodGet, path, nil), -1) {
			kind, _, _ := strings.Cut(string(m[1]), "?")
			if dir := filepath.Dir(kind); dir != "/" {
				kind = dir
			}
			if !seen[string(m[1])] && alike[kind] < 8 {
				alike[kind]++
				queue = append(queue, string(m[1]))
			}
		}
	}
	if pages < 150 {
		l.t.Errorf("only %d pages were read", pages)
	}
}

func (l *leakRun) glob(pattern string) []string {
	l.t.Helper()
	list, err := filepath.Glob(filepath.Join(l.dir, pattern))
	if err != nil {
		l.t.Fatal(err)
	}
	return list
}

// request asks the console and puts answer and headers out. The place names the
// route without what was asked for.
func (l *leakRun) request(method, path string, form url.Values) []byte {
	l.t.Helper()
	req, err := http.NewRequest(method, l.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		l.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := l.client.Do(req)
	if err != nil {
		l.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var head bytes.Buffer
	_ = res.Header.Write(&head)
	body, err := io.ReadAll(res.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	route, _, _ := strings.Cut(path, "?")
	place := fmt.Sprintf("answer %d to %s %s", res.StatusCode, method, filepath.Dir(route))
	if res.StatusCode >= 500 {
		l.t.Error(place)
	}
	l.put(place, body)
	l.put(place+", headers", head.Bytes())
	return body
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

func (l *leakRun) token() string {
	l.t.Helper()
	m := csrfField.FindSubmatch(l.request(http.MethodGet, "/reports", nil))
	if m == nil {
		l.t.Fatal("no form on the reports page")
	}
	return string(m[1])
}

// signIn makes the first account through the one-time link.
func (l *leakRun) signIn() {
	l.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		l.t.Fatal(err)
	}
	l.client, l.base = &http.Client{Jar: jar, Timeout: time.Minute}, l.app.URL()
	link, err := l.app.SignInLink(context.Background())
	if err != nil || link == "" {
		l.t.Fatalf("sign-in link: %v", err)
	}
	u, err := url.Parse(link)
	if err != nil {
		l.t.Fatal(err)
	}
	m := csrfField.FindSubmatch(l.request(http.MethodGet, u.RequestURI(), nil))
	if m == nil {
		l.t.Fatal("no form on the welcome page")
	}
	const password = "correct horse battery staple"
	l.request(http.MethodPost, "/welcome", url.Values{"csrf": {string(m[1])}, "token": {u.Query().Get("token")}, "name": {"officer"}, "password": {password}, "repeat": {password}})
}
