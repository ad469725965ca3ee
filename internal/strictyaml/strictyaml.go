// Package strictyaml decodes a YAML file into Go structs and says, for each
// fault, in which line and column it stands, what is wrong and what is allowed.
//
// It is strict: unknown and repeated keys, wrong kinds of value, aliases, tags
// and further documents are errors. It knows no rule of any file; the packages
// that own a file format check their rules on the decoded values and report
// them with Doc.Fault. Callers are the loaders of the data map, of controls and
// of the law tables.
package strictyaml

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/tallystick/tallystick/internal/text"
)

// MaxSize is the largest file that Decode reads, in bytes.
const MaxSize = 16 << 20

// Error is a fault with its place. Line and Column are 1-based.
type Error struct {
	File         string
	Line, Column int
	Message      string
}

// Error is FILE:LINE:COLUMN: MESSAGE.
func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// Doc remembers where each value of a decoded file stands.
type Doc struct {
	// File is the name for messages.
	File string
	at   map[string]*token.Position
}

// Decode reads data into the struct that into points to. Fields are named by
// their yaml tags and hold strings, bools, integers, structs, slices, maps of
// strings, or pointers to those. A type that has SetScalar(string) takes a
// plain value as well, one that has SetList([]string) a list of them. Errors are *Error, inside a *text.Hint where there is a
// next thing to try.
func Decode(name string, data []byte, into any) (doc *Doc, err error) {
	d := &decoder{doc: &Doc{File: name, at: map[string]*token.Position{}}}
	defer func() {
		if r := recover(); r != nil {
			doc, err = nil, d.fault(nil, "", "it is not YAML that can be read")
		}
	}()
	if len(data) > MaxSize {
		return nil, d.fault(nil, "split it or remove what is not needed", "the file is larger than %d bytes", MaxSize)
	}
	f, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, d.syntax(err)
	}
	var body ast.Node
	for _, one := range f.Docs {
		if one.Body == nil || one.Body.Type() == ast.CommentType {
			continue
		}
		if body != nil {
			return nil, d.fault(one.Body, "remove the line --- and what follows it", "a second document; one file holds one")
		}
		body = one.Body
	}
	if body == nil {
		return nil, d.fault(nil, "write at least its required keys", "the file is empty")
	}
	if err := d.into(body, into); err != nil {
		return nil, err
	}
	return d.doc, nil
}

// Fault is an error at the value with the given path, such as
// "resources[3].match"; at its nearest parent when the value is absent.
func (d *Doc) Fault(path, hint, format string, args ...any) error {
	e := &Error{File: d.File, Line: 1, Column: 1, Message: fmt.Sprintf(format, args...)}
	for p := path; ; p = parent(p) {
		if at := d.at[p]; at != nil {
			e.Line, e.Column = at.Line, at.Column
			break
		}
		if p == "" {
			break
		}
	}
	if hint == "" {
		return e
	}
	return &text.Hint{Err: e, Hint: hint}
}

// Place is FILE:LINE of the value with the given path, for warnings.
func (d *Doc) Place(path string) string {
	for p := path; ; p = parent(p) {
		if at := d.at[p]; at != nil {
			return fmt.Sprintf("%s:%d", d.File, at.Line)
		}
		if p == "" {
			return d.File + ":1"
		}
	}
}

func parent(path string) string {
	i := strings.LastIndexAny(path, ".[")
	if i < 0 {
		return ""
	}
	return path[:i]
}

func (d *decoder) syntax(err error) error {
	e := &Error{File: d.doc.File, Line: 1, Column: 1, Message: "malformed YAML"}
	if y, ok := err.(yaml.Error); ok {
		e.Message = "malformed YAML: " + strings.ReplaceAll(y.GetMessage(), "\n", " ")
		if t := y.GetToken(); t != nil && t.Position != nil {
			e.Line, e.Column = t.Position.Line, t.Position.Column
		}
	}
	return &text.Hint{Err: e, Hint: "check the indentation, and put values with : # { [ or * in double quotes"}
}

func (d *decoder) fault(n ast.Node, hint, format string, args ...any) error {
	e := &Error{File: d.doc.File, Line: 1, Column: 1, Message: fmt.Sprintf(format, args...)}
	if p := position(n); p != nil {
		e.Line, e.Column = p.Line, p.Column
	}
	if hint == "" {
		return e
	}
	return &text.Hint{Err: e, Hint: hint}
}
