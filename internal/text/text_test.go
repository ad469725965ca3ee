package text_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/tallystick/tallystick/internal/text"
)

func TestPrinter(t *testing.T) {
	c, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	en, pt := c.For("en"), c.For("PT-br")
	for _, tc := range []struct{ name, got, want string }{
		{"message", en.T("product.name", nil), "Tallystick"},
		{"unknown message", en.T("no.such", nil), "!no.such!"},
		{"number", en.Int(1234567), "1,234,567"},
		{"number pt", pt.Int(1234567), "1.234.567"},
		{"percent", en.Percent(0.998), "99.8 %"},
		{"percent pt", pt.Percent(0.998), "99,8 %"},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, tc.got, tc.want)
		}
	}
}

func TestHintOf(t *testing.T) {
	err := fmt.Errorf("outer: %w", &text.Hint{Err: errors.New("inner"), Hint: "tallystick init"})
	if text.HintOf(err) != "tallystick init" || err.Error() != "outer: inner" {
		t.Fatalf("%v, %q", err, text.HintOf(err))
	}
}
