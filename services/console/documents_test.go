package console_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/services/console"
)

// maskers is Masking with one policy, which answers what it was given.
type maskers struct{ found int }

func (m maskers) Detect(_ []byte, found func(console.DocumentFinding) error) error {
	for i := range m.found {
		if err := found(console.DocumentFinding{Line: i + 1, Kind: "email", Category: "user.contact.email", Start: 2, End: 9, Confidence: 90}); err != nil {
			return err
		}
	}
	return nil
}

func (maskers) Mask(policy string, form console.DocumentForm, doc []byte) ([]byte, error) {
	switch {
	case policy != "partner-a":
		return nil, registers.ErrNotFound
	case bytes.Contains(doc, []byte("bad")):
		return nil, &console.DocumentFault{Line: 2, Column: 7, Reason: "this is no JSON value"}
	}
	return append([]byte(form+": "), doc...), nil
}

// send posts a document with the token for forms.
func (b *browser) send(path, media, encoding string, body io.Reader) *httptest.ResponseRecorder {
	b.t.Helper()
	return b.do(b.document(path, media, encoding, body))
}

func (b *browser) document(path, media, encoding string, body io.Reader) *http.Request {
	b.t.Helper()
	var me struct{ CSRF string }
	if err := json.Unmarshal(b.get("/api/v1/me").Body.Bytes(), &me); err != nil {
		b.t.Fatal(err)
	}
	req := httptest.NewRequest(http.MethodPost, path, body)
	req.Header.Set("X-CSRF-Token", me.CSRF)
	req.Header.Set("Content-Type", media)
	req.Header.Set("Content-Encoding", encoding)
	return req
}

func documentSite(t *testing.T, found int) *site {
	return newSite(t, func(_ *console.Config, d *console.Deps) { d.Masking = maskers{found} })
}

func TestDetectDocument(t *testing.T) {
	s := documentSite(t, 1)
	b := s.signedIn("ines", registers.RoleEngineer)
	res := b.send("/api/v1/detect", "text/plain", "", strings.NewReader("x"))
	want := `{"findings":[{"line":1,"kind":"email","category":"user.contact.email","start":2,"end":9,"confidence":90,"validated":false}],"cut":false}`
	if res.Code != http.StatusOK || res.Body.String() != want {
		t.Errorf("%d %s", res.Code, res.Body)
	}
	many := documentSite(t, 10_001).signedIn("ines", registers.RoleEngineer).send("/api/v1/detect", "text/plain", "", strings.NewReader("x"))
	if !strings.HasSuffix(many.Body.String(), `,"cut":true}`) {
		t.Errorf("10,001 findings answer ...%s", many.Body.String()[many.Body.Len()-40:])
	}
}

func TestMaskDocument(t *testing.T) {
	s := documentSite(t, 0)
	b := s.signedIn("ines", registers.RoleEngineer)
	const path = "/api/v1/mask?policy=partner-a"
	for _, tc := range []struct {
		name, path, media, body string
		status                  int
		want                    string
	}{
		{"lines", path, "application/x-ndjson", "{}\n{}\n", 200, "application/x-ndjson: {}\n{}\n"},
		{"a charset", path, "application/json; charset=utf-8", "{}", 200, "application/json: {}"},
		{"another policy", "/api/v1/mask?policy=partner-b", "application/json", "{}", 404, "no-such-policy"},
		{"no policy", "/api/v1/mask", "application/json", "{}", 404, "no-such-policy"},
		{"a long policy", "/api/v1/mask?policy=" + strings.Repeat("x", 1000), "application/json", "{}", 404, "no-such-policy"},
		{"another form", path, "application/xml", "<a/>", 415, "bad-type"},
		{"another charset", path, "text/plain; charset=latin1", "x", 415, "bad-type"},
		{"not UTF-8", path, "text/plain", "\xff", 400, "not-utf-8"},
		{"what can't be masked", path, "application/json", "bad", 422, `"detail":"line 2, column 7: this is no JSON value"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res := b.send(tc.path, tc.media, "", strings.NewReader(tc.body))
			if res.Code != tc.status || !strings.Contains(res.Body.String(), tc.want) {
				t.Errorf("%d %s; want %d %s", res.Code, res.Body, tc.status, tc.want)
			}
		})
	}
	if got := s.acts(); cmp.Diff("ines document.mask", got[len(got)-1]) != "" {
		t.Errorf("the trail ends with %v", got)
	}
	for _, role := range []registers.Role{registers.RoleAuditor, registers.RoleAdministrator} {
		if res := s.signedIn("x"+strings.ToLower(string(role)), role).send(path, "application/json", "", strings.NewReader("{}")); res.Code != http.StatusForbidden {
			t.Errorf("%s masks a document: %d", role, res.Code)
		}
	}
	if res := s.browser().post(path, nil); res.Code != http.StatusUnauthorized {
		t.Errorf("a stranger gets %d", res.Code)
	}
}

// bomb is n bytes of zeros, compressed.
func bomb(t *testing.T, encoding string, n int64) io.Reader {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&b)
	if encoding == "zstd" {
		z, err := zstd.NewWriter(&b, zstd.WithWindowSize(1<<20))
		if err != nil {
			t.Fatal(err)
		}
		w = z
	}
	if _, err := io.CopyN(w, zeros{}, n); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestHostileDocuments: a large body, a bomb and broken packing are refused, and
// take little memory.
func TestHostileDocuments(t *testing.T) {
	b := documentSite(t, 0).signedIn("ines", registers.RoleOfficer)
	const huge = 100 << 20
	gzipped, packed := bomb(t, "gzip", huge), bomb(t, "zstd", huge)
	cut := strings.NewReader("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x01")
	for _, tc := range []struct {
		name, encoding string
		body           io.Reader
		status         int
		want           string
	}{
		{"100 MB that say their length", "", bytes.NewReader(make([]byte, huge)), 413, "too-large"},
		{"100 MB that do not", "", struct{ io.Reader }{io.LimitReader(zeros{}, huge)}, 413, "too-large"},
		{"a gzip bomb", "gzip", gzipped, 413, "too-large"},
		{"a zstd bomb", "zstd", packed, 413, "too-large"},
		{"gzip that ends early", "gzip", cut, 400, "bad-body"},
		{"gzip that is none", "gzip", strings.NewReader("{}"), 400, "bad-body"},
		{"zstd that is none", "zstd", strings.NewReader("{}"), 400, "bad-body"},
		{"another packing", "br", strings.NewReader("{}"), 415, "bad-encoding"},
		{"one that came too slowly", "gzip", iotest.ErrReader(fmt.Errorf("read: %w", os.ErrDeadlineExceeded)), 408, "too-slow"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			res := b.send("/api/v1/mask?policy=partner-a", "application/json", tc.encoding, tc.body)
			runtime.ReadMemStats(&after)
			if res.Code != tc.status || !strings.Contains(res.Body.String(), tc.want) {
				t.Errorf("%d %s; want %d %s", res.Code, res.Body, tc.status, tc.want)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 32<<20 && !racing {
				t.Errorf("it took %d MB in all", used>>20)
			}
		})
	}
}

// TestSlowDocuments: clients that send slowly keep nobody waiting.
func TestSlowDocuments(t *testing.T) {
	b := documentSite(t, 0).signedIn("ines", registers.RoleEngineer)
	const path = "/api/v1/mask?policy=partner-a"
	answers := make(chan int)
	var bodies []*io.PipeWriter
	for range 5 {
		r, w := io.Pipe()
		bodies = append(bodies, w)
		req := b.document(path, "text/plain", "", r)
		go func() { answers <- b.do(req).Code }()
		if _, err := w.Write([]byte("the beginning")); err != nil { // returns once it is read
			t.Fatal(err)
		}
	}
	if res := b.send(path, "text/plain", "", strings.NewReader("x")); res.Code != http.StatusOK {
		t.Errorf("beside slow ones: %d %s", res.Code, res.Body)
	}
	for _, w := range bodies {
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for range bodies {
		if code := <-answers; code != http.StatusOK {
			t.Errorf("a slow one gets %d", code)
		}
	}
}

// timed is a connection that notes its deadlines.
type timed struct {
	*httptest.ResponseRecorder
	deadlines []time.Time
}

func (c *timed) SetReadDeadline(at time.Time) error {
	c.deadlines = append(c.deadlines, at)
	return nil
}

// TestDocumentDeadline: a document has a deadline as long as it arrives.
func TestDocumentDeadline(t *testing.T) {
	b := documentSite(t, 0).signedIn("ines", registers.RoleEngineer)
	conn := &timed{ResponseRecorder: httptest.NewRecorder()}
	b.serve(conn, b.document("/api/v1/detect", "text/plain", "", strings.NewReader("x")))
	if conn.Code != http.StatusOK || len(conn.deadlines) != 2 || time.Until(conn.deadlines[0]) > 30*time.Second || !conn.deadlines[1].IsZero() {
		t.Errorf("%d, deadlines %v", conn.Code, conn.deadlines)
	}
	conn = &timed{ResponseRecorder: httptest.NewRecorder()}
	b.serve(conn, b.document("/api/v1/detect", "text/plain", "", iotest.ErrReader(os.ErrDeadlineExceeded)))
	if conn.Code != http.StatusRequestTimeout || len(conn.deadlines) != 1 {
		t.Errorf("too slow: %d, deadlines %v", conn.Code, conn.deadlines)
	}
}
