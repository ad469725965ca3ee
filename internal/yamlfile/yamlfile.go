// Package yamlfile reads YAML files strictly and says where a fault is.
//
// Every file that people write (tallystick.yaml, the data map, controls,
// policies) goes through it, so that an error always reads
// FILE:LINE:COLUMN: what is wrong. It knows nothing of what the files mean.
package yamlfile

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/tallystick/tallystick/internal/text"
)

// MaxSize is the largest file that is read, in bytes.
const MaxSize = 16 << 20

// Doc is one parsed YAML document with the positions of its nodes.
type Doc struct {
	Name string // as errors show it
	file *ast.File
	data []byte
}

// Read parses the file at path.
func Read(path string) (*Doc, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("failed to read %s: %w", path, errors.Unwrap(err))
	}
	if st.Size() > MaxSize {
		return nil, fmt.Errorf("failed to read %s: larger than %d MiB", path, MaxSize>>20)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, data)
}

// Parse parses data; name stands for the file in errors.
func Parse(name string, data []byte) (*Doc, error) {
	f, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, position(name, err)
	}
	return &Doc{Name: name, file: f, data: data}, nil
}

// Decode fills v. An unknown key, a key given twice or a value of the wrong
// type is an error with its position.
func (d *Doc) Decode(v any) error {
	err := yaml.UnmarshalWithOptions(d.data, v, yaml.Strict(), yaml.DisallowUnknownField())
	if err != nil {
		return position(d.Name, err)
	}
	return nil
}

// Errorf makes an error about the node at path, written as in
// $.sources[0].format. When the node is absent its nearest parent's position
// is given.
func (d *Doc) Errorf(path, format string, args ...any) error {
	line, column := d.at(path)
	return fmt.Errorf("%s:%d:%d: %s", d.Name, line, column, fmt.Sprintf(format, args...))
}

// Hintf is Errorf with a hint of what to try next.
func (d *Doc) Hintf(path, hint, format string, args ...any) error {
	return &text.Hint{Err: d.Errorf(path, format, args...), Hint: hint}
}

func (d *Doc) at(path string) (line, column int) {
	for path != "" && path != "$" {
		if p, err := yaml.PathString(path); err == nil {
			if n, err := p.FilterFile(d.file); err == nil && n != nil && n.GetToken() != nil {
				pos := start(n).Position
				return pos.Line, pos.Column
			}
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			break
		}
		path = path[:cut]
	}
	return 1, 1
}

// start is the first token of a node: a mapping's own token is a colon.
func start(n ast.Node) *token.Token {
	switch m := n.(type) {
	case *ast.MappingNode:
		if len(m.Values) > 0 {
			return m.Values[0].Key.GetToken()
		}
	case *ast.MappingValueNode:
		return m.Key.GetToken()
	}
	return n.GetToken()
}

func position(name string, err error) error {
	var y yaml.Error
	if !errors.As(err, &y) || y.GetToken() == nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		return fmt.Errorf("%s:1:1: %s", name, first)
	}
	p := y.GetToken().Position
	return fmt.Errorf("%s:%d:%d: %s", name, p.Line, p.Column, y.GetMessage())
}
