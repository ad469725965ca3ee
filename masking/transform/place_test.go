package transform_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/masking/detect"
	"github.com/tallystick/tallystick/masking/transform"
)

// TestPlaces: a place says of a document in another format what the masker does
// with JSON, and counts it alike.
func TestPlaces(t *testing.T) {
	p, err := transform.ParsePolicy("p", []byte("version: 1\ndomain: test\ntext: detect\nfields: {a.b: last 2, keep: keep, gone: drop, whole: redact, map.*: keep, note: detect}\nfound: {email: last 4}"))
	if err != nil {
		t.Fatal(err)
	}
	header, err := p.Add("h", "first 1")
	if err != nil {
		t.Fatal(err)
	}
	drop, err := p.Add("d", "drop")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Add("x", "encrypt"); err == nil || !strings.HasPrefix(err.Error(), `x: "encrypt" is no transform`) {
		t.Errorf("%v", err)
	}
	m, err := transform.New(p, detect.Default(), nil)
	if err != nil {
		t.Fatal(err)
	}
	at := func(path ...string) (place transform.Place, named bool) {
		place = m.Root()
		for _, step := range path {
			place, named = place.Field(step)
		}
		return place, named
	}
	type answer struct {
		Named, Drops, Keeps, Blanks bool
		Value                       string
	}
	got := map[string]answer{}
	for _, path := range []string{"a", "a.b", "keep", "keep.x", "gone", "whole", "map", "map.ann", "note", "other", "other.x"} {
		place, named := at(strings.Split(path, ".")...)
		got[path] = answer{named, place.Drops(), place.Keeps(), place.Blanks(), place.Value("f", "to ann@example.com")}
	}
	want := map[string]answer{
		"a": {Named: true, Value: "[redacted]"}, "a.b": {Named: true, Blanks: true, Value: "***om"}, "keep": {Named: true, Keeps: true, Value: "to ann@example.com"},
		"keep.x": {Named: true, Keeps: true, Value: "to ann@example.com"}, "gone": {Named: true, Drops: true, Blanks: true, Value: "[redacted]"},
		"whole": {Named: true, Blanks: true, Value: "[redacted]"}, "map": {Named: true, Value: "[redacted]"}, "map.ann": {Keeps: true, Value: "to ann@example.com"},
		"note": {Named: true, Blanks: true, Value: "to ***.com"}, "other": {Value: "[redacted]"}, "other.x": {Value: "[redacted]"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if out, keep := m.Apply(header, "secret"); out != "s***" || !keep {
		t.Errorf("a header becomes %q", out)
	}
	if _, keep := m.Apply(drop, "secret"); keep {
		t.Error("a dropped header stays")
	}
	if out, err := m.Document(nil, `[{"a":{"b":"secret"}},"ann@example.com",7]`); err != nil || string(out) != `[{"a":{"b":"***et"}},"[redacted]","[redacted]"]` {
		t.Errorf("%s %v", out, err)
	}
	if out := m.Text(nil, "{to ann@example.com"); string(out) != "{to ***.com" {
		t.Errorf("%s", out)
	}
}
