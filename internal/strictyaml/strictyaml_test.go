package strictyaml_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/internal/strictyaml"
	"github.com/tallystick/tallystick/internal/text"
)

type words map[string]string

func (w *words) SetScalar(s string) { *w = words{"": s} }

type item struct {
	Name  string `yaml:"name"`
	Title words  `yaml:"title"`
}

type file struct {
	Items []item            `yaml:"items"`
	On    bool              `yaml:"on"`
	Count int               `yaml:"count"`
	Map   map[string]string `yaml:"map"`
	One   *item             `yaml:"one"`
}

func TestDecode(t *testing.T) {
	var got file
	doc, err := strictyaml.Decode("a.yaml", []byte("# note\nitems:\n- {name: 2025-01-01, title: {en: a, pt-BR: b}}\n- name: NO\n  title: x\non: true\ncount: 3\nmap: {a: b}\none: {name: \"1\"}\n"), &got)
	if err != nil {
		t.Fatal(err)
	}
	want := file{Items: []item{{Name: "2025-01-01", Title: words{"en": "a", "pt-BR": "b"}}, {Name: "NO", Title: words{"": "x"}}},
		On: true, Count: 3, Map: map[string]string{"a": "b"}, One: &item{Name: "1"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("(-want +got)\n%s", diff)
	}
	if got := doc.Fault("items[1].title", "", "bad").Error(); got != "a.yaml:5:10: bad" {
		t.Fatal(got)
	}
	if got := doc.Place("items[1].absent"); got != "a.yaml:4" {
		t.Fatal(got)
	}
}

func TestDecodeFaults(t *testing.T) {
	for _, tc := range []struct{ name, in, err, hint string }{
		{"unknown key", "itens: []\n", `f:1:1: unknown key "itens" in the file; allowed: count, items, map, on, one`, "write items"},
		{"unknown key far", "on: true\nsomething: 1\n", `f:2:1: unknown key "something" in the file; allowed: count, items, map, on, one`, "remove the key"},
		{"twice", "on: true\non: false\n", "", ""},
		{"not a list", "items: 3\n", "f:1:8: items is one value; it must be a list", "write a list: one item a line, each after a dash, or [a, b]"},
		{"not a bool", "on: maybe\n", `f:1:5: on is "maybe"; it must be true or false`, ""},
		{"not a number", "count: 1.5\n", `f:1:8: count is "1.5"; it must be a whole number`, ""},
		{"no value", "on:\n", "f:1:5: on has no value", "give it a value or remove the key"},
		{"alias", "items: &a []\nmap: *a\n", "f:1:8: anchors, aliases and tags are not allowed here", "write the value out"},
		{"second document", "on: true\n---\non: false\n", "f:3:1: a second document; one file holds one", "remove the line --- and what follows it"},
		{"empty", "", "f:1:1: the file is empty", "write at least its required keys"},
		{"list instead of keys", "- a\n", "f:1:1: the file is a list; it must be keys with values: count, items, map, on, one", ""},
		{"malformed", "items: [1\n", "", "check the indentation, and put values with : # { [ or * in double quotes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var f file
			_, err := strictyaml.Decode("f", []byte(tc.in), &f)
			if err == nil {
				t.Fatal("no error")
			}
			if tc.err != "" && (err.Error() != tc.err || text.HintOf(err) != tc.hint) {
				t.Fatalf("got  %s\n     %s\nwant %s\n     %s", err, text.HintOf(err), tc.err, tc.hint)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("items:\n- {name: a, title: {en: b}}\non: true\ncount: 3\n"))
	f.Add([]byte("a: &x [*x]\n"))
	f.Add([]byte("? a\n: - b\n--- |\n x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var v file
		if doc, err := strictyaml.Decode("f", data, &v); (doc == nil) == (err == nil) {
			t.Fatal("neither or both of a result and an error")
		}
	})
}

// TestDecodeNetworks: a struct that reads itself from text, such as an address
// block in a list, is one value.
func TestDecodeNetworks(t *testing.T) {
	var got struct {
		Networks []netip.Prefix `yaml:"networks"`
	}
	if _, err := strictyaml.Decode("f", []byte("networks: [10.0.0.0/8, \"2001:db8::/32\"]\n"), &got); err != nil {
		t.Fatal(err)
	}
	if want := "[10.0.0.0/8 2001:db8::/32]"; fmt.Sprint(got.Networks) != want {
		t.Errorf("got %v, want %s", got.Networks, want)
	}
	if _, err := strictyaml.Decode("f", []byte("networks: [10.0.0.0/64]\n"), &got); err == nil || !strings.HasPrefix(err.Error(), "f:1:12: networks[0] is") {
		t.Errorf("got %v, want the place of the fault", err)
	}
}
