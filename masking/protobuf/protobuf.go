// Package protobuf masks Protobuf messages by a policy, as a descriptor set
// describes them.
//
// Fields are named as in the .proto file. What a transform makes of a value has
// to fit the field's type: text in strings always does; what does not, and what
// is redacted or dropped, is left out, and in lists and required fields the
// type's empty value stands for it. Fields that the descriptor does not know are
// left out too. It is the one importer of Protobuf's dynamic messages;
// services/masker calls it.
package protobuf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/transform"
)

// maxNested is how deep messages may be nested.
const maxNested = 64

// Type is one message type. It is safe for concurrent use.
type Type struct {
	desc    protoreflect.MessageDescriptor
	indexes []byte
}

// Open finds a message type, such as shop.v1.Order, in a descriptor set, which
// protoc --include_imports --descriptor_set_out writes.
func Open(descriptorSet []byte, message string) (*Type, error) {
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(descriptorSet, &set); err != nil || len(set.File) == 0 {
		return nil, errors.New("it is no descriptor set")
	}
	files, err := protodesc.NewFiles(&set)
	if err != nil {
		return nil, fmt.Errorf("the descriptor set is not whole: %w", err)
	}
	d, err := files.FindDescriptorByName(protoreflect.FullName(message))
	if err != nil {
		return nil, fmt.Errorf("the descriptor set has no message %q", message)
	}
	m, ok := d.(protoreflect.MessageDescriptor)
	if !ok {
		return nil, fmt.Errorf("%q is no message", message)
	}
	return &Type{desc: m, indexes: indexesOf(m)}, nil
}

// indexesOf is the place of a message in its file as a schema registry's clients
// write it: the length of the path and its steps, or a single 0 for the first
// message of the file.
func indexesOf(m protoreflect.MessageDescriptor) []byte {
	var path []int
	for d := protoreflect.Descriptor(m); ; d = d.Parent() {
		if _, ok := d.(protoreflect.FileDescriptor); ok {
			break
		}
		path = append([]int{d.Index()}, path...)
	}
	if len(path) == 1 && path[0] == 0 {
		return []byte{0}
	}
	out := binary.AppendVarint(nil, int64(len(path)))
	for _, i := range path {
		out = binary.AppendVarint(out, int64(i))
	}
	return out
}

// Indexes are the bytes that stand between a schema registry's id and the message.
func (t *Type) Indexes() []byte { return t.indexes }

// Mask appends the masked form of a message to dst. An error holds no value;
// dst is then returned as it was.
func (t *Type) Mask(dst []byte, at transform.Place, value []byte) ([]byte, error) {
	m := dynamicpb.NewMessage(t.desc)
	// What the decoder says is left out: it may quote the message.
	if err := (proto.UnmarshalOptions{RecursionLimit: maxNested, AllowPartial: true, DiscardUnknown: true}).Unmarshal(value, m); err != nil {
		return dst, fmt.Errorf("it is no message of type %s, or nested deeper than %d levels", t.desc.FullName(), maxNested)
	}
	message(m, at)
	out, err := proto.MarshalOptions{Deterministic: true, AllowPartial: true}.MarshalAppend(dst, m)
	if err != nil {
		return dst, errors.New("the masked message can't be encoded")
	}
	return out, nil
}

// message masks the fields of a message in place.
func message(m protoreflect.Message, at transform.Place) {
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		next, _ := at.Field(string(fd.Name()))
		switch {
		case next.Drops():
			clearField(m, fd)
		case fd.IsList():
			list(fd, v.List(), next)
		case fd.Message() != nil && next.Blanks(): // maps are messages too
			clearField(m, fd)
		case fd.IsMap():
			entries(fd, v.Map(), next)
		case fd.Message() != nil:
			message(v.Message(), next)
		default:
			if out, ok := single(fd, v, next); ok {
				m.Set(fd, out)
			} else {
				clearField(m, fd)
			}
		}
		return true
	})
}

// clearField leaves a field out; a required one gets its type's empty value.
func clearField(m protoreflect.Message, fd protoreflect.FieldDescriptor) {
	if fd.Cardinality() == protoreflect.Required {
		m.Set(fd, m.NewField(fd))
		return
	}
	m.Clear(fd)
}

func list(fd protoreflect.FieldDescriptor, l protoreflect.List, at transform.Place) {
	for i := range l.Len() {
		switch out, ok := item(fd, l.Get(i), at); {
		case ok:
			l.Set(i, out)
		case fd.Message() != nil:
			l.Set(i, l.NewElement())
		default:
			l.Set(i, zero(fd))
		}
	}
}

// item masks a value in a list or map. ok is false if nothing is left of it.
func item(fd protoreflect.FieldDescriptor, v protoreflect.Value, at transform.Place) (out protoreflect.Value, ok bool) {
	if fd.Message() == nil {
		return single(fd, v, at)
	}
	if at.Blanks() {
		return v, false
	}
	message(v.Message(), at)
	return v, true
}

// entries masks a map. A name that the policy does not have can be a person's:
// it is redacted, and where keys are no text the entry is left out.
func entries(fd protoreflect.FieldDescriptor, m protoreflect.Map, at transform.Place) {
	var keys []protoreflect.MapKey
	m.Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, k)
		return true
	})
	slices.SortFunc(keys, func(a, b protoreflect.MapKey) int { return strings.Compare(a.String(), b.String()) })
	type entry struct{ key, value protoreflect.Value }
	var kept []entry
	unnamed := 0
	for _, k := range keys {
		next, named := at.Field(k.String())
		key := k.Value()
		if !named {
			if fd.MapKey().Kind() != protoreflect.StringKind {
				continue
			}
			unnamed++
			name := plain.Redacted
			if unnamed > 1 { // a key stands once in a map
				name += " " + strconv.Itoa(unnamed)
			}
			key = protoreflect.ValueOfString(name)
		}
		if next.Drops() {
			continue
		}
		out, ok := item(fd.MapValue(), m.Get(k), next)
		if !ok && fd.MapValue().Message() != nil {
			out = m.NewValue()
		} else if !ok {
			out = zero(fd.MapValue())
		}
		kept = append(kept, entry{key, out})
	}
	for _, k := range keys {
		m.Clear(k)
	}
	for _, e := range kept {
		m.Set(e.key.MapKey(), e.value)
	}
}

// single masks a value that is no message. ok is false if what becomes of it is
// no value of the type.
func single(fd protoreflect.FieldDescriptor, v protoreflect.Value, at transform.Place) (out protoreflect.Value, ok bool) {
	if at.Keeps() {
		return v, true
	}
	text := textOf(fd, v)
	masked := at.Value(string(fd.Name()), text)
	if masked == text && utf8.ValidString(text) {
		return v, true
	}
	switch fd.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(masked), true
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte(masked)), masked != plain.Redacted
	case protoreflect.FloatKind:
		f, err := strconv.ParseFloat(masked, 32)
		return protoreflect.ValueOfFloat32(float32(f)), err == nil
	case protoreflect.DoubleKind:
		f, err := strconv.ParseFloat(masked, 64)
		return protoreflect.ValueOfFloat64(f), err == nil
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		n, err := strconv.ParseUint(masked, 10, 64)
		return protoreflect.ValueOfUint64(n), err == nil
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		n, err := strconv.ParseUint(masked, 10, 32)
		return protoreflect.ValueOfUint32(uint32(n)), err == nil
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		n, err := strconv.ParseInt(masked, 10, 64)
		return protoreflect.ValueOfInt64(n), err == nil
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		n, err := strconv.ParseInt(masked, 10, 32)
		return protoreflect.ValueOfInt32(int32(n)), err == nil
	}
	return v, false
}

func textOf(fd protoreflect.FieldDescriptor, v protoreflect.Value) string {
	switch fd.Kind() {
	case protoreflect.BytesKind:
		return string(v.Bytes())
	case protoreflect.EnumKind:
		if e := fd.Enum().Values().ByNumber(v.Enum()); e != nil {
			return string(e.Name())
		}
		return strconv.Itoa(int(v.Enum()))
	case protoreflect.FloatKind:
		return strconv.FormatFloat(v.Float(), 'g', -1, 32)
	case protoreflect.DoubleKind:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	}
	return v.String()
}

// zero is the empty value of a type that is no message.
func zero(fd protoreflect.FieldDescriptor) protoreflect.Value {
	switch fd.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString("")
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(nil)
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(false)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(fd.Enum().Values().Get(0).Number())
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(0)
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(0)
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(0)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(0)
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(0)
	}
	return protoreflect.ValueOfInt32(0)
}
