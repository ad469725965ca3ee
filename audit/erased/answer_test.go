package erased_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit/erased"
	"github.com/tallystick/tallystick/internal/text"
)

// TestSeen: what went is counted from what is there, not from what was found.
func TestSeen(t *testing.T) {
	a := erased.Answer{Found: erased.Found{Links: 6, Originals: 10, Reports: 1}}
	for i, now := range []erased.Parts{
		{Links: 6, Originals: 12, Reports: 1}, // some came after the look
		{Links: 6, Originals: 5, Reports: 0},  // an interruption
		{Links: 6, Originals: 5, Reports: 0},
		{Links: 6, Originals: 0, Reports: 0},
		{Links: 2, Originals: 0, Reports: 0},
		{Links: 0, Originals: 0, Reports: 0},
	} {
		if a.Seen(now); *a.Left != now {
			t.Errorf("look %d: %+v is left", i, a.Left)
		}
	}
	if diff := cmp.Diff(a.Destroyed, &erased.Parts{Links: 6, Originals: 12, Reports: 1}); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
}

// TestText: the answer names each rest with its date, in both languages.
func TestText(t *testing.T) {
	texts, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)
	a := erased.Answer{Request: "DSR-7", Begun: at, Found: erased.Found{Identifiers: 1, Links: 1}}
	a.Seen(erased.Parts{})
	rest := []erased.Rest{{What: "day-keys"}, {What: "lines"}, {What: "spools"}, {What: "rejections"}, {What: "backups"}}
	for i := range rest {
		rest[i].Until = at.AddDate(0, i+1, 0)
	}
	a.Finish(at, rest)
	for _, lang := range text.Languages {
		lines := strings.Join(a.Text(texts.For(lang)), "\n")
		for _, r := range rest {
			if day := texts.For(lang).Date(r.Until); !strings.Contains(lines, day) {
				t.Errorf("%s: %s is not named with its date:\n%s", lang, r.What, lines)
			}
		}
		if strings.Contains(lines, "erasure.") {
			t.Errorf("%s: a text is missing:\n%s", lang, lines)
		}
	}
}
