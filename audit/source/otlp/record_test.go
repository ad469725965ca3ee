package otlp_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/audit/source/otlp"
)

// A record as a whole is a JSON object.
func TestWholeRecords(t *testing.T) {
	r := open(t)
	r.release()
	logs := plog.NewLogs()
	rl := logs.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("service.name", "shop")
	sl := rl.ScopeLogs().AppendEmpty()
	sl.Scope().SetName("gateway")
	lr := sl.LogRecords().AppendEmpty()
	lr.SetTimestamp(pcommon.NewTimestampFromTime(time.Date(2026, 11, 21, 10, 0, 0, 5, time.UTC)))
	lr.SetSeverityNumber(plog.SeverityNumberInfo)
	lr.SetTraceID([16]byte{1, 2})
	lr.SetEventName("http.access")
	a := lr.Attributes()
	a.PutStr("url.path", "/v1/customers/1001\n<b>\"")
	a.PutInt("http.response.status_code", 200)
	a.PutDouble("odd", nan())
	a.PutEmptyBytes("raw").FromRaw([]byte{0, 255})
	a.PutEmptySlice("list").AppendEmpty().SetBool(true)
	lr.Body().SetEmptyMap().PutStr("message", "served")
	deep := sl.LogRecords().AppendEmpty()
	v := deep.Body()
	for range 40 {
		v = v.SetEmptySlice().AppendEmpty()
	}
	seen := sl.LogRecords().AppendEmpty()
	seen.SetObservedTimestamp(pcommon.NewTimestampFromTime(time.Date(2026, 11, 21, 10, 0, 1, 0, time.UTC)))

	resp, err := r.client().Export(t.Context(), plogotlp.NewExportRequestFromLogs(logs))
	if err != nil || resp.PartialSuccess().RejectedLogRecords() != 1 || resp.PartialSuccess().ErrorMessage() == "" {
		t.Errorf("got %v %d", err, resp.PartialSuccess().RejectedLogRecords())
	}
	want := []string{
		`{"time":"2026-11-21T10:00:00.000000005Z","severity":"Info","event_name":"http.access","trace_id":"01020000000000000000000000000000","scope":"gateway","resource":{"service.name":"shop"},"attributes":{"http.response.status_code":200,"list":[true],"odd":"NaN","raw":"AP8=","url.path":"/v1/customers/1001\n<b>\""},"body":{"message":"served"}}`,
		`{"time":"2026-11-21T10:00:01Z","observed_time":"2026-11-21T10:00:01Z","scope":"gateway","resource":{"service.name":"shop"}}`,
	}
	if d := cmp.Diff(want, r.got()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if r.count("too_deep") != 1 || r.count("records") != 2 {
		t.Errorf("counted %v", r.counts)
	}
}

// With whole_records the body is a member also where it is text.
func TestWholeRecordsOfText(t *testing.T) {
	r := open(t, func(c *source.OTLP) { c.WholeRecords = true })
	r.release()
	if _, err := r.client().Export(t.Context(), request("served\n")); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{`{"body":"served\n"}`}, r.got()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestLongRecord(t *testing.T) {
	r := open(t)
	r.release()
	resp, err := r.client().Export(t.Context(), request(strings.Repeat("x", source.MaxLine+1)))
	if err != nil || resp.PartialSuccess().RejectedLogRecords() != 0 || resp.PartialSuccess().ErrorMessage() == "" {
		t.Errorf("got %v %q", err, resp.PartialSuccess().ErrorMessage())
	}
	if got := r.got(); len(got) != 1 || len(got[0]) != source.MaxLine || r.count("too_long") != 1 {
		t.Errorf("%d lines, counted %v", len(got), r.counts)
	}
}

// What a message may hold at most does not exhaust the stack.
func TestNesting(t *testing.T) {
	r := open(t)
	r.release()
	for name, body := range map[string]string{
		"application/json":       `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":` + strings.Repeat(`{"arrayValue":{"values":[`, 100_000) + strings.Repeat(`]}}`, 100_000) + `}]}]}]}`,
		"application/x-protobuf": nested(700_000),
	} {
		if resp, _ := r.post(name, "", []byte(body)); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", name, resp.Status)
		}
	}
	req := plogotlp.NewExportRequest()
	if err := req.UnmarshalProto([]byte(nested(80))); err != nil {
		t.Fatal(err)
	}
	if _, err := r.client().Export(t.Context(), req); status.Code(err) != codes.Internal {
		t.Errorf("over gRPC: %v", err)
	}
	// Not quite so deep: the record alone is refused.
	resp, b := r.post("application/x-protobuf", "", []byte(nested(50)))
	answer := plogotlp.NewExportResponse()
	if err := answer.UnmarshalProto(b); err != nil || resp.StatusCode != http.StatusOK || answer.PartialSuccess().RejectedLogRecords() != 1 {
		t.Errorf("%s %q %v", resp.Status, b, err)
	}
	if got := r.got(); len(got) > 0 {
		t.Errorf("%d lines came of them", len(got))
	}
}

// nested is a request with a body of n values within each other.
func nested(n int) string {
	var out []byte // written from its end
	wrap := func(tag byte) {
		var size []byte
		for l := len(out); ; l >>= 7 {
			if l < 0x80 {
				size = append(size, byte(l))
				break
			}
			size = append(size, byte(l)|0x80)
		}
		for i := len(size) - 1; i >= 0; i-- {
			out = append(out, size[i])
		}
		out = append(out, tag)
	}
	for range n {
		wrap(0x0a) // ArrayValue.values
		wrap(0x2a) // AnyValue.array_value
	}
	for _, tag := range []byte{0x2a, 0x12, 0x12, 0x0a} { // LogRecord.body, ScopeLogs.log_records, ResourceLogs.scope_logs, resource_logs
		wrap(tag)
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return string(out)
}

func nan() float64 {
	var zero float64
	return zero / zero
}

// Any body is refused or becomes lines, each of them valid JSON where the body
// of the record is not text.
func FuzzRequest(f *testing.F) {
	asProto, err := request("a", "b").MarshalProto()
	if err != nil {
		f.Fatal(err)
	}
	asJSON, err := request("a").MarshalJSON()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(asProto, false)
	f.Add(asJSON, true)
	f.Fuzz(func(t *testing.T, b []byte, isJSON bool) {
		req := plogotlp.NewExportRequest()
		if isJSON && req.UnmarshalJSON(b) != nil || !isJSON && req.UnmarshalProto(b) != nil {
			return
		}
		for line, ok := range otlp.Records(req.Logs(), true) {
			if ok && (!json.Valid(line) || bytes.ContainsAny(line, "\n\r")) {
				t.Fatal("the line is not one JSON object")
			}
		}
	})
}
