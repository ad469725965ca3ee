package services_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/services/tap"
)

// awayKafka takes nothing.
type awayKafka struct{}

func (awayKafka) Produce(context.Context, string, ...broker.Message) error {
	return errors.New("no broker answers")
}

// push posts the lines to a tap of the site for which Kafka is away, so that
// they lie in a spool in the data folder; and it posts canaries in every place
// of requests that are refused. What the listener answers is put out.
func (l *leakRun) push(lines []string) {
	t := l.t
	t.Helper()
	deps, err := l.app.TapDeps()
	if err != nil {
		t.Fatal(err)
	}
	deps.Producer, deps.Gate, deps.Metrics = awayKafka{}, nil, nil
	token := strings.Repeat("t0ken", 8)
	src := source.Config{Name: "pushed", Format: "nginx:combined", HTTP: &source.HTTP{Listen: freeAddress(t), TokenFile: l.write("token", token)}}
	if err := src.Validate(); err != nil {
		t.Fatal(err)
	}
	tp, err := tap.New(tap.Config{Sources: []source.Config{src}, Host: "h1"}, deps)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- tp.Run(ctx) }()
	post := func(body string, headers map[string]string) int {
		req, err := http.NewRequest(http.MethodPost, "http://"+src.HTTP.Listen+"/v1/lines", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		for k, v := range headers {
			req.Header.Set(k, v)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0
		}
		defer func() { _ = resp.Body.Close() }()
		answer, _ := io.ReadAll(resp.Body)
		l.put(fmt.Sprintf("answer %d of the listener", resp.StatusCode), fmt.Appendf(answer, "%v", resp.Header))
		return resp.StatusCode
	}
	wait(t, "the listener", func() bool { return post("", nil) == 200 })
	for i, v := range canaryValues() {
		for _, header := range []string{"Authorization", "Content-Type", "Content-Encoding", "User-Agent", "X-Other"} {
			post(v, map[string]string{header: v})
		}
		post(v, map[string]string{"Content-Encoding": "gzip", "Idempotency-Key": v})
		post(v+fmt.Sprint(i), map[string]string{"Idempotency-Key": v})
	}
	if status := post(strings.Join(lines, "\n"), map[string]string{"Idempotency-Key": "all"}); status != 200 {
		t.Errorf("the lines were not taken: %d", status)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	spooled, err := filepath.Glob(filepath.Join(l.cfg.Data, "tap", "spool", "pushed", "*.spool"))
	if err != nil || len(spooled) == 0 {
		t.Errorf("nothing is spooled: %v", err)
	}
	for _, p := range spooled {
		if st, err := os.Stat(p); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("the mode of a spool: %v, %v", st, err)
		}
	}
}

// canaryValues are one value of each canary that a header can hold.
func canaryValues() (out []string) {
	for _, c := range canaries {
		v := c.value
		if !strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r > '~' }) {
			out = append(out, v)
		}
	}
	return out
}
