package tap_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/audit/source/file"
	"github.com/tallystick/tallystick/services/tap"
)

// spoolKilled names the folder of a process that spools until it is killed.
const spoolKilled = "TALLYSTICK_TEST_SPOOL_KILLED"

// Every line that a sender was told is taken is in Kafka in the end, once, with
// Kafka away and the tap killed in the middle, again and again.
func TestKilledWhileSpooling(t *testing.T) {
	if dir := os.Getenv(spoolKilled); dir != "" {
		runSpooling(t, dir)
		return
	}
	dir := t.TempDir()
	s := newSite(t, dir)
	token := strings.Repeat("t", 32)
	address := freePort(t)
	for name, text := range map[string]string{"token": token, "address": address} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	taken := map[string]bool{}
	for start := range 3 {
		cmd := exec.Command(self, "-test.run=^TestKilledWhileSpooling$")
		cmd.Env = append(os.Environ(), spoolKilled+"="+dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		var senders sync.WaitGroup
		for sender := range 4 {
			senders.Go(func() {
				for i := 0; ctx.Err() == nil; i++ {
					line := fmt.Sprint("line ", start, " ", sender, " ", i)
					if postLine(ctx, address, token, line) {
						mu.Lock()
						taken[line] = true
						mu.Unlock()
					}
				}
			})
		}
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			mu.Lock()
			n := len(taken)
			mu.Unlock()
			if n >= 40*(start+1) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("start %d: %d lines", start, n)
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		cancel()
		senders.Wait()
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("start %d: %v", start, err)
		}
	}
	r := &rig{site: s, t: t, kafka: newKafka(), reg: prometheus.NewRegistry(), log: io.Discard}
	r.cfg = spoolingConfig(t, dir)
	tp, stop := r.start()
	r.eventually("the spool is empty", func() bool { return tp.Status()[0].Spooled == 0 })
	stop()
	got := map[string]int{}
	for _, line := range r.kafka.lines(t, s) {
		got[line]++
	}
	for line := range taken {
		if got[line] != 1 {
			t.Errorf("%q came %d times", line, got[line])
		}
	}
}

func postLine(ctx context.Context, address, token, line string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/v1/lines", strings.NewReader(line))
	if err != nil {
		return false
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func spoolingConfig(t *testing.T, dir string) tap.Config {
	address, err := os.ReadFile(filepath.Join(dir, "address"))
	if err != nil {
		t.Fatal(err)
	}
	c := source.Config{Name: "shop", Format: "nginx:combined", HTTP: &source.HTTP{Listen: string(address), TokenFile: filepath.Join(dir, "token")}}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return tap.Config{Host: "h1", Sources: []source.Config{c}, Retry: time.Millisecond}
}

// runSpooling runs a tap for which Kafka is away until the process is killed.
func runSpooling(t *testing.T, dir string) {
	s := newSite(t, dir)
	k := newKafka()
	k.set(true)
	state, err := file.OpenState(filepath.Join(dir, "positions"), s.prf)
	if err != nil {
		t.Fatal(err)
	}
	tp, err := tap.New(spoolingConfig(t, dir), tap.Deps{Sealer: s.sealer, Producer: k, Site: s.prf, State: state, Spool: filepath.Join(dir, "spool")})
	if err != nil {
		t.Fatal(err)
	}
	if err := tp.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
}
