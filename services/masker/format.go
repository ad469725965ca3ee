package masker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"unicode/utf8"

	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/avro"
	"github.com/tallystick/tallystick/masking/protobuf"
	"github.com/tallystick/tallystick/masking/transform"
)

// badRecord says why a record can't be masked. It holds no value.
type badRecord struct{ reason string }

func (e *badRecord) Error() string { return e.reason }

func bad(format string, args ...any) error { return &badRecord{fmt.Sprintf(format, args...)} }

// codec masks keys or values of one format.
type codec interface {
	// mask appends the masked form of b to dst. The error is a *badRecord where
	// b can't be masked, and passes by itself otherwise.
	mask(ctx context.Context, dst []byte, m *transform.Masker, b []byte) ([]byte, error)
}

// newCodec reads the files that a payload names.
func newCodec(p *Payload, r *registry) (codec, error) {
	switch p.Format {
	case "json":
		return jsonCodec{p.Framed}, nil
	case "text":
		return textCodec{}, nil
	case "avro":
		if p.Framed {
			return framedAvro{r}, nil
		}
		b, err := os.ReadFile(p.Schema)
		if err != nil {
			return nil, fmt.Errorf("failed to read the Avro schema: %w", err)
		}
		s, err := avro.Parse(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Schema, err)
		}
		return avroCodec{s}, nil
	}
	b, err := os.ReadFile(p.Descriptors)
	if err != nil {
		return nil, fmt.Errorf("failed to read the Protobuf descriptors: %w", err)
	}
	t, err := protobuf.Open(b, p.Message)
	if err != nil {
		return nil, &text.Hint{Err: fmt.Errorf("%s: %w", p.Descriptors, err), Hint: "make the file with protoc --include_imports --descriptor_set_out"}
	}
	return protobufCodec{t, p.Framed}, nil
}

type jsonCodec struct{ framed bool }

func (c jsonCodec) mask(_ context.Context, dst []byte, m *transform.Masker, b []byte) ([]byte, error) {
	start := len(dst)
	if c.framed {
		if _, err := frameOf(b); err != nil {
			return dst, err
		}
		dst, b = append(dst, b[:frameSize]...), b[frameSize:]
	}
	if !utf8.Valid(b) {
		return dst[:start], bad("JSON that is not UTF-8")
	}
	out, err := m.Document(dst, string(b))
	if err != nil {
		return dst[:start], bad("JSON, %v", err)
	}
	return out, nil
}

type textCodec struct{}

func (textCodec) mask(_ context.Context, dst []byte, m *transform.Masker, b []byte) ([]byte, error) {
	return m.Text(dst, string(b)), nil
}

type avroCodec struct{ schema *avro.Schema }

func (c avroCodec) mask(_ context.Context, dst []byte, m *transform.Masker, b []byte) ([]byte, error) {
	out, err := c.schema.Mask(dst, m.Root(), b)
	if err != nil {
		return dst, bad("Avro, %v", err)
	}
	return out, nil
}

type framedAvro struct{ registry *registry }

func (c framedAvro) mask(ctx context.Context, dst []byte, m *transform.Masker, b []byte) ([]byte, error) {
	id, err := frameOf(b)
	if err != nil {
		return dst, err
	}
	s, err := c.registry.schema(ctx, id)
	if err != nil {
		return dst, err
	}
	start := len(dst)
	out, err := s.Mask(append(dst, b[:frameSize]...), m.Root(), b[frameSize:])
	if err != nil {
		return dst[:start], bad("Avro of schema %d, %v", id, err)
	}
	return out, nil
}

type protobufCodec struct {
	typ    *protobuf.Type
	framed bool
}

func (c protobufCodec) mask(_ context.Context, dst []byte, m *transform.Masker, b []byte) ([]byte, error) {
	start := len(dst)
	if c.framed {
		if _, err := frameOf(b); err != nil {
			return dst, err
		}
		n := frameSize + len(c.typ.Indexes())
		if len(b) < n || string(b[frameSize:n]) != string(c.typ.Indexes()) {
			return dst, bad("Protobuf of another message of its schema")
		}
		dst, b = append(dst, b[:n]...), b[n:]
	}
	out, err := c.typ.Mask(dst, m.Root(), b)
	if err != nil {
		return dst[:start], bad("Protobuf, %v", err)
	}
	return out, nil
}

// frameSize is a zero byte and the id of a schema, four bytes.
const frameSize = 5

// frameOf reads the frame of a schema registry's clients:
// https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format.
func frameOf(b []byte) (id uint32, err error) {
	if len(b) < frameSize || b[0] != 0 {
		return 0, bad("it does not begin with a schema registry's frame")
	}
	return uint32(b[1])<<24 | uint32(b[2])<<16 | uint32(b[3])<<8 | uint32(b[4]), nil
}

// isBad reports whether a record, not something around it, is at fault.
func isBad(err error) bool {
	var b *badRecord
	return errors.As(err, &b)
}
