package otlp

import (
	"errors"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// maxWire is how deeply values may be nested for a request to be decoded at all:
// the decoder has no limit of its own, and would run out of stack. What is
// nested less, but more than maxDepth, costs only its record.
const maxWire = 2 * maxDepth

// message is where messages lie within a message, by field number.
type message struct {
	fields map[protowire.Number]*message
	value  bool // an AnyValue, of which the nesting is counted
}

// newRequestShape is where values lie in an ExportLogsServiceRequest
// (opentelemetry/proto/logs/v1 and common/v1).
func newRequestShape() *message {
	value := &message{value: true}
	pair := &message{fields: map[protowire.Number]*message{2: value}}
	value.fields = map[protowire.Number]*message{
		5: {fields: map[protowire.Number]*message{1: value}}, // array_value
		6: {fields: map[protowire.Number]*message{1: pair}},  // kvlist_value
	}
	record := &message{fields: map[protowire.Number]*message{5: value, 6: pair}}
	scope := &message{fields: map[protowire.Number]*message{3: pair}}
	scopeLogs := &message{fields: map[protowire.Number]*message{1: scope, 2: record}}
	resource := &message{fields: map[protowire.Number]*message{1: pair}}
	resourceLogs := &message{fields: map[protowire.Number]*message{1: resource, 2: scopeLogs, 1000: scopeLogs}}
	return &message{fields: map[protowire.Number]*message{1: resourceLogs}}
}

// within reports whether values are nested at most depth deep. What is no
// message is left to the decoder.
func (m *message) within(b []byte, depth int) bool {
	if m.value {
		if depth--; depth < 0 {
			return false
		}
	}
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return true
		}
		b = b[n:]
		inner, ok := m.fields[number]
		if !ok || kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, kind, b); n < 0 {
				return true
			}
			b = b[n:]
			continue
		}
		content, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return true
		}
		if !inner.within(content, depth) {
			return false
		}
		b = b[n:]
	}
	return true
}

// maxJSON is maxWire in brackets: four for each value in a list of pairs, and
// those around the first value.
const maxJSON = 4*maxWire + 16

// jsonWithin reports whether brackets are nested at most depth deep. What is no
// JSON is left to the decoder.
func jsonWithin(b []byte, depth int) bool {
	quoted := false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case quoted:
		case c == '{', c == '[':
			if depth--; depth < 0 {
				return false
			}
		case c == '}', c == ']':
			depth++
		}
	}
	return true
}

var errDeep = errors.New("values of a record are nested too deeply")

// codec is the decoder of gRPC behind the limit of nesting.
type codec struct {
	encoding.CodecV2
	shape *message
}

func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	if !c.shape.within(data.Materialize(), maxWire) {
		return errDeep
	}
	return c.CodecV2.Unmarshal(data, v)
}
