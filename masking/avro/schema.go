// Package avro masks values in Avro's binary encoding by a policy, under the
// schema that they were written with and without changing it.
//
// A value is rewritten while it is read: no tree is built. What a transform
// makes of a value has to fit the field's type. What does not fit, and what is
// redacted or dropped, becomes null where the schema allows null, else the
// type's empty value: "", 0, false, the first symbol, no bytes. Text in strings
// always fits. Specification: https://avro.apache.org/docs/1.12.0/specification/.
// It reads no container files and resolves no schemas; services/masker calls it.
package avro

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Bounds of schemas.
const (
	maxSchema = 1 << 20 // bytes
	maxNested = 64      // types within types, and values within values
)

type kind uint8

const (
	kindNull kind = iota
	kindBoolean
	kindInt
	kindLong
	kindFloat
	kindDouble
	kindBytes
	kindString
	kindRecord
	kindEnum
	kindArray
	kindMap
	kindUnion
	kindFixed
)

var primitives = map[string]kind{
	"null": kindNull, "boolean": kindBoolean, "int": kindInt, "long": kindLong, "float": kindFloat, "double": kindDouble, "bytes": kindBytes, "string": kindString,
}

// schema is one type.
type schema struct {
	kind    kind
	logical string // logicalType; "" for none
	fields  []field
	item    *schema // of arrays and maps
	union   []*schema
	null    int // index of null in a union, or -1
	blank   int // index of the branch that the empty value of a union without null has
	empty   int // at least how many bytes the empty value takes, 0 until that is known
	symbols []string
	size    int // of fixed
}

type field struct {
	name string
	typ  *schema
}

// Schema is a parsed schema. It is safe for concurrent use.
type Schema struct{ root *schema }

// Parse reads a schema in JSON. named are the schemas that it refers to, each
// after those that it refers to itself.
func Parse(data []byte, named ...[]byte) (*Schema, error) {
	p := &parser{types: map[string]*schema{}}
	for _, n := range named {
		if _, err := p.parse(n); err != nil {
			return nil, err
		}
	}
	root, err := p.parse(data)
	if err != nil {
		return nil, err
	}
	return &Schema{root}, settle(root)
}

type parser struct{ types map[string]*schema }

func (p *parser) parse(data []byte) (*schema, error) {
	if len(data) > maxSchema {
		return nil, fmt.Errorf("the Avro schema is larger than %d bytes", maxSchema)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, errors.New("the Avro schema is no JSON")
	}
	return p.typ(v, "", 0)
}

func (p *parser) typ(v any, space string, depth int) (*schema, error) {
	if depth == maxNested {
		return nil, fmt.Errorf("the Avro schema is nested deeper than %d levels", maxNested)
	}
	switch v := v.(type) {
	case string:
		if k, ok := primitives[v]; ok {
			return &schema{kind: k}, nil
		}
		if s := p.types[fullName(v, space)]; s != nil {
			return s, nil
		}
		return nil, fmt.Errorf("the Avro schema names the type %q, which it does not have", v)
	case []any:
		return p.unionOf(v, space, depth)
	case map[string]any:
		return p.complex(v, space, depth)
	}
	return nil, errors.New("the Avro schema has a type that is no name, list or object")
}

func (p *parser) unionOf(list []any, space string, depth int) (*schema, error) {
	u := &schema{kind: kindUnion, null: -1}
	for i, v := range list {
		s, err := p.typ(v, space, depth+1)
		if err != nil {
			return nil, err
		}
		if s.kind == kindNull {
			u.null = i
		}
		if s.kind == kindUnion {
			return nil, errors.New("the Avro schema has a union in a union")
		}
		u.union = append(u.union, s)
	}
	if len(u.union) == 0 {
		return nil, errors.New("the Avro schema has a union of nothing")
	}
	return u, nil
}

func (p *parser) complex(m map[string]any, space string, depth int) (*schema, error) {
	name, ok := m["type"].(string)
	if !ok {
		return p.typ(m["type"], space, depth+1)
	}
	logical, _ := m["logicalType"].(string)
	switch name {
	case "record", "error", "enum", "fixed":
		return p.named(name, m, space, depth)
	case "array", "map":
		key, k := "items", kindArray
		if name == "map" {
			key, k = "values", kindMap
		}
		item, err := p.typ(m[key], space, depth+1)
		return &schema{kind: k, item: item}, err
	}
	if k, ok := primitives[name]; ok {
		return &schema{kind: k, logical: logical}, nil
	}
	return p.typ(name, space, depth+1)
}

// named reads a type that others can refer to by its name.
func (p *parser) named(what string, m map[string]any, space string, depth int) (*schema, error) {
	name, _ := m["name"].(string)
	if ns, ok := m["namespace"].(string); ok {
		space = ns
	}
	full := fullName(name, space)
	if name == "" || p.types[full] != nil {
		return nil, fmt.Errorf("the Avro schema has a %s without a name or with one that is taken: %q", what, full)
	}
	if i := strings.LastIndexByte(full, '.'); i >= 0 {
		space = full[:i]
	}
	s := &schema{kind: kindRecord}
	s.logical, _ = m["logicalType"].(string)
	p.types[full] = s // before its fields: they may refer to it
	switch what {
	case "enum":
		s.kind = kindEnum
		list, _ := m["symbols"].([]any)
		for _, v := range list {
			symbol, _ := v.(string)
			s.symbols = append(s.symbols, symbol)
		}
		if len(s.symbols) == 0 {
			return nil, fmt.Errorf("the Avro enum %q has no symbols", full)
		}
		return s, nil
	case "fixed":
		s.kind = kindFixed
		n, _ := m["size"].(json.Number)
		size, err := n.Int64()
		if err != nil || size < 0 || size > maxSchema {
			return nil, fmt.Errorf("the Avro type %q has no size from 0 to %d", full, maxSchema)
		}
		s.size = int(size)
		return s, nil
	}
	list, ok := m["fields"].([]any)
	if !ok {
		return nil, fmt.Errorf("the Avro record %q has no fields", full)
	}
	for _, v := range list {
		f, _ := v.(map[string]any)
		name, _ := f["name"].(string)
		if name == "" {
			return nil, fmt.Errorf("the Avro record %q has a field without a name", full)
		}
		t, err := p.typ(f["type"], space, depth+1)
		if err != nil {
			return nil, err
		}
		s.fields = append(s.fields, field{name, t})
	}
	return s, nil
}

func fullName(name, space string) string {
	if space == "" || strings.Contains(name, ".") {
		return name
	}
	return space + "." + name
}

// settle works out the empty value of each type that root holds: how large it is
// and which branch of a union without null it has. It fails where one is too
// large, or endless since the type always holds another of its kind.
func settle(root *schema) error {
	var all []*schema // what a type holds before it
	seen := map[*schema]bool{}
	var add func(s *schema)
	add = func(s *schema) {
		if s == nil || seen[s] {
			return
		}
		seen[s] = true
		add(s.item)
		for _, f := range s.fields {
			add(f.typ)
		}
		for _, b := range s.union {
			add(b)
		}
		all = append(all, s)
	}
	add(root)
	for range maxNested {
		for _, s := range all {
			s.measure()
		}
	}
	for _, s := range all {
		if s.empty == 0 || s.empty > maxSchema {
			return errors.New("the Avro schema has a type whose empty value is too large, or endless")
		}
	}
	return nil
}

// measure sets empty and blank once they are known of what the type holds.
func (s *schema) measure() {
	if s.empty != 0 {
		return
	}
	n := 1 + s.size
	for _, f := range s.fields {
		if f.typ.empty == 0 {
			return
		}
		n = min(n+f.typ.empty, maxSchema+1)
	}
	if s.kind == kindUnion && s.null < 0 {
		s.blank = slices.IndexFunc(s.union, func(b *schema) bool { return b.empty != 0 })
		if s.blank < 0 {
			return
		}
		n = min(n+s.union[s.blank].empty, maxSchema+1)
	}
	s.empty = n
}
