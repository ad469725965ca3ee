//go:build integration && linux

package integration_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestPostedLines: requests that are sent twice count once, in a running
// instance and through ingest of a pipe.
func TestPostedLines(t *testing.T) {
	t.Parallel()
	s := newSite(t, t.TempDir())
	addr, token := freeAddr(t), strings.Repeat("5ecret", 6)
	writeFile(t, filepath.Join(s.dir, "token"), "%s\n", token)
	writeFile(t, filepath.Join(s.dir, "tallystick.yaml"), "sources:\n- {name: server, http: {listen: %q, token_file: token}, format: \"nginx:combined\"}\n", addr)
	i := s.start("--listen", "127.0.0.1:0")
	at := time.Now().UTC().Format("02/Jan/2006:15:04:05 -0700")
	block := func(k int) []byte {
		var out bytes.Buffer
		z := gzip.NewWriter(&out)
		for n := range 1000 {
			_, _ = fmt.Fprintf(z, "192.0.2.9 - - [%s] \"GET /v1/customers/%d HTTP/1.1\" 200 %d \"-\" \"curl/8\"\n", at, k, n)
		}
		_ = z.Close()
		return out.Bytes()
	}
	post := func(k int, token string) (int, string) {
		req, err := http.NewRequest(http.MethodPost, "http://"+addr+"/v1/lines", bytes.NewReader(block(k)))
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		for name, v := range map[string]string{"Authorization": "Bearer " + token, "Content-Encoding": "gzip", "Content-Type": "text/plain", "Idempotency-Key": fmt.Sprint(k)} {
			req.Header.Set(name, v)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		defer func() { _ = resp.Body.Close() }()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, strings.TrimSpace(string(b))
	}
	if status, _ := post(0, "another token"); status != http.StatusUnauthorized {
		t.Errorf("another token: %d", status)
	}
	const blocks = 20
	var senders sync.WaitGroup
	for k := range blocks {
		for range 2 {
			senders.Go(func() {
				if status, answer := post(k, token); status != http.StatusOK || answer != `{"lines":1000}` {
					t.Errorf("block %d: %d %s", k, status, answer)
				}
			})
		}
	}
	senders.Wait()
	poll(t, 30*time.Second, "the entries", func() bool { return s.number("SELECT count() FROM entries") >= blocks*1000 })
	if n := s.number("SELECT count() FROM entries"); n != blocks*1000 {
		t.Errorf("%d entries", n)
	}
	if n := s.number(fmt.Sprintf("SELECT countIf(n != %d) FROM (SELECT count() AS n FROM entries GROUP BY bytes_out)", blocks)); n != 0 {
		t.Errorf("%d lines came too often or not often enough", n)
	}
	cmd := s.command("ingest", "--format", "auto", "-")
	cmd.Stdin = bytes.NewReader(block(blocks))
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "1000 entries") {
		t.Errorf("a compressed pipe: %v\n%s", err, out)
	}
	i.stop()
	s.verify()
	if b, err := os.ReadFile(filepath.Join(s.dir, "token")); err == nil && strings.Contains(i.out.String(), strings.TrimSpace(string(b))) {
		t.Error("the token is in the log")
	}
}
