package services_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tallystick/tallystick/audit/alert/webhook"
	"github.com/tallystick/tallystick/services"
)

const openChunks = "SELECT uniqExact(id) - uniqExactIf(id, state = 'closed') FROM chunks"

const crashing = "TALLYSTICK_TEST_CRASHING"

// TestKill: the whole service is killed again and again in the middle of its
// work; afterwards everything is there exactly once.
func TestKill(t *testing.T) {
	if config := os.Getenv(crashing); config != "" {
		runUntilKilled(t, config)
		return
	}
	kill(t, 5, 8000)
}

// runUntilKilled is the process that dies.
func runUntilKilled(t *testing.T, config string) {
	cfg, err := services.LoadConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	app, err := services.New(context.Background(), services.Options{Config: cfg, Targets: services.Targets, Version: "test", Logger: discard()})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("ready")
	t.Fatal(app.Run(context.Background()))
}

// kill starts the service rounds times, gives it lines, and kills it at a
// random moment. One line of a hundred holds a violation.
func kill(t *testing.T, rounds, lines int) {
	s := newSite(t)
	in := s.receive()
	secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte("a secret of this test, 32 bytes."))
	path := s.write("shop.log")
	s.write("secret", secret)
	s.write("tallystick.yaml", fmt.Sprintf(`data: data
console: {listen: "127.0.0.1:0"}
sources:
- {name: shop, file: shop.log, format: "nginx:combined"}
alerts:
  webhooks:
  - {name: tickets, url: %q, secret_file: secret, allow_private: true}
`, in.url))
	receiver, err := webhook.NewReceiver(secret)
	if err != nil {
		t.Fatal(err)
	}
	in.mu.Lock()
	in.receiver = receiver
	in.mu.Unlock()
	config := filepath.Join(s.dir, "tallystick.yaml")
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	from := time.Now().UTC().Add(-24 * time.Hour)
	written, violations := 0, 0
	for range rounds {
		var some []string
		for range lines {
			l := page(from.Add(time.Duration(written)*time.Second/10), written)
			if written%100 == 7 {
				l = strings.Replace(l, "/products/", "/find?who=person"+fmt.Sprint(written)+"@example.org&n=", 1)
				violations++
			}
			some = append(some, l)
			written++
		}
		round(t, config, func() { s.appendTo(path, some...) }, time.Duration(rng.Int64N(int64(time.Second))))
	}
	if s.cfg, err = services.LoadConfig(config); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.waitCount(written, entriesCount)
	s.waitCount(0, openChunks) // entries come before the rest of their chunk
	for what, sql := range map[string]string{
		"entries twice":            "SELECT count() - uniqExact(event_id) FROM entries",
		"rejections":               "SELECT count() FROM rejections",
		"lines missing":            "SELECT toInt64(sum(missing)) FROM completeness",
		"lines counted wrongly":    fmt.Sprintf("SELECT toInt64(sum(received)) - %d FROM completeness", written),
		"hourly counts off":        fmt.Sprintf("SELECT toInt64(sum(entries)) - %d FROM entries_hourly", written),
		"findings of record":       "SELECT count() FROM findings WHERE control = 'GV-03' AND facts['reason'] NOT IN ('leaf-missing')",
		"violations off":           fmt.Sprintf("SELECT toInt64(count()) - %d FROM findings WHERE control = 'EX-03'", violations),
		"violations stored twice":  "SELECT count() - uniqExact(id) FROM findings_all WHERE control = 'EX-03'",
		"chunks that were doubled": "SELECT count() - uniqExact(id, version) FROM chunks WHERE state = 'closed'",
	} {
		if n := s.count(sql); n != 0 {
			t.Errorf("%s: %d", what, n)
		}
	}
	if v := s.verify(); !v.OK || v.Rows < uint64(written) {
		t.Errorf("verify: %+v", v)
	}
	wait(t, "all violations in tickets", func() bool {
		groups, findings := violationGroups(s)
		return findings == violations && len(in.all()) == groups
	})
	if _, refused := receiver.Counts(); refused != 0 {
		t.Errorf("%d notices without a valid signature", refused)
	}
}

// round runs the service in a process of its own and kills it.
func round(t *testing.T, config string, feed func(), after time.Duration) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKill$")
	cmd.Env = append(os.Environ(), crashing+"="+config)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "ready" {
		said.WriteString(lines.Text() + "\n")
	}
	feed()
	time.Sleep(after) // the random moment itself
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	for lines.Scan() {
		said.WriteString(lines.Text() + "\n")
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the process was to be killed and ended itself: %v\n%s", err, said.String())
	}
}
