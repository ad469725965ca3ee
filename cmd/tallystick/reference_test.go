package main

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/docs"
)

var update = flag.Bool("update", false, "write the generated reference pages")

// TestReferencePages: the committed pages are what the program and its Config
// structs say. `make generate` writes them.
func TestReferencePages(t *testing.T) {
	c := &cli{}
	pages, err := c.referencePages(c.root())
	if err != nil {
		t.Fatal(err)
	}
	pages["config.md"] = configPage(t)
	for name, want := range pages {
		file := filepath.Join("../../docs/reference", name)
		if *update {
			if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Errorf("%v: run make generate", err)
			continue
		}
		if diff := cmp.Diff(string(got), want); diff != "" {
			t.Errorf("%s is not what is generated (-got +want); run make generate\n%s", name, diff)
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinks: every relative link of the documentation leads to a page or picture
// that is there, in README too.
func TestLinks(t *testing.T) {
	checked := 0
	check := func(page string, text []byte, exists func(string) bool) {
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			to, _, _ := strings.Cut(m[1], "#")
			if to == "" || strings.Contains(to, "://") || strings.HasPrefix(to, "mailto:") {
				continue
			}
			checked++
			if !exists(path.Join(path.Dir(page), to)) {
				t.Errorf("%s links to %s, which is not there", page, m[1])
			}
		}
	}
	err := fs.WalkDir(docs.Files, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(docs.Files, p)
		check(p, b, func(to string) bool { _, err := fs.Stat(docs.Files, to); return err == nil })
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"README.md", "CONTRIBUTING.md", "SECURITY.md"} {
		b, err := os.ReadFile("../../" + p)
		if err != nil {
			t.Fatal(err)
		}
		check(p, b, func(to string) bool { _, err := os.Stat("../../" + to); return err == nil })
	}
	if checked < 20 {
		t.Errorf("only %d links found", checked)
	}
}

// configPage is the reference of tallystick.yaml, made from the comments of the
// Config structs in the source.
func configPage(t *testing.T) string {
	g := configDoc{t: t, fset: token.NewFileSet(), packages: map[string]map[string]*configType{}}
	g.b.WriteString("# Configuration\n\n`tallystick.yaml`; an empty or missing file runs everything embedded in one process, with no source. Paths are relative to the file. " +
		"A secret is always the path of a file. Durations are written 90s, 15m, 720h. `tallystick config check` names faults with line and column, `tallystick config print` shows the values in force.\n")
	g.structure("services", "Config", "")
	for len(g.sections) > 0 {
		s := g.sections[0]
		g.sections = g.sections[1:]
		fmt.Fprintf(&g.b, "\n## %s\n\n", s.path)
		g.structure(s.pkg, s.name, s.path)
	}
	return g.b.String()
}

type configDoc struct {
	t        *testing.T
	fset     *token.FileSet
	packages map[string]map[string]*configType // by folder and name
	sections []configSection
	b        strings.Builder
}

type configSection struct{ path, pkg, name string }

type configType struct {
	spec    *ast.TypeSpec
	doc     string
	imports map[string]string // folder by name
}

// lookup finds a type of a folder of this module.
func (g *configDoc) lookup(pkg, name string) *configType {
	if g.packages[pkg] == nil {
		types := map[string]*configType{}
		g.packages[pkg] = types
		files, err := filepath.Glob(filepath.Join("../..", pkg, "*.go"))
		if err != nil {
			g.t.Fatal(err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(g.fset, name, nil, parser.ParseComments)
			if err != nil {
				g.t.Fatal(err)
			}
			imports := map[string]string{}
			for _, i := range f.Imports {
				if folder, ok := strings.CutPrefix(strings.Trim(i.Path.Value, `"`), module); ok {
					imports[path.Base(folder)] = folder
				}
			}
			for _, d := range f.Decls {
				decl, ok := d.(*ast.GenDecl)
				if !ok {
					continue
				}
				for _, s := range decl.Specs {
					if ts, ok := s.(*ast.TypeSpec); ok {
						types[ts.Name.Name] = &configType{spec: ts, doc: decl.Doc.Text(), imports: imports}
					}
				}
			}
		}
	}
	return g.packages[pkg][name]
}

// structure writes the table of a struct's keys and queues those that are
// structs themselves.
func (g *configDoc) structure(pkg, name, at string) {
	typ := g.lookup(pkg, name)
	st, ok := typ.spec.Type.(*ast.StructType)
	if !ok {
		g.t.Fatalf("%s.%s is no struct", pkg, name)
	}
	if at != "" {
		doc := strings.Join(strings.Fields(typ.doc), " ")
		if rest, ok := strings.CutPrefix(doc, name+" is "); ok {
			doc = strings.ToUpper(rest[:1]) + rest[1:]
		} else if rest, ok := strings.CutPrefix(doc, name+" "); ok {
			doc = strings.ToUpper(rest[:1]) + rest[1:]
		}
		g.b.WriteString(doc + "\n\n")
	}
	if at == "" {
		g.b.WriteString("\n")
	}
	g.b.WriteString("| key | value | meaning |\n| --- | --- | --- |\n")
	for _, f := range st.Fields.List {
		if f.Tag == nil {
			continue
		}
		key, _, _ := strings.Cut(reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("yaml"), ",")
		if key == "-" || key == "" {
			continue
		}
		full := strings.TrimPrefix(at+"."+key, ".")
		doc := strings.Join(strings.Fields(f.Doc.Text()+f.Comment.Text()), " ")
		value := g.value(typ, pkg, f.Type, full)
		if doc == "" && strings.HasPrefix(value, "[") {
			doc = "See there."
		}
		fmt.Fprintf(&g.b, "| `%s` | %s | %s |\n", key, value, strings.ReplaceAll(doc, "|", "\\|"))
	}
}

// value says what a key takes.
func (g *configDoc) value(in *configType, pkg string, e ast.Expr, at string) string {
	switch e := e.(type) {
	case *ast.ArrayType:
		return "list of " + g.value(in, pkg, e.Elt, at+"[]")
	case *ast.MapType:
		return "keys with values"
	case *ast.StarExpr:
		return g.value(in, pkg, e.X, at)
	case *ast.SelectorExpr:
		if folder := in.imports[e.X.(*ast.Ident).Name]; folder != "" {
			return g.section(folder, e.Sel.Name, at)
		}
		return map[string]string{"Duration": "duration", "Prefix": "network, such as 10.0.0.0/8"}[e.Sel.Name]
	case *ast.Ident:
		if typ := g.lookup(pkg, e.Name); typ != nil {
			if word, ok := typ.spec.Type.(*ast.Ident); ok {
				return g.value(in, pkg, word, at)
			}
			return g.section(pkg, e.Name, at)
		}
		return map[string]string{"string": "text", "bool": "true or false", "int": "number", "float64": "number"}[e.Name]
	}
	g.t.Fatalf("%s: a type that the reference has no word for", at)
	return ""
}

func (g *configDoc) section(pkg, name, at string) string {
	g.sections = append(g.sections, configSection{at, pkg, name})
	return "[" + at + "](#" + strings.NewReplacer(".", "", "[", "", "]", "").Replace(at) + ")"
}
