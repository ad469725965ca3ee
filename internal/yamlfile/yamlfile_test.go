package yamlfile_test

import (
	"testing"

	"github.com/tallystick/tallystick/internal/yamlfile"
)

type conf struct {
	Listen  string `yaml:"listen"`
	Sources []struct {
		Name string `yaml:"name"`
		Size int    `yaml:"size"`
	} `yaml:"sources"`
}

func TestDecode(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"good", "listen: x\nsources:\n- name: a\n", ""},
		{"unknown key", "listen: x\nlisten_on: y\n", `f.yaml:2:1: unknown field "listen_on"`},
		{"nested unknown key", "sources:\n- name: a\n  nam: b\n", `f.yaml:3:3: unknown field "nam"`},
		{"wrong type", "sources:\n- name: a\n  size: many\n", `f.yaml:3:9: cannot unmarshal string into Go struct field conf.Sources of type int`},
		{"twice", "listen: x\nlisten: y\n", `f.yaml:2:1: mapping key "listen" already defined at [1:1]`},
		{"malformed", "listen: [x\n", `f.yaml:1:9: sequence end token ']' not found`},
	} {
		var c conf
		d, err := yamlfile.Parse("f.yaml", []byte(tc.in))
		if err == nil {
			err = d.Decode(&c)
		}
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestErrorf(t *testing.T) {
	d, err := yamlfile.Parse("f.yaml", []byte("listen: x\nsources:\n- name: a\n  size: 1\n- name: b\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ path, want string }{
		{"$.sources[0].size", "f.yaml:4:9: bad"},
		{"$.sources[1].size", "f.yaml:5:3: bad"},
		{"$.listen", "f.yaml:1:9: bad"},
		{"$.missing", "f.yaml:1:1: bad"},
	} {
		if got := d.Errorf(tc.path, "bad").Error(); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.path, got, tc.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("listen: x\nsources:\n- name: a\n")
	f.Add("a: &x [*x]\n")
	f.Fuzz(func(t *testing.T, in string) {
		d, err := yamlfile.Parse("f.yaml", []byte(in))
		if err != nil {
			return
		}
		var c conf
		_ = d.Decode(&c)
		_ = d.Errorf("$.sources[0].name", "x")
	})
}
