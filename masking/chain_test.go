package masking_test

import (
	"context"
	"fmt"
	"math/rand"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/classify"
	"github.com/tallystick/tallystick/audit/normalize"
	"github.com/tallystick/tallystick/audit/parse"
	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/masking"
	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/plainaccess"
)

// accessLines makes nginx combined lines, the same ones each time: a tenth of
// the clients has IPv6, a third a user, a twentieth of the targets personal
// data in the query.
func accessLines(n int) []string {
	r := rand.New(rand.NewSource(1))
	pick := func(l []string) string { return l[r.Intn(len(l))] }
	agents := []string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
		"Mozilla/5.0 (X11; Linux x86_64; rv:129.0) Gecko/20100101 Firefox/129.0", "kube-probe/1.29", "curl/8.5.0", "okhttp/4.12.0",
	}
	paths := []string{"/", "/index.html", "/api/v1/users/%d", "/api/v1/orders/%d/items", "/static/js/app.%08x.js", "/login", "/search", "/api/v1/documents/%d/download", "/healthz"}
	names := []string{"maria.silva", "joao.santos", "anna.mueller", "li.wang", "ines.costa", "olga.ivanova"}
	t := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	lines := make([]string, n)
	for i := range lines {
		if r.Intn(40) == 0 {
			t = t.Add(time.Second)
		}
		ip := fmt.Sprintf("%d.%d.%d.%d", 1+r.Intn(223), r.Intn(256), r.Intn(256), r.Intn(256))
		if r.Intn(10) == 0 {
			ip = fmt.Sprintf("2001:db8:%x:%x::%x", r.Intn(65536), r.Intn(65536), r.Intn(65536))
		}
		user, ref := "-", "-"
		if r.Intn(10) < 3 {
			user = fmt.Sprintf("%s%d", pick(names), r.Intn(400))
		}
		p := pick(paths)
		if strings.Contains(p, "%") {
			p = fmt.Sprintf(p, r.Intn(1<<24))
		}
		switch k := r.Intn(1000); {
		case k < 25:
			p += fmt.Sprintf("?email=%s%d@example.com&ref=%x", pick(names), r.Intn(99), r.Uint32())
		case k < 40:
			p += fmt.Sprintf("?q=%s%%40example.org&page=%d", pick(names), r.Intn(20))
		case k < 50:
			p += "?card=4111111111111111&amount=3.50"
		case k < 300:
			p += fmt.Sprintf("?page=%d&sort=asc&sid=%08x%08x", r.Intn(50), r.Uint32(), r.Uint32())
		}
		if r.Intn(2) == 0 {
			ref = fmt.Sprintf("https://www.example.com/products/list?u=%d", r.Intn(100000))
		}
		lines[i] = fmt.Sprintf(`%s - %s [%s] "%s %s HTTP/1.1" %d %d "%s" "%s"`, ip, user, t.Format("02/Jan/2006:15:04:05 -0700"),
			pick([]string{"GET", "GET", "GET", "POST", "PUT"}), p, []int{200, 200, 200, 304, 401, 404, 500}[r.Intn(7)], r.Intn(60000), ref, pick(agents))
	}
	return lines
}

// stage is one step of the chain under test.
type stage interface {
	Process(ctx context.Context, b *audit.Batch) error
}

// enrich stands in for package enrich: the principal is the user, and a
// template of constants.
type enrich struct{}

func (enrich) Process(_ context.Context, b *audit.Batch) error {
	for i := range b.Events {
		e := &b.Events[i]
		e.Principal, e.PrincipalKind, e.PrincipalVerified = e.User, audit.KindUnknown, e.UserVerified
		e.Resource = "GET /api/{id}"
	}
	return nil
}

// chain is the stages from parse to mask.
func chain(t testing.TB) []struct {
	name string
	stage
} {
	sources := map[string]source.Config{"shop": {Name: "shop", Format: "nginx:combined"}}
	p, err := parse.New(sources)
	if err != nil {
		t.Fatal(err)
	}
	return []struct {
		name string
		stage
	}{{"parse", p}, {"normalize", normalize.New(sources)}, {"enrich", enrich{}}, {"classify", classify.New(nil)}, {"mask", masking.NewEngine(nil, dayKeys())}}
}

func batchOf(lines []string) *audit.Batch {
	b := &audit.Batch{Source: "shop", Received: time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)}
	for i, l := range lines {
		b.Lines = append(b.Lines, audit.Line{Origin: audit.Origin{Stream: "stream", Offset: uint64(i)}, Text: plain.New(l), Length: len(l)})
	}
	return b
}

// TestChain runs generated lines through the stages and looks for what the
// lines hold in the entries.
func TestChain(t *testing.T) {
	lines := accessLines(3000)
	b := batchOf(lines)
	for _, s := range chain(t) {
		if err := s.Process(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if len(b.Rejections) > 0 {
		t.Fatalf("rejected: %+v", b.Rejections[0])
	}
	found := 0
	for i := range b.Entries {
		out := &b.Entries[i]
		found += min(len(out.FoundKinds), 1)
		clear := b.Events[i]
		for _, v := range []plain.Text{clear.User, clear.PeerAddr} {
			s := v.Reveal(plainaccess.Token{})
			if strings.HasSuffix(s, ".0") {
				continue // an address that is its own network
			}
			for _, f := range audit.EntryFields {
				if f.Str != nil && s != "" && strings.Contains(*f.Str(out), s) {
					t.Fatalf("line %d: %s holds a clear value", i, f.Name)
				}
			}
		}
		if strings.Contains(out.Target, "@") || strings.Contains(out.Target, "4111") {
			t.Fatalf("line %d: the target holds a clear value", i)
		}
	}
	want := 0
	for _, l := range lines {
		if strings.Contains(l, "@") || strings.Contains(l, "%40") || strings.Contains(l, "card=") {
			want++
		}
	}
	if found != want {
		t.Errorf("personal data found in %d lines of %d", found, want)
	}
}

// TestChainConcurrently runs the same lines through the same stages on several
// goroutines: the entries are the same ones.
func TestChainConcurrently(t *testing.T) {
	lines := accessLines(500)
	stages := chain(t)
	got := make([][]audit.Entry, 4)
	var wg sync.WaitGroup
	for g := range got {
		wg.Add(1)
		go func() {
			defer wg.Done()
			b := batchOf(lines)
			for range 2 { // the second time on a batch that was used before
				for _, s := range stages {
					if err := s.Process(context.Background(), b); err != nil {
						t.Error(err)
						return
					}
				}
			}
			got[g] = b.Entries
		}()
	}
	wg.Wait()
	for g := range got[1:] {
		if d := cmp.Diff(got[0], got[g+1]); d != "" {
			t.Fatalf("goroutine %d (-first +other):\n%s", g+1, d)
		}
	}
}

// BenchmarkChain reports the time per line of each stage and of all of them.
func BenchmarkChain(b *testing.B) {
	lines := accessLines(20000)
	stages := chain(b)
	const size = 1000
	var spent [5]time.Duration
	var batches []*audit.Batch
	for at := 0; at < len(lines); at += size {
		batches = append(batches, batchOf(lines[at:at+size]))
	}
	work := &audit.Batch{Source: "shop"}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		in := batches[n%len(batches)]
		work.Received, work.Lines, work.Rejections = in.Received, in.Lines, work.Rejections[:0]
		for i, s := range stages {
			start := time.Now()
			if err := s.Process(context.Background(), work); err != nil {
				b.Fatal(err)
			}
			spent[i] += time.Since(start)
		}
		n++
	}
	total := time.Duration(0)
	for i, s := range stages {
		total += spent[i]
		b.ReportMetric(float64(spent[i].Nanoseconds())/float64(n*size), s.name+"-ns/line")
	}
	b.ReportMetric(float64(total.Nanoseconds())/float64(n*size), "ns/line")
}
