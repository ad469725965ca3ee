package demo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"
)

// Among the live lines a violation comes soon after the start and then again
// and again.
const (
	soon    = 5 * time.Second
	between = 30 * time.Second
)

// Live appends lines to the logs in dir as time passes, about rate a second,
// with a violation now and then, until ctx ends. It returns nil then.
func Live(ctx context.Context, dir string, rate float64) error {
	if rate <= 0 {
		return errors.New("the demo needs a rate of at least some lines a second")
	}
	l, err := openLive(dir)
	if err != nil {
		return err
	}
	defer l.close()
	tick := time.NewTicker(max(time.Duration(float64(time.Second)/rate), time.Millisecond))
	defer tick.Stop()
	wrong := time.NewTimer(soon)
	defer wrong.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			err = l.ordinary(time.Now().UTC())
		case <-wrong.C:
			err = l.violation(time.Now().UTC())
			wrong.Reset(between)
		}
		if err != nil {
			return fmt.Errorf("failed to write the demo's logs: %w", err)
		}
	}
}

// live writes lines as they happen.
type live struct {
	rng   *rand.Rand
	out   map[string]*os.File
	queue []web // what the visitor at the shop does next
	turn  int   // which violation comes next
}

func openLive(dir string) (*live, error) {
	l := &live{rng: rand.New(rand.NewPCG(rand.Uint64(), 1)), out: map[string]*os.File{}}
	for source := range files {
		f, err := os.OpenFile(Path(dir, source), os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			l.close()
			return nil, fmt.Errorf("failed to go on with the demo's logs: %w", err)
		}
		l.out[source] = f
	}
	return l, nil
}

func (l *live) close() {
	for _, f := range l.out {
		_ = f.Close()
	}
}

func (l *live) write(source, line string) error {
	_, err := l.out[source].WriteString(line + "\n")
	return err
}

// ordinary writes one line of everyday traffic.
func (l *live) ordinary(now time.Time) error {
	switch k := l.rng.IntN(20); {
	case k < 12:
		if len(l.queue) == 0 {
			l.queue = visit(l.rng)
		}
		w := l.queue[0]
		l.queue = l.queue[1:]
		return l.write(Shop, w.line(now))
	case k < 13:
		return l.write(Shop, crawl(l.rng).line(now))
	case k < 18:
		return l.write(CRM, serve(l.rng).line(now))
	default:
		return l.write(Events, consume(l.rng).line(now))
	}
}

// violation writes the next of the wrong accesses, in turn.
func (l *live) violation(now time.Time) error {
	l.turn++
	contact := "/v1/customers/" + customer(l.rng)
	switch l.turn % 5 {
	case 1:
		return l.write(CRM, staffed(l.rng, "agent14", "GET", contact, "").line(now))
	case 2:
		w := web{addr: home(customer(l.rng)), method: "GET", target: "/search?email=lucia.prado%40example.org", status: 200, size: 2_345, agent: browsers[0]}
		return l.write(Shop, w.line(now))
	case 3:
		c := staffed(l.rng, "svc-legacy-sync", "GET", contact, "billing")
		c.tls, c.agent = "TLSv1.1", "stock-sync/0.9"
		return l.write(CRM, c.line(now))
	case 4:
		c := staffed(l.rng, "lumen-insights", "GET", "/v1/segments/loyal", "analytics")
		c.addr, c.agent = "198.51.100.20:50444", "lumen/4.2"
		return l.write(CRM, c.line(now))
	}
	for range 22 { // refused again and again
		c := check{user: "svc-reporting", operation: "READ", host: "10.20.4.40", resource: "Topic:LITERAL:payments", request: "Fetch", denied: true}
		if err := l.write(Events, c.line(now)); err != nil {
			return err
		}
		now = now.Add(time.Millisecond)
	}
	return nil
}
