package strictyaml

import (
	"encoding"
	"fmt"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// decoder walks the syntax tree along the types of the target.
type decoder struct{ doc *Doc }

// scalarSetter is a type that can be written as a plain value.
type scalarSetter interface{ SetScalar(string) }

// listSetter is a type that can be written as a list of plain values.
type listSetter interface{ SetList([]string) }

func (d *decoder) into(n ast.Node, target any) error {
	return d.value(n, reflect.ValueOf(target).Elem(), "")
}

func (d *decoder) value(n ast.Node, v reflect.Value, path string) error {
	if p := position(n); p != nil && d.doc.at[path] == nil {
		d.doc.at[path] = p
	}
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		return d.fault(n, "write the value out", "anchors, aliases and tags are not allowed here")
	case *ast.NullNode:
		return d.fault(n, "give it a value or remove the key", "%s has no value", last(path))
	}
	if v.CanAddr() {
		if s, ok := v.Addr().Interface().(scalarSetter); ok {
			if str, ok := scalar(n); ok {
				s.SetScalar(str)
				return nil
			}
		}
		if s, ok := v.Addr().Interface().(listSetter); ok {
			if items, ok := plainList(n); ok {
				s.SetList(items)
				return nil
			}
		}
		if _, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
			return d.scalar(n, v, path)
		}
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return d.value(n, v.Elem(), path)
	case reflect.Struct:
		return d.structure(n, v, path)
	case reflect.Slice:
		return d.list(n, v, path)
	case reflect.Map:
		return d.mapping(n, v, path)
	}
	return d.scalar(n, v, path)
}

func (d *decoder) structure(n ast.Node, v reflect.Value, path string) error {
	pairs, ok := mappingPairs(n)
	if !ok {
		return d.fault(n, "", "%s is %s; it must be keys with values: %s", last(path), kindOf(n), strings.Join(keys(v.Type()), ", "))
	}
	seen := map[string]bool{}
	for _, p := range pairs {
		key, ok := keyOf(p)
		if !ok {
			return d.fault(p.Key, "write the key out", "anchors, aliases and merge keys are not allowed here")
		}
		if seen[key] {
			return d.fault(p.Key, "remove one of them", "the key %q is there twice", key)
		}
		seen[key] = true
		i := field(v.Type(), key)
		if i < 0 {
			return d.fault(p.Key, d.closest(v.Type(), key), "unknown key %q in %s; allowed: %s", key, last(path), strings.Join(keys(v.Type()), ", "))
		}
		at := join(path, key)
		d.doc.at[at] = position(p.Key)
		if err := d.value(p.Value, v.Field(i), at); err != nil {
			return err
		}
		if s, ok := scalar(p.Value); ok && s != "" {
			d.doc.at[at] = position(p.Value)
		}
	}
	return nil
}

func (d *decoder) list(n ast.Node, v reflect.Value, path string) error {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		return d.fault(n, "write a list: one item a line, each after a dash, or [a, b]", "%s is %s; it must be a list", last(path), kindOf(n))
	}
	out := reflect.MakeSlice(v.Type(), len(s.Values), len(s.Values))
	for i, item := range s.Values {
		if item == nil {
			return d.fault(n, "", "%s has an item without a value", last(path))
		}
		if err := d.value(item, out.Index(i), path+"["+strconv.Itoa(i)+"]"); err != nil {
			return err
		}
	}
	v.Set(out)
	return nil
}

func (d *decoder) mapping(n ast.Node, v reflect.Value, path string) error {
	pairs, ok := mappingPairs(n)
	if !ok {
		return d.fault(n, "", "%s is %s; it must be keys with values", last(path), kindOf(n))
	}
	out := reflect.MakeMapWithSize(v.Type(), len(pairs))
	for _, p := range pairs {
		key, ok := keyOf(p)
		if !ok {
			return d.fault(p.Key, "write the key out", "anchors, aliases and merge keys are not allowed here")
		}
		k := reflect.ValueOf(key).Convert(v.Type().Key())
		if out.MapIndex(k).IsValid() {
			return d.fault(p.Key, "remove one of them", "the key %q is there twice", key)
		}
		e := reflect.New(v.Type().Elem()).Elem()
		at := join(path, key)
		d.doc.at[at] = position(p.Key)
		if err := d.value(p.Value, e, at); err != nil {
			return err
		}
		out.SetMapIndex(k, e)
	}
	v.Set(out)
	return nil
}

func (d *decoder) scalar(n ast.Node, v reflect.Value, path string) error {
	s, ok := scalar(n)
	if !ok {
		return d.fault(n, "", "%s is %s; it must be one value", last(path), kindOf(n))
	}
	switch t := v.Addr().Interface().(type) {
	case *time.Duration:
		var err error
		if *t, err = time.ParseDuration(s); err != nil {
			return d.fault(n, "write it as 90s, 15m or 720h", "%s is %q; it must be a duration", last(path), s)
		}
		return nil
	case encoding.TextUnmarshaler:
		if err := t.UnmarshalText([]byte(s)); err != nil {
			return d.fault(n, "", "%s is %q: %v", last(path), s, err)
		}
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
		return nil
	case reflect.Bool:
		if b, ok := n.(*ast.BoolNode); ok {
			v.SetBool(b.Value)
			return nil
		}
		return d.fault(n, "", "%s is %q; it must be true or false", last(path), s)
	case reflect.Int, reflect.Int64, reflect.Int32:
		if i, err := strconv.ParseInt(s, 10, v.Type().Bits()); err == nil {
			v.SetInt(i)
			return nil
		}
	case reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if i, err := strconv.ParseUint(s, 10, v.Type().Bits()); err == nil {
			v.SetUint(i)
			return nil
		}
	default:
		return fmt.Errorf("failed to decode %s: type %s is not supported", path, v.Type())
	}
	return d.fault(n, "", "%s is %q; it must be a whole number", last(path), s)
}

// closest is a hint with the allowed key that is most like the wrong one.
func (d *decoder) closest(t reflect.Type, wrong string) string {
	best, cost := "", 3
	for _, k := range keys(t) {
		if c := distance(k, wrong); c < cost {
			best, cost = k, c
		}
	}
	if best == "" {
		return "remove the key"
	}
	return "write " + best
}

func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost = 1 + min(diagonal, row[j], row[j-1])
			}
			diagonal, row[j] = row[j], cost
		}
	}
	return row[len(b)]
}

func scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return strings.TrimRight(n.Value.Value, "\n"), true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// plainList returns the items of a list that holds plain values alone.
func plainList(n ast.Node) ([]string, bool) {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		return nil, false
	}
	out := make([]string, 0, len(s.Values))
	for _, item := range s.Values {
		one, ok := scalar(item)
		if !ok {
			return nil, false
		}
		out = append(out, one)
	}
	return out, true
}

func mappingPairs(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

func keyOf(p *ast.MappingValueNode) (string, bool) {
	n, ok := p.Key.(ast.Node)
	if !ok {
		return "", false
	}
	return scalar(n)
}

func position(n ast.Node) *token.Position {
	if n == nil || reflect.ValueOf(n).IsNil() {
		return nil
	}
	if pairs, ok := mappingPairs(n); ok && len(pairs) > 0 {
		return position(pairs[0].Key)
	}
	if t := n.GetToken(); t != nil {
		return t.Position
	}
	return nil
}

func kindOf(n ast.Node) string {
	switch n.(type) {
	case *ast.SequenceNode:
		return "a list"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a set of keys"
	}
	return "one value"
}

func keys(t reflect.Type) []string {
	var out []string
	for i := range t.NumField() {
		if k := tag(t.Field(i)); k != "" {
			out = append(out, k)
		}
	}
	sort.Strings(out)
	return out
}

func field(t reflect.Type, key string) int {
	for i := range t.NumField() {
		if tag(t.Field(i)) == key {
			return i
		}
	}
	return -1
}

func tag(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	if name == "-" || !f.IsExported() {
		return ""
	}
	return name
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func last(path string) string {
	if path == "" {
		return "the file"
	}
	return path
}
