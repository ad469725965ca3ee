package control_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tallystick/tallystick/schemas"
)

// The JSON Schema for editors accepts what the loader accepts, and rejects
// what it rejects as far as a schema can say so.
func TestJSONSchema(t *testing.T) {
	raw, err := os.ReadFile("../../schemas/controls/control.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	schemaDoc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("control.json", schemaDoc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("control.json")
	if err != nil {
		t.Fatal(err)
	}
	validate := func(data []byte) error {
		var v any
		if err := yaml.Unmarshal(data, &v); err != nil {
			return err
		}
		j, err := json.Marshal(v)
		if err != nil {
			return err
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(j))
		if err != nil {
			return err
		}
		return schema.Validate(doc)
	}
	names, err := fs.Glob(schemas.Controls, "controls/*.yaml")
	if err != nil || len(names) < 8 {
		t.Fatal(names, err)
	}
	for _, n := range names {
		data, err := schemas.Controls.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(data); err != nil {
			t.Errorf("%s: %v", n, err)
		}
	}
	formal := []string{"unknown-key", "malformed", "id", "version", "version-text", "kind", "severity", "law", "no-form", "two-forms", "no-violation", "needs", "raised-reason", "texts", "case-answer", "window-every"}
	bad, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range bad {
		name := filepath.Base(f[:len(f)-len(".yaml")])
		if !slices.Contains(formal, name) {
			continue
		}
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if validate(data) == nil {
			t.Errorf("%s: the schema accepts it", name)
		}
	}
}
