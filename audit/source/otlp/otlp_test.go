package otlp_test

import (
	"bytes"
	packer "compress/gzip"
	"context"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/audit/source/otlp"
	"github.com/tallystick/tallystick/masking/plainaccess"
)

// rig is a listener and a tap that makes lines durable while it is not held.
type rig struct {
	t *testing.T
	*otlp.Reader

	mu     sync.Mutex
	lines  []string
	counts map[string]int
	hold   chan struct{} // Acks wait until it is closed
}

func open(t *testing.T, change ...func(*source.OTLP)) *rig {
	t.Helper()
	r := &rig{t: t, counts: map[string]int{}, hold: make(chan struct{})}
	cfg := source.OTLP{GRPC: "127.0.0.1:0", HTTP: "127.0.0.1:0"}
	for _, c := range change {
		c(&cfg)
	}
	whole := source.Config{Name: "shop", Format: "nginx:combined", OTLP: &cfg}
	if err := whole.Validate(); err != nil { // fills in the defaults
		t.Fatal(err)
	}
	var err error
	r.Reader, err = otlp.Open("shop", cfg, source.Deps{
		Name:   func(parts ...string) string { return strings.Join(parts, "/") },
		Logger: slog.New(slog.DiscardHandler), Clock: time.Now,
		Gap:   func(source.Gap) {},
		Count: func(outcome string, n int) { r.mu.Lock(); r.counts[outcome] += n; r.mu.Unlock() },
	})
	if err != nil {
		t.Fatal(err)
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			run, err := r.Next(context.Background())
			if err != nil {
				return
			}
			r.mu.Lock()
			for _, l := range run.Lines {
				r.lines = append(r.lines, strings.Clone(l.Text.Reveal(plainaccess.Token{})))
			}
			r.mu.Unlock()
			<-r.hold
			if err := r.Ack(run); err != nil {
				t.Error(err)
			}
		}
	})
	t.Cleanup(func() {
		r.release()
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		reading.Wait()
		noneLeft(t)
	})
	return r
}

// release makes everything durable from now on.
func (r *rig) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.hold:
	default:
		close(r.hold)
	}
}

func (r *rig) got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string{}, r.lines...)
}

func (r *rig) count(what string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts[what]
}

// request has a record for each body.
func request(bodies ...string) plogotlp.ExportRequest {
	logs := plog.NewLogs()
	records := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for _, b := range bodies {
		records.AppendEmpty().Body().SetStr(b)
	}
	return plogotlp.NewExportRequestFromLogs(logs)
}

func (r *rig) client() plogotlp.GRPCClient {
	r.t.Helper()
	addr, _ := r.Addrs()
	conn, err := grpc.NewClient(addr.String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	return plogotlp.NewGRPCClient(conn)
}

// post sends a body over HTTP.
func (r *rig) post(kind, encoding string, body []byte) (*http.Response, []byte) {
	r.t.Helper()
	_, addr := r.Addrs()
	req, err := http.NewRequest(http.MethodPost, "http://"+addr.String()+"/v1/logs", bytes.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", kind)
	if encoding != "" {
		req.Header.Set("Content-Encoding", encoding)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp, b
}

func packed(b []byte) []byte {
	var out bytes.Buffer
	z := packer.NewWriter(&out)
	_, _ = z.Write(b)
	_ = z.Close()
	return out.Bytes()
}

func TestRecordsBecomeLines(t *testing.T) {
	r := open(t)
	r.release()
	if _, err := r.client().Export(t.Context(), request("over gRPC\n", "two\nlines")); err != nil {
		t.Fatal(err)
	}
	if _, err := r.client().Export(t.Context(), request("over gRPC, packed"), grpc.UseCompressor(gzip.Name)); err != nil {
		t.Fatal(err)
	}
	asProto, err := request("over HTTP\r\n").MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := request("over HTTP as JSON").MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		kind, encoding string
		body           []byte
	}{{"application/x-protobuf", "", asProto}, {"application/json; charset=utf-8", "gzip", packed(asJSON)}} {
		resp, b := r.post(c.kind, c.encoding, c.body)
		answer := plogotlp.NewExportResponse()
		if c.encoding == "" {
			err = answer.UnmarshalProto(b)
		} else {
			err = answer.UnmarshalJSON(b)
		}
		if resp.StatusCode != http.StatusOK || err != nil || !strings.HasPrefix(c.kind, resp.Header.Get("Content-Type")) || answer.PartialSuccess().RejectedLogRecords() != 0 {
			t.Errorf("%s: %s %q %v", c.kind, resp.Status, b, err)
		}
	}
	want := []string{"over gRPC", "two\nlines", "over gRPC, packed", "over HTTP", "over HTTP as JSON"}
	if d := cmp.Diff(want, r.got()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if r.count("records") != 5 || r.count("accepted") != 4 {
		t.Errorf("counted %v", r.counts)
	}
}

// An answer comes when the lines are durable, and not before.
func TestAnswerAfterDurable(t *testing.T) {
	r := open(t)
	answered := make(chan error, 1)
	client := r.client()
	go func() { _, err := client.Export(t.Context(), request("a")); answered <- err }()
	await(t, "the line", func() bool { return len(r.got()) == 1 })
	select {
	case err := <-answered:
		t.Fatalf("answered before the line is durable: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	r.release()
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

func TestNoRoom(t *testing.T) {
	r := open(t)
	big := strings.Repeat("x", 60<<10)
	var bodies []string
	for range 130 {
		bodies = append(bodies, big)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var sending sync.WaitGroup
	client := r.client()
	for range 2 { // together more than there is room for
		sending.Go(func() { _, _ = client.Export(ctx, request(bodies...)) })
	}
	var err error
	await(t, "there is no room", func() bool {
		quick, done := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer done()
		_, err = client.Export(quick, request("late"))
		return status.Code(err) == codes.Unavailable
	})
	if details := status.Convert(err).Details(); len(details) != 1 {
		t.Errorf("the refusal says %v", details)
	}
	body, _ := request("late").MarshalProto()
	resp, b := r.post("application/x-protobuf", "", body)
	var s rpcstatus.Status
	if err := proto.Unmarshal(b, &s); err != nil || resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || s.Code != int32(codes.Unavailable) {
		t.Errorf("%s %q %v", resp.Status, b, err)
	}
	cancel()
	sending.Wait()
}

func TestRefusals(t *testing.T) {
	r := open(t, func(c *source.OTLP) { c.MaxBody, c.MaxUnpacked = source.MaxLine, 2*source.MaxLine })
	r.release()
	large := bytes.Repeat([]byte("x"), source.MaxLine+1)
	bomb := packed(make([]byte, 3*source.MaxLine))
	for _, c := range []struct {
		name, kind, encoding string
		body                 []byte
		status               int
		outcome              string
	}{
		{"type", "text/plain", "", []byte("x"), 415, "bad_type"},
		{"no type", "", "", []byte("x"), 415, "bad_type"},
		{"encoding", "application/json", "br", []byte("{}"), 415, "bad_encoding"},
		{"JSON", "application/json", "", []byte("{\"resourceLogs\":"), 400, "bad_body"},
		{"protobuf", "application/x-protobuf", "", []byte("\xff\xff\xff\xff"), 400, "bad_body"},
		{"gzip", "application/json", "gzip", []byte("{}"), 400, "bad_body"},
		{"cut gzip", "application/json", "gzip", packed([]byte("{}"))[:12], 400, "bad_body"},
		{"large", "application/x-protobuf", "", large, 413, "too_large"},
		{"bomb", "application/x-protobuf", "gzip", bomb, 413, "too_large_unpacked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := r.count(c.outcome)
			resp, b := r.post(c.kind, c.encoding, c.body)
			var s rpcstatus.Status
			var err error
			if strings.HasPrefix(c.kind, "application/json") {
				err = protojson.Unmarshal(b, &s)
			} else {
				err = proto.Unmarshal(b, &s)
			}
			if resp.StatusCode != c.status || err != nil || s.Message == "" || r.count(c.outcome) != before+1 {
				t.Errorf("%s %q %v, counted %v", resp.Status, b, err, r.counts)
			}
		})
	}
	_, addr := r.Addrs()
	resp, err := http.Get("http://" + addr.String() + "/v1/logs")
	if err != nil || resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "POST" {
		t.Errorf("GET: %v %v", resp, err)
	}
	_ = resp.Body.Close()
	if _, err := r.client().Export(t.Context(), request(string(large))); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a large message: %v", err)
	}
	if got := r.got(); len(got) > 0 {
		t.Errorf("%d lines came", len(got))
	}
}

// A tap that stops lets requests end, and refuses the ones after.
func TestStop(t *testing.T) {
	r := open(t)
	client := r.client()
	answered := make(chan error, 1)
	go func() { _, err := client.Export(t.Context(), request("a")); answered <- err }()
	await(t, "the line", func() bool { return len(r.got()) == 1 })
	r.Stop()
	r.release()
	if err := <-answered; err != nil {
		t.Errorf("a request that ran got %v", err)
	}
	await(t, "a refusal", func() bool {
		_, err := client.Export(t.Context(), request("b"))
		return status.Code(err) == codes.Unavailable
	})
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
		runtime.Gosched()
	}
}

// noneLeft wants no goroutine of the package to run on.
func noneLeft(t *testing.T) {
	t.Helper()
	await(t, "the goroutines end", func() bool {
		b := make([]byte, 1<<20)
		b = b[:runtime.Stack(b, true)]
		return !strings.Contains(string(b), "source/otlp.(*")
	})
}
