package plain_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/plainaccess"
)

const canary = "canary@example.com"

func TestTextNeverShows(t *testing.T) {
	type outer struct {
		Name   plain.Text
		hidden plain.Text
		list   []plain.Text
		keyed  map[string]plain.Text
	}
	v := plain.New(canary)
	o := outer{Name: v, hidden: v, list: []plain.Text{v}, keyed: map[string]plain.Text{"a": v}}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p", "%10.3s"} {
		fmt.Fprintf(&out, verb, v)
		fmt.Fprintf(&out, verb, &v)
		fmt.Fprintf(&out, verb, o)
		fmt.Fprintf(&out, verb, &o)
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v, "o", o)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v, "o", o)
	if err := json.NewEncoder(&out).Encode(o); err != nil {
		t.Fatal(err)
	}
	hex := fmt.Sprintf("%x", canary)
	if s := out.String(); strings.Contains(s, canary) || strings.Contains(strings.ToLower(s), hex) || strings.Contains(s, canary[:3]) {
		t.Fatalf("a clear value was printed: %s", s)
	}
}

func TestReveal(t *testing.T) {
	if got := plain.New(canary).Reveal(plainaccess.Token{}); got != canary {
		t.Fatalf("got %q", got)
	}
	var zero plain.Text
	if !zero.Empty() || zero.Reveal(plainaccess.Token{}) != "" || !plain.New("").Empty() {
		t.Fatal("the zero Text is not empty")
	}
}
