package console

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
)

type docsView struct {
	Body  template.HTML
	Pages []docPage
}

type docPage struct {
	Path, Name string
	Current    bool
}

// docsPage renders the documentation that is built into the program. A path
// works with and without .md, so links between the files work here too.
func (s *Console) docsPage(r *request) error {
	name := strings.TrimSuffix(strings.Trim(path.Clean(r.Param("path")), "/"), ".md")
	if control, ok := strings.CutPrefix(name, "controls/"); ok {
		r.Redirect(http.StatusSeeOther, "/docs/reference/controls/"+url.PathEscape(control))
		return nil
	}
	body, err := s.readDoc(name)
	if errors.Is(err, fs.ErrNotExist) {
		return errNotFound
	}
	if err != nil {
		return err
	}
	md := goldmark.New(goldmark.WithExtensions(extension.Table, extension.Linkify), goldmark.WithParserOptions(parser.WithAutoHeadingID()))
	var b bytes.Buffer
	if err := md.Convert(body, &b); err != nil {
		return fmt.Errorf("failed to render documentation: %w", err)
	}
	pages, err := s.docPages(name)
	if err != nil {
		return err
	}
	// The Markdown is the program's own; goldmark leaves out raw HTML.
	r.render(http.StatusOK, "docs", "console.nav.docs", docsView{template.HTML(b.String()), pages})
	return nil
}

func (s *Console) readDoc(name string) ([]byte, error) {
	tries := []string{name + ".md", path.Join(name, "README.md"), path.Join(name, "index.md")}
	for _, n := range tries {
		if !fs.ValidPath(n) {
			continue
		}
		b, err := fs.ReadFile(s.deps.Docs, n)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return b, err
		}
	}
	return nil, fs.ErrNotExist
}

// docPages lists all pages by their first heading.
func (s *Console) docPages(current string) ([]docPage, error) {
	var out []docPage
	err := fs.WalkDir(s.deps.Docs, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(p) != ".md" {
			return err
		}
		b, err := fs.ReadFile(s.deps.Docs, p)
		if err != nil {
			return err
		}
		name := strings.TrimSuffix(p, ".md")
		title, _, _ := strings.Cut(strings.TrimLeft(string(b), "# \n"), "\n")
		if base := path.Base(name); base == "README" || base == "index" {
			name = strings.TrimSuffix(strings.TrimSuffix(name, base), "/")
		}
		out = append(out, docPage{"/docs/" + name, strings.TrimSpace(title), name == current})
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	// The page of a folder comes before the pages in it.
	slices.SortStableFunc(out, func(a, b docPage) int { return strings.Compare(a.Path, b.Path) })
	return out, err
}
