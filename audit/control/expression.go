package control

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"

	"github.com/tallystick/tallystick/audit"
)

// predicate is a compiled expression.
type predicate func(*audit.Entry) bool

// maxExpression is the longest expression in bytes.
const maxExpression = 4096

// compileExpression compiles src to a predicate and to SQL of the same
// meaning.
func compileExpression(src string) (predicate, string, error) {
	if len(src) > maxExpression {
		return nil, "", fmt.Errorf("the expression is longer than %d bytes", maxExpression)
	}
	tree, err := parser.Parse(src)
	if err != nil {
		var f *file.Error
		if errors.As(err, &f) {
			return nil, "", fmt.Errorf("column %d of the expression: %s", f.Column+1, f.Message)
		}
		return nil, "", errors.New("the expression can't be read")
	}
	return condition(tree.Node)
}

func faultAt(n ast.Node, format string, args ...any) error {
	return fmt.Errorf("column %d of the expression: %s", n.Location().From+1, fmt.Sprintf(format, args...))
}

// condition compiles a node that is true or false.
func condition(n ast.Node) (predicate, string, error) {
	switch n := n.(type) {
	case *ast.BoolNode:
		v := n.Value
		return func(*audit.Entry) bool { return v }, strconv.FormatBool(v), nil
	case *ast.IdentifierNode:
		f, err := entryField(n)
		if err != nil {
			return nil, "", err
		}
		if f.Kind != audit.Bool {
			return nil, "", faultAt(n, "%s is not true or false; compare it with something", n.Value)
		}
		get := f.Bool
		return func(e *audit.Entry) bool { return *get(e) }, f.Name, nil
	case *ast.UnaryNode:
		if n.Operator != "not" && n.Operator != "!" {
			return nil, "", faultAt(n, "the operator %s is not allowed", n.Operator)
		}
		p, sql, err := condition(n.Node)
		if err != nil {
			return nil, "", err
		}
		return func(e *audit.Entry) bool { return !p(e) }, "NOT (" + sql + ")", nil
	case *ast.BinaryNode:
		return binary(n)
	case *ast.CallNode:
		return call(n)
	}
	return nil, "", faultAt(n, "this is not a condition; allowed: field names, and, or, not, ==, !=, <, <=, >, >=, in, len(), found(KINDS, PLACES)")
}

func binary(n *ast.BinaryNode) (predicate, string, error) {
	switch n.Operator {
	case "and", "&&", "or", "||":
		l, ls, err := condition(n.Left)
		if err != nil {
			return nil, "", err
		}
		r, rs, err := condition(n.Right)
		if err != nil {
			return nil, "", err
		}
		if n.Operator == "and" || n.Operator == "&&" {
			return func(e *audit.Entry) bool { return l(e) && r(e) }, "(" + ls + " AND " + rs + ")", nil
		}
		return func(e *audit.Entry) bool { return l(e) || r(e) }, "(" + ls + " OR " + rs + ")", nil
	case "in":
		return membership(n)
	case "==", "!=", "<", "<=", ">", ">=":
		return comparison(n)
	}
	return nil, "", faultAt(n, "the operator %s is not allowed", n.Operator)
}

func membership(n *ast.BinaryNode) (predicate, string, error) {
	if array, ok := n.Right.(*ast.ArrayNode); ok {
		f, err := textField(n.Left)
		if err != nil {
			return nil, "", err
		}
		words, sql, err := wordList(array)
		if err != nil {
			return nil, "", err
		}
		get := f.Str
		return func(e *audit.Entry) bool {
			v := *get(e)
			for _, w := range words {
				if v == w {
					return true
				}
			}
			return false
		}, f.Name + " IN (" + sql + ")", nil
	}
	word, ok := n.Left.(*ast.StringNode)
	if !ok {
		return nil, "", faultAt(n.Left, `in needs a text on its left: "tls" in carries, or a list on its right: outcome in ["allowed"]`)
	}
	f, err := listField(n.Right)
	if err != nil {
		return nil, "", err
	}
	get, w := f.Strs, word.Value
	return func(e *audit.Entry) bool { return slices.Contains(*get(e), w) }, "has(" + f.Name + ", " + quote(w) + ")", nil
}

func comparison(n *ast.BinaryNode) (predicate, string, error) {
	op := n.Operator
	if s, ok := n.Right.(*ast.StringNode); ok {
		f, err := textField(n.Left)
		if err != nil {
			return nil, "", err
		}
		get, w := f.Str, s.Value
		switch op {
		case "==":
			return func(e *audit.Entry) bool { return *get(e) == w }, f.Name + " = " + quote(w), nil
		case "!=":
			return func(e *audit.Entry) bool { return *get(e) != w }, f.Name + " != " + quote(w), nil
		}
		return nil, "", faultAt(n, "texts compare with == and != only")
	}
	i, ok := n.Right.(*ast.IntegerNode)
	if !ok || i.Value < 0 {
		return nil, "", faultAt(n.Right, "the right side must be a text in quotes or a whole number")
	}
	get, sql, err := number(n.Left)
	if err != nil {
		return nil, "", err
	}
	w := uint64(i.Value)
	p := map[string]predicate{
		"==": func(e *audit.Entry) bool { return get(e) == w }, "!=": func(e *audit.Entry) bool { return get(e) != w },
		"<": func(e *audit.Entry) bool { return get(e) < w }, "<=": func(e *audit.Entry) bool { return get(e) <= w },
		">": func(e *audit.Entry) bool { return get(e) > w }, ">=": func(e *audit.Entry) bool { return get(e) >= w },
	}[op]
	if op == "==" {
		op = "="
	}
	return p, sql + " " + op + " " + strconv.Itoa(i.Value), nil
}

// number compiles a numeric field or len().
func number(n ast.Node) (func(*audit.Entry) uint64, string, error) {
	if b, ok := n.(*ast.BuiltinNode); ok && b.Name == "len" && len(b.Arguments) == 1 {
		f, err := listField(b.Arguments[0])
		if err != nil {
			return nil, "", err
		}
		get := f.Strs
		return func(e *audit.Entry) uint64 { return uint64(len(*get(e))) }, "length(" + f.Name + ")", nil
	}
	id, ok := n.(*ast.IdentifierNode)
	if !ok {
		return nil, "", faultAt(n, "the left side must be a field or len(FIELD)")
	}
	f, err := entryField(id)
	if err != nil {
		return nil, "", err
	}
	name := "`" + f.Name + "`"
	switch f.Kind {
	case audit.Uint16:
		return func(e *audit.Entry) uint64 { return uint64(*f.U16(e)) }, name, nil
	case audit.Uint32:
		return func(e *audit.Entry) uint64 { return uint64(*f.U32(e)) }, name, nil
	case audit.Uint64:
		return func(e *audit.Entry) uint64 { return *f.U64(e) }, name, nil
	}
	return nil, "", faultAt(n, "%s is not a number", f.Name)
}

// call compiles found(KINDS, PLACES): a detector saw one of KINDS in one of
// PLACES.
func call(n *ast.CallNode) (predicate, string, error) {
	id, ok := n.Callee.(*ast.IdentifierNode)
	if !ok || id.Value != "found" || len(n.Arguments) != 2 {
		return nil, "", faultAt(n, `the only functions are len(FIELD) and found(["email"], ["query"])`)
	}
	var lists [2][]string
	var sqls [2]string
	for i, a := range n.Arguments {
		array, ok := a.(*ast.ArrayNode)
		if !ok {
			return nil, "", faultAt(a, `found needs two lists: found(["email"], ["query"])`)
		}
		var err error
		if lists[i], sqls[i], err = wordList(array); err != nil {
			return nil, "", err
		}
	}
	kinds, places := lists[0], lists[1]
	return func(e *audit.Entry) bool {
		for i, k := range e.FoundKinds {
			if i < len(e.FoundPlaces) && slices.Contains(kinds, k) && slices.Contains(places, e.FoundPlaces[i]) {
				return true
			}
		}
		return false
	}, "arrayExists((k, p) -> k IN (" + sqls[0] + ") AND p IN (" + sqls[1] + "), found_kinds, found_places)", nil
}

func wordList(a *ast.ArrayNode) ([]string, string, error) {
	if len(a.Nodes) == 0 {
		return nil, "", faultAt(a, "the list is empty")
	}
	var words, quoted []string
	for _, n := range a.Nodes {
		s, ok := n.(*ast.StringNode)
		if !ok {
			return nil, "", faultAt(n, "the list must hold texts in quotes")
		}
		words, quoted = append(words, s.Value), append(quoted, quote(s.Value))
	}
	return words, strings.Join(quoted, ", "), nil
}

func textField(n ast.Node) (*audit.EntryField, error) {
	f, err := entryField(n)
	if err == nil && f.Str == nil {
		return nil, faultAt(n, "%s is not a text", f.Name)
	}
	return f, err
}

func listField(n ast.Node) (*audit.EntryField, error) {
	f, err := entryField(n)
	if err == nil && f.Strs == nil {
		return nil, faultAt(n, "%s is not a list", f.Name)
	}
	return f, err
}

func entryField(n ast.Node) (*audit.EntryField, error) {
	id, ok := n.(*ast.IdentifierNode)
	if !ok {
		return nil, faultAt(n, "a field of an entry must stand here")
	}
	if f := fieldByName(id.Value); f != nil {
		return f, nil
	}
	return nil, faultAt(n, "%q is not a field of an entry", id.Value)
}

func fieldByName(name string) *audit.EntryField {
	for i := range audit.EntryFields {
		if audit.EntryFields[i].Name == name {
			return &audit.EntryFields[i]
		}
	}
	return nil
}

// quote writes a ClickHouse string literal.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
