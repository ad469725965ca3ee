package http_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	nethttp "net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/audit/source/http"
	"github.com/tallystick/tallystick/audit/source/push/pushtest"
	"github.com/tallystick/tallystick/internal/text"
)

const token = "0123456789abcdef0123456789abcdef"

// rig is a listener with its sink.
type rig struct {
	t    *testing.T
	sink *pushtest.Sink
	r    *http.Reader
	stop func()
	url  string
}

func start(t *testing.T, change func(*source.HTTP)) *rig {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := source.Config{Name: "shop", Format: "nginx:combined", HTTP: &source.HTTP{Listen: "127.0.0.1:0", TokenFile: file}}
	if change != nil {
		change(c.HTTP)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	g := &rig{t: t, sink: pushtest.NewSink(t)}
	var err error
	if g.r, err = http.Open("shop", *c.HTTP, g.sink.Deps()); err != nil {
		t.Fatal(err)
	}
	g.url = "http://" + g.r.Addr().String() + "/v1/lines"
	g.stop = g.sink.Drive(g.r)
	return g
}

// post returns the status, the count and the message of the answer.
func (g *rig) post(body io.Reader, headers ...string) (status int, lines uint64, message string) {
	g.t.Helper()
	status, lines, message, err := g.try(g.t.Context(), body, headers...)
	if err != nil {
		g.t.Error(err)
	}
	return status, lines, message
}

func (g *rig) try(ctx context.Context, body io.Reader, headers ...string) (status int, lines uint64, message string, err error) {
	req, err := nethttp.NewRequestWithContext(ctx, nethttp.MethodPost, g.url, body)
	if err != nil {
		return 0, 0, "", err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := nethttp.DefaultClient.Do(req)
	if err != nil {
		return 0, 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	var a struct {
		Lines uint64
		Error string
	}
	err = json.NewDecoder(resp.Body).Decode(&a)
	if resp.StatusCode == 503 && resp.Header.Get("Retry-After") == "" {
		g.t.Error("503 without Retry-After")
	}
	return resp.StatusCode, a.Lines, a.Error, err
}

func packed(t *testing.T, encoding, s string) io.Reader {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&out)
	if encoding == "zstd" {
		z, err := zstd.NewWriter(&out)
		if err != nil {
			t.Fatal(err)
		}
		w = z
	}
	if _, err := io.WriteString(w, s); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &out
}

func TestTaken(t *testing.T) {
	g := start(t, nil)
	for _, tc := range []struct {
		name    string
		body    io.Reader
		headers []string
		want    uint64
	}{
		{"text", strings.NewReader("a1\r\na2\n\na3"), nil, 3},
		{"ndjson", strings.NewReader("{\"b\":1}\n"), []string{"Content-Type", "application/x-ndjson; charset=utf-8"}, 1},
		{"gzip", packed(t, "gzip", "c1\nc2\n"), []string{"Content-Encoding", "gzip"}, 2},
		{"zstd", packed(t, "zstd", "d1\nd2\n"), []string{"Content-Encoding", "zstd", "Content-Type", "text/plain"}, 2},
		{"nothing", strings.NewReader(""), nil, 0},
		{"long", strings.NewReader(strings.Repeat("x", source.MaxLine+1)), nil, 1},
	} {
		if status, n, message := g.post(tc.body, tc.headers...); status != 200 || n != tc.want || message != "" {
			t.Errorf("%s: %d, %d lines, %q", tc.name, status, n, message)
		}
	}
	g.stop()
	want := []string{"a1", "a2", "a3", `{"b":1}`, "c1", "c2", "d1", "d2", strings.Repeat("x", source.MaxLine) + "[cut]"}
	if d := cmp.Diff(g.sink.Lines(), want); d != "" {
		t.Errorf("(-got +want):\n%s", d)
	}
}

func TestRefused(t *testing.T) {
	const canary = "canary-4711"
	g := start(t, func(c *source.HTTP) { c.MaxBody, c.MaxUnpacked = source.MaxLine, 2*source.MaxLine })
	big := strings.Repeat(canary+"\n", source.MaxLine/10)
	for _, tc := range []struct {
		name    string
		body    io.Reader
		headers []string
		status  int
		outcome string
	}{
		{"no token", strings.NewReader(canary), []string{"Authorization", ""}, 401, "unauthorised"},
		{"other token", strings.NewReader(canary), []string{"Authorization", "Bearer " + canary}, 401, "unauthorised"},
		{"other scheme", strings.NewReader(canary), []string{"Authorization", "Basic " + token}, 401, "unauthorised"},
		{"type", strings.NewReader(canary), []string{"Content-Type", "application/json"}, 415, "bad_type"},
		{"encoding", strings.NewReader(canary), []string{"Content-Encoding", "br"}, 415, "bad_encoding"},
		{"not gzip", strings.NewReader(canary), []string{"Content-Encoding", "gzip"}, 400, "bad_body"},
		{"not zstd", strings.NewReader(canary), []string{"Content-Encoding", "zstd"}, 400, "bad_body"},
		{"too large", strings.NewReader(big), nil, 413, "too_large"},
		{"too large, length not said", io.MultiReader(strings.NewReader(big)), nil, 413, "too_large"},
		{"bomb, gzip", packed(t, "gzip", strings.Repeat("x", 3*source.MaxLine)), []string{"Content-Encoding", "gzip"}, 413, "too_large_unpacked"},
		{"bomb, zstd", packed(t, "zstd", strings.Repeat("x", 3*source.MaxLine)), []string{"Content-Encoding", "zstd"}, 413, "too_large_unpacked"},
		{"long key", strings.NewReader(canary), []string{"Idempotency-Key", strings.Repeat("k", 256)}, 400, "bad_key"},
	} {
		before := g.sink.Outcome(tc.outcome)
		status, _, message := g.post(tc.body, tc.headers...)
		if status != tc.status || message == "" || strings.Contains(message, canary) || g.sink.Outcome(tc.outcome) != before+1 {
			t.Errorf("%s: %d %q", tc.name, status, message)
		}
	}
	resp, err := nethttp.Get(g.url)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != 401 {
		t.Errorf("GET without a token: %d", resp.StatusCode)
	}
	g.stop()
	if strings.Contains(g.sink.Log(), canary) {
		t.Error("the log shows what was sent")
	}
}

// Whole lines before a fault are durable, and the answer says how many; the cut
// one is not taken.
func TestBodyThatBreaksOff(t *testing.T) {
	g := start(t, nil)
	whole, err := io.ReadAll(packed(t, "gzip", strings.Repeat("line\n", 10)+"last"))
	if err != nil {
		t.Fatal(err)
	}
	status, n, _ := g.post(bytes.NewReader(whole[:len(whole)-10]), "Content-Encoding", "gzip")
	g.stop()
	if status != 400 || n != uint64(len(g.sink.Lines())) {
		t.Errorf("%d, %d lines, %d came", status, n, len(g.sink.Lines()))
	}
}

// The answer waits until the lines are durable.
func TestAnswerIsDurable(t *testing.T) {
	g := start(t, nil)
	g.sink.Hold(true)
	done := make(chan int, 1)
	go func() { status, _, _ := g.post(strings.NewReader("a1\n")); done <- status }()
	g.sink.Eventually("the line has come", func() bool { return len(g.sink.Lines()) == 1 })
	select {
	case status := <-done:
		t.Fatalf("%d before the line is durable", status)
	default:
	}
	g.sink.Hold(false)
	if status := <-done; status != 200 {
		t.Errorf("%d", status)
	}
}

// A request whose tap ends before its lines are durable is told so; one that
// finds no room, too.
func TestFullAndEnd(t *testing.T) {
	g := start(t, nil)
	g.sink.Hold(true)
	body := strings.Repeat(strings.Repeat("y", 999)+"\n", 4000)
	waiting := make(chan int, 20)
	for range 3 { // more than the inlet holds
		go func() { status, _, _ := g.post(strings.NewReader(body)); waiting <- status }()
	}
	g.sink.Eventually("refused at once", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond) // it waits while there is room
		defer cancel()
		status, _, _, err := g.try(ctx, strings.NewReader("z\n"))
		return err == nil && status == 503
	})
	if err := g.r.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if status := <-waiting; status != 503 {
			t.Errorf("%d", status)
		}
	}
}

func TestIdempotencyKey(t *testing.T) {
	g := start(t, nil)
	key := []string{"Idempotency-Key", "k1"}
	body := "a1\na2\na3\n"
	for range 3 {
		if status, n, _ := g.post(strings.NewReader(body), key...); status != 200 || n != 3 {
			t.Fatalf("%d, %d lines", status, n)
		}
	}
	for name, other := range map[string]string{"other": "a1\nb2\na3\n", "more": body + "a4\n", "fewer": "a1\na2\n"} {
		if status, _, message := g.post(strings.NewReader(other), key...); status != 422 || !strings.Contains(message, "other lines") {
			t.Errorf("%s lines: %d %q", name, status, message)
		}
	}
	// A request that broke off goes on where it was.
	if status, n, _, err := g.try(t.Context(), io.MultiReader(strings.NewReader("b1\nb2\nb"), failing{}), "Idempotency-Key", "k2"); err == nil {
		t.Fatalf("%d, %d lines", status, n)
	}
	g.sink.Eventually("what came of it", func() bool { return len(g.sink.Lines()) == 5 })
	if status, n, _ := g.post(strings.NewReader("b1\nb2\nb3\n"), "Idempotency-Key", "k2"); status != 200 || n != 3 {
		t.Errorf("%d, %d lines", status, n)
	}
	g.stop()
	if d := cmp.Diff(g.sink.Lines(), []string{"a1", "a2", "a3", "b1", "b2", "b3"}); d != "" {
		t.Errorf("(-got +want):\n%s", d)
	}
}

// failing ends a body early.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("broken off") }

func TestMutualTLS(t *testing.T) {
	ca := pushtest.NewAuthority(t)
	g := start(t, func(c *source.HTTP) { c.TokenFile, c.TLS = "", ca.Server(true) })
	url := strings.Replace(g.url, "http://", "https://", 1)
	for _, shown := range []bool{true, false} {
		client := &nethttp.Client{Transport: &nethttp.Transport{TLSClientConfig: ca.Client(shown), ForceAttemptHTTP2: true}}
		resp, err := client.Post(url, "text/plain", strings.NewReader("a1\n"))
		if shown {
			if err != nil || resp.StatusCode != 200 {
				t.Fatalf("%v, %v", resp, err)
			}
			_ = resp.Body.Close()
		} else if err == nil {
			t.Errorf("%d without a certificate", resp.StatusCode)
		}
		client.CloseIdleConnections()
	}
	if _, err := tls.Dial("tcp", g.r.Addr().String(), &tls.Config{MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is accepted")
	}
}

// The private key of a listener that others can read is refused.
func TestOpenKey(t *testing.T) {
	c := pushtest.NewAuthority(t).Server(true)
	if err := os.Chmod(c.KeyFile, 0o640); err != nil {
		t.Fatal(err)
	}
	_, err := http.Open("shop", source.HTTP{Listen: "127.0.0.1:0", TLS: c}, pushtest.NewSink(t).Deps())
	if err == nil || text.HintOf(err) != "chmod 600 "+c.KeyFile {
		t.Errorf("%v, hint %q", err, text.HintOf(err))
	}
}

func TestTokenFile(t *testing.T) {
	dir := t.TempDir()
	open := filepath.Join(dir, "open")
	short := filepath.Join(dir, "short")
	for path, mode := range map[string]os.FileMode{open: 0o644, short: 0o600} {
		if err := os.WriteFile(path, []byte("secret"), mode); err != nil {
			t.Fatal(err)
		}
	}
	for path, hint := range map[string]string{open: "chmod 600", short: "openssl", filepath.Join(dir, "none"): "umask 077"} {
		_, err := http.Open("shop", source.HTTP{Listen: "127.0.0.1:0", TokenFile: path}, pushtest.NewSink(t).Deps())
		if err == nil || !strings.Contains(text.HintOf(err), hint) || strings.Contains(fmt.Sprint(err), "secret") {
			t.Errorf("%s: %v, %s", path, err, text.HintOf(err))
		}
	}
}
