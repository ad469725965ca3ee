package transform_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNumbers holds that exactly the numbers of RFC 8259 are read.
func TestNumbers(t *testing.T) {
	m := masker(t, "version: 1\ndomain: partner-a\nfields: {n: keep}\n", nil)
	parts := []string{"", "-", "+", "0", "1", "90", ".", "e", "E", "a"}
	var try func(s string, left int)
	try = func(s string, left int) {
		in := `{"n":` + s + `}`
		_, err := m.Line(nil, in)
		if got, want := err == nil, json.Valid([]byte(in)); got != want && s != "" {
			t.Errorf("%q is read: %t, valid: %t", s, got, want)
		}
		for _, p := range parts[1:] {
			if left > 0 {
				try(s+p, left-1)
			}
		}
	}
	try("", 5)
}

// TestQuoting holds that what is kept and what is made are JSON, whatever the
// text has and wherever it stands in a word of eight bytes.
func TestQuoting(t *testing.T) {
	m := masker(t, "version: 1\ndomain: partner-a\nfields: {n: first 1, k: keep}\n", nil)
	for c := range 0x180 {
		for n := range 18 {
			v := strings.Repeat("a", n) + string(rune(c)) + strings.Repeat("b", 17-n)
			in, err := json.Marshal(map[string]string{"n": string(rune(c)) + v, "k": v})
			if err != nil {
				t.Fatal(err)
			}
			out, err := m.Line(nil, string(in))
			if err != nil {
				t.Fatal(err)
			}
			var got map[string]string
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatalf("%q: %v", out, err)
			}
			if d := cmp.Diff(map[string]string{"n": string(rune(c)) + "***", "k": v}, got); d != "" {
				t.Fatalf("(-want +got):\n%s", d)
			}
		}
	}
}
