package otlp

import (
	"bytes"
	"encoding/json"
	"iter"
	"math"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// maxDepth is how deeply the values of a record may be nested.
const maxDepth = 32

// record is the line of a record as a whole. A key that has no value is not
// there.
type record struct {
	Time       string         `json:"time,omitempty"` // RFC 3339, UTC; the time of observation where the record has no other
	Observed   string         `json:"observed_time,omitempty"`
	Severity   string         `json:"severity,omitempty"`
	Event      string         `json:"event_name,omitempty"`
	TraceID    string         `json:"trace_id,omitempty"`
	SpanID     string         `json:"span_id,omitempty"`
	Scope      string         `json:"scope,omitempty"`
	Resource   map[string]any `json:"resource,omitempty"`
	Attributes map[string]any `json:"attributes,omitempty"`
	Body       any            `json:"body,omitempty"`
}

// records are the lines of all records in order; false stands for a record that
// can't be one. A line is used again by the next.
func records(logs plog.Logs, whole bool) iter.Seq2[[]byte, bool] {
	return func(yield func([]byte, bool) bool) {
		var buf bytes.Buffer
		enc := json.NewEncoder(&buf)
		enc.SetEscapeHTML(false)
		for _, rl := range logs.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, lr := range sl.LogRecords().All() {
					line, ok := text(lr, whole)
					if !ok {
						line, ok = object(enc, &buf, rl.Resource(), sl.Scope(), lr)
					}
					if !yield(line, ok) {
						return
					}
				}
			}
		}
	}
}

// text is the body of a record if that is the line, without its line end.
func text(lr plog.LogRecord, whole bool) ([]byte, bool) {
	if whole || lr.Body().Type() != pcommon.ValueTypeStr || lr.Body().Str() == "" {
		return nil, false
	}
	return []byte(strings.TrimSuffix(strings.TrimSuffix(lr.Body().Str(), "\n"), "\r")), true
}

// object is the line of a whole record.
func object(enc *json.Encoder, buf *bytes.Buffer, res pcommon.Resource, scope pcommon.InstrumentationScope, lr plog.LogRecord) ([]byte, bool) {
	o := record{
		Time: clock(lr.Timestamp()), Observed: clock(lr.ObservedTimestamp()), Severity: lr.SeverityText(), Event: lr.EventName(),
		Scope: scope.Name(),
	}
	if o.Time == "" {
		o.Time = o.Observed
	}
	if o.Severity == "" && lr.SeverityNumber() != plog.SeverityNumberUnspecified {
		o.Severity = lr.SeverityNumber().String()
	}
	if id := lr.TraceID(); !id.IsEmpty() {
		o.TraceID = id.String()
	}
	if id := lr.SpanID(); !id.IsEmpty() {
		o.SpanID = id.String()
	}
	var ok [3]bool
	o.Resource, ok[0] = members(res.Attributes(), 1)
	o.Attributes, ok[1] = members(lr.Attributes(), 1)
	o.Body, ok[2] = plain(lr.Body(), 1)
	if ok != [3]bool{true, true, true} {
		return nil, false
	}
	buf.Reset()
	if enc.Encode(&o) != nil { // plain values only: it does not fail
		return nil, false
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n")), true
}

func clock(t pcommon.Timestamp) string {
	if t == 0 {
		return ""
	}
	return t.AsTime().Format(time.RFC3339Nano)
}

// plain is a value as encoding/json takes it; false if it is nested too deeply.
// Bytes become base64, and numbers that JSON lacks their names.
func plain(v pcommon.Value, depth int) (any, bool) {
	if depth > maxDepth {
		return nil, false
	}
	switch v.Type() {
	case pcommon.ValueTypeMap:
		return members(v.Map(), depth+1)
	case pcommon.ValueTypeSlice:
		out := make([]any, v.Slice().Len())
		for i, x := range v.Slice().All() {
			var ok bool
			if out[i], ok = plain(x, depth+1); !ok {
				return nil, false
			}
		}
		return out, true
	case pcommon.ValueTypeBytes:
		return v.Bytes().AsRaw(), true
	case pcommon.ValueTypeDouble:
		if d := v.Double(); math.IsNaN(d) || math.IsInf(d, 0) {
			return strconv.FormatFloat(d, 'g', -1, 64), true
		}
		return v.Double(), true
	case pcommon.ValueTypeInt:
		return v.Int(), true
	case pcommon.ValueTypeBool:
		return v.Bool(), true
	case pcommon.ValueTypeStr:
		return v.Str(), true
	}
	return nil, true
}

func members(m pcommon.Map, depth int) (map[string]any, bool) {
	out := make(map[string]any, m.Len())
	for k, v := range m.All() {
		x, ok := plain(v, depth)
		if !ok {
			return nil, false
		}
		if x != nil {
			out[k] = x
		}
	}
	return out, true
}
