package console

import (
	"strings"

	"github.com/tallystick/tallystick/internal/registers"
)

// Route is a line of the table of routes.
type Route struct {
	Method, Path string
	Roles        []registers.Role
	Open         bool
	API          bool
}

// Routes is the table of routes.
func (s *Console) Routes() []Route {
	var out []Route
	for _, r := range s.routes {
		out = append(out, Route{r.Method, r.Path, r.Roles, r.Roles[0] == anyone, len(r.Path) > 5 && r.Path[:5] == "/api/"})
	}
	return out
}

// OpenAPI is the description that the console serves.
func (s *Console) OpenAPI() []byte { return s.openapi }

// Origin reads an entry's id.
var Origin = origin

// LocalPath keeps redirects local.
var LocalPath = localPath

// Scale is the top of a chart's axis and whether a bar is cut.
var Scale = scale

// Access is an operation and its resource.
func Access(operation, template string) string {
	return strings.ReplaceAll(string(view{}.Access(record{"operation": operation, "url_template": template})), "<wbr>", "")
}

// FieldLists are the fields of an entry as its page groups them, by group.
func FieldLists(names ...string) map[string][]string {
	var fields []field
	for _, n := range names {
		fields = append(fields, field{Name: n, Value: "value of " + n})
	}
	out := map[string][]string{}
	for _, g := range groupFields(fields) {
		for _, f := range g.Fields {
			out[g.Key] = append(out[g.Key], f.Name)
		}
	}
	return out
}

// NiceTop is the top of a chart's axis.
var NiceTop = niceTop
