package console

import "github.com/tallystick/tallystick/internal/registers"

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

// NiceTop is the top of a chart's axis.
var NiceTop = niceTop
