package protobuf_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/tallystick/tallystick/masking/detect"
	"github.com/tallystick/tallystick/masking/protobuf"
	"github.com/tallystick/tallystick/masking/transform"
)

// orders is the descriptor of shop.proto as protoc writes it.
const orders = `
name: "shop.proto" package: "shop" syntax: "proto2"
message_type { name: "Other" }
message_type {
  name: "Order"
  field { name: "id" number: 1 type: TYPE_INT64 label: LABEL_REQUIRED }
  field { name: "mail" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "amount" number: 3 type: TYPE_DOUBLE label: LABEL_OPTIONAL }
  field { name: "raw" number: 4 type: TYPE_BYTES label: LABEL_OPTIONAL }
  field { name: "state" number: 5 type: TYPE_ENUM type_name: ".shop.Order.State" label: LABEL_OPTIONAL }
  field { name: "items" number: 6 type: TYPE_MESSAGE type_name: ".shop.Order.Item" label: LABEL_REPEATED }
  field { name: "notes" number: 7 type: TYPE_MESSAGE type_name: ".shop.Order.NotesEntry" label: LABEL_REPEATED }
  field { name: "numbers" number: 8 type: TYPE_UINT32 label: LABEL_REPEATED }
  field { name: "next" number: 9 type: TYPE_MESSAGE type_name: ".shop.Order" label: LABEL_OPTIONAL }
  nested_type { name: "Item" field { name: "sku" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL } field { name: "who" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL } }
  nested_type {
    name: "NotesEntry" options { map_entry: true }
    field { name: "key" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL } field { name: "value" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL }
  }
  enum_type { name: "State" value { name: "OPEN" number: 0 } value { name: "PAID" number: 1 } }
}`

func descriptors(t testing.TB) []byte {
	t.Helper()
	var file descriptorpb.FileDescriptorProto
	if err := prototext.Unmarshal([]byte(orders), &file); err != nil {
		t.Fatal(err)
	}
	b, err := proto.Marshal(&descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{&file}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// orderType is shop.Order, the same for all messages that are compared.
var orderType = sync.OnceValues(func() (protoreflect.MessageDescriptor, error) {
	var file descriptorpb.FileDescriptorProto
	if err := prototext.Unmarshal([]byte(orders), &file); err != nil {
		return nil, err
	}
	fd, err := protodesc.NewFile(&file, nil)
	if err != nil {
		return nil, err
	}
	return fd.Messages().ByName("Order"), nil
})

// order is a message of shop.Order from its text.
func order(t testing.TB, text string) *dynamicpb.Message {
	t.Helper()
	desc, err := orderType()
	if err != nil {
		t.Fatal(err)
	}
	m := dynamicpb.NewMessage(desc)
	if err := prototext.Unmarshal([]byte(text), m); err != nil {
		t.Fatal(err)
	}
	return m
}

func masker(t testing.TB, fields string) *transform.Masker {
	t.Helper()
	p, err := transform.ParsePolicy("policy", []byte("version: 1\ndomain: test\nfields: {"+fields+"}"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := transform.New(p, detect.Default(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMask(t *testing.T) {
	typ, err := protobuf.Open(descriptors(t), "shop.Order")
	if err != nil {
		t.Fatal(err)
	}
	const full = `id: 7 mail: "ann@example.com" amount: 12.3 raw: "secret" state: PAID items {sku: "1" who: "ann"} notes {key: "gift" value: "for ann"}
		notes {key: "ann" value: "x"} numbers: 12 numbers: 13 next {id: 8 mail: "bob@example.com"}`
	for _, tc := range []struct{ name, fields, want string }{
		{"nothing named", "", `id: 0 mail: "[redacted]" items {sku: "[redacted]" who: "[redacted]"} notes {key: "[redacted]" value: "[redacted]"}
			notes {key: "[redacted] 2" value: "[redacted]"} numbers: 0 numbers: 0 next {id: 0 mail: "[redacted]"}`},
		{"kept", "id: keep, mail: last 4, amount: round 1, raw: keep, state: keep, items.sku: keep, items.who: drop, notes.gift: keep, numbers: round 10, next: keep",
			`id: 7 mail: "***.com" amount: 12 raw: "secret" state: PAID items {sku: "1"} notes {key: "gift" value: "for ann"} notes {key: "[redacted]" value: "[redacted]"}
			numbers: 10 numbers: 10 next {id: 8 mail: "bob@example.com"}`},
		{"single-value rules on messages", "id: keep, mail: drop, items: last 1, notes: drop, numbers: drop, next: redact", `id: 7 items {}`},
		{"single-value rules on maps", "id: keep, notes: redact", `id: 7 mail: "[redacted]" items {sku: "[redacted]" who: "[redacted]"} numbers: 0 numbers: 0 next {id: 0 mail: "[redacted]"}`},
		{"a map of which all is kept", "id: keep, notes: keep, next: drop, items: drop, numbers: drop, mail: drop", `id: 7 notes {key: "gift" value: "for ann"} notes {key: "ann" value: "x"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in, err := proto.Marshal(order(t, full))
			if err != nil {
				t.Fatal(err)
			}
			in = protowire.AppendString(protowire.AppendTag(in, 99, protowire.BytesType), "ann@example.com") // an unknown field
			out, err := typ.Mask([]byte("before"), masker(t, tc.fields).Root(), in)
			if err != nil {
				t.Fatal(err)
			}
			got := order(t, "id: 0")
			if err := proto.Unmarshal(out[len("before"):], got); err != nil {
				t.Fatal(err)
			}
			if want := order(t, tc.want); !proto.Equal(want, got) {
				t.Errorf("got %s, want %s", prototext.Format(got), tc.want)
			}
		})
	}
}

func TestOpen(t *testing.T) {
	set := descriptors(t)
	for message, want := range map[string]string{"shop.Missing": "has no message", "shop.Order.State": "is no message"} {
		if _, err := protobuf.Open(set, message); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", message, err)
		}
	}
	if _, err := protobuf.Open([]byte("no"), "shop.Order"); err == nil {
		t.Error("no descriptor set is one")
	}
	for message, want := range map[string][]byte{"shop.Other": {0}, "shop.Order": {2, 2}, "shop.Order.Item": {4, 2, 0}} {
		typ, err := protobuf.Open(set, message)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, typ.Indexes()); d != "" {
			t.Errorf("%s (-want +got):\n%s", message, d)
		}
	}
}

func TestBadMessages(t *testing.T) {
	typ, err := protobuf.Open(descriptors(t), "shop.Order")
	if err != nil {
		t.Fatal(err)
	}
	var deep []byte
	for range 100 {
		deep = protowire.AppendBytes(protowire.AppendTag(nil, 9, protowire.BytesType), deep)
	}
	for name, in := range map[string][]byte{"cut": {8}, "deep": deep, "text": []byte("ann@example.com")} {
		out, err := typ.Mask([]byte("before"), masker(t, "id: keep").Root(), in)
		if err == nil || err.Error() != "it is no message of type shop.Order, or nested deeper than 64 levels" || string(out) != "before" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzMask: a masked message is a message of the type.
func FuzzMask(f *testing.F) {
	typ, err := protobuf.Open(descriptors(f), "shop.Order")
	if err != nil {
		f.Fatal(err)
	}
	in, err := proto.Marshal(order(f, `id: 7 mail: "x" notes {key: "a" value: "b"} next {id: 1}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(in)
	m, keep := masker(f, "id: round 10, next.mail: last 1, notes: drop"), masker(f, "next: keep")
	f.Fuzz(func(t *testing.T, value []byte) {
		out, err := typ.Mask(nil, m.Root(), value)
		if err != nil {
			return
		}
		if _, err := typ.Mask(nil, keep.Root(), out); err != nil {
			t.Errorf("the masked message is none: %v", err)
		}
	})
}
