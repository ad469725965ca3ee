package console

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3gen"

	"github.com/tallystick/tallystick/internal/text"
)

// openAPI describes the routes under /api/v1.
func openAPI(routes []route, p *text.Printer) ([]byte, error) {
	doc := &openapi3.T{
		OpenAPI: "3.0.3",
		Info:    &openapi3.Info{Title: p.T("product.name", nil), Version: "1", Description: p.T("console.api.description", nil)},
		Paths:   openapi3.NewPaths(),
		Components: &openapi3.Components{
			Schemas: openapi3.Schemas{},
			SecuritySchemes: openapi3.SecuritySchemes{"session": &openapi3.SecuritySchemeRef{
				Value: openapi3.NewSecurityScheme().WithType("apiKey").WithIn("cookie").WithName(sessionCookie)}},
		},
		Security: openapi3.SecurityRequirements{{"session": []string{}}},
	}
	failure, err := openapi3gen.NewSchemaRefForValue(apiError{}, nil)
	if err != nil {
		return nil, err
	}
	doc.Components.Schemas["Error"] = failure
	for _, rt := range routes {
		if !strings.HasPrefix(rt.Path, "/api/v1/") {
			continue
		}
		op, err := operation(rt, p)
		if err != nil {
			return nil, fmt.Errorf("failed to describe %s: %w", rt.Path, err)
		}
		doc.AddOperation(openAPIPath(rt.Path), rt.Method, op)
	}
	return json.MarshalIndent(doc, "", "  ")
}

func operation(rt route, p *text.Printer) (*openapi3.Operation, error) {
	op := openapi3.NewOperation()
	op.Summary = p.T(rt.Summary, nil)
	roles := make([]string, len(rt.Roles))
	for i, r := range rt.Roles {
		roles[i] = string(r)
	}
	op.Extensions = map[string]any{"x-roles": roles}
	for _, part := range strings.Split(rt.Path, "/") {
		if name, ok := strings.CutPrefix(part, ":"); ok {
			op.AddParameter(openapi3.NewPathParameter(name).WithSchema(openapi3.NewStringSchema()))
		}
	}
	for _, q := range rt.Query {
		op.AddParameter(openapi3.NewQueryParameter(q).WithSchema(openapi3.NewStringSchema()).WithDescription(p.T("console.api.query."+q, nil)))
	}
	if rt.Takes != nil {
		schema, err := openapi3gen.NewSchemaRefForValue(rt.Takes, nil)
		if err != nil {
			return nil, err
		}
		op.RequestBody = &openapi3.RequestBodyRef{Value: openapi3.NewRequestBody().WithRequired(true).WithJSONSchemaRef(schema)}
	}
	ok := openapi3.NewResponse().WithDescription(p.T("console.api.ok", nil))
	if rt.Answer != nil {
		schema, err := openapi3gen.NewSchemaRefForValue(rt.Answer, nil)
		if err != nil {
			return nil, err
		}
		ok = ok.WithJSONSchemaRef(schema)
	}
	content := openapi3.Content{}
	for _, form := range rt.Body {
		content[string(form)] = openapi3.NewMediaType().WithSchema(openapi3.NewStringSchema())
	}
	if len(rt.Body) > 0 {
		op.RequestBody = &openapi3.RequestBodyRef{Value: openapi3.NewRequestBody().WithRequired(true).WithContent(content)}
	}
	if rt.Masked {
		ok = ok.WithContent(content)
	}
	op.AddResponse(200, ok)
	op.Responses.Set("default", &openapi3.ResponseRef{Value: openapi3.NewResponse().WithDescription(p.T("console.api.failed", nil)).
		WithJSONSchemaRef(openapi3.NewSchemaRef("#/components/schemas/Error", nil))})
	return op, nil
}

// openAPIPath writes /a/:id as /a/{id}.
func openAPIPath(p string) string {
	parts := strings.Split(p, "/")
	for i, part := range parts {
		if name, ok := strings.CutPrefix(part, ":"); ok {
			parts[i] = "{" + name + "}"
		}
	}
	return strings.Join(parts, "/")
}
