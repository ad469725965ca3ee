package services_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/services"
	"github.com/tallystick/tallystick/services/console"
)

// documentsIn are the API's documents with two policies and own detectors.
func documentsIn(t *testing.T) console.Masking {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"a.yaml":         "version: 1\ndomain: a\ntext: detect\nfields: {id: keep, mail: last 4}\nfound: {email: last 4}",
		"detectors.yaml": staffNumbers,
		"tallystick.yaml": "masking:\n  detectors: detectors.yaml\n  policies:\n  - {name: a, file: a.yaml, api: true}\n" +
			"  - {name: closed, file: a.yaml}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := services.LoadConfig(filepath.Join(dir, "tallystick.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return services.Documents(cfg)
}

func TestMaskedDocuments(t *testing.T) {
	d := documentsIn(t)
	deep := strings.Repeat("[", 4<<20)
	for _, tc := range []struct {
		name      string
		form      console.DocumentForm
		in, want  string
		wantError string
	}{
		{"JSON over lines", console.JSONDocument, "[{\"id\":1},\n {\"mail\":\"ann@example.com\",\"x\":2}]", `[{"id":1},{"mail":"***.com","[redacted]":"[redacted]"}]`, ""},
		{"lines of JSON", console.JSONLines, "{\"id\":1}\r\n\n{\"id\":2}", "{\"id\":1}\r\n\n{\"id\":2}", ""},
		{"text", console.TextLines, "to ann@example.com\n{\n", "to ***.com\n{\n", ""},
		{"nothing", console.TextLines, "", "", ""},
		{"a fault in a line", console.JSONLines, "{\"id\":1}\n{\"id\":ann@example.com}\n", "", "line 2, column 7: this is no JSON value"},
		{"a fault in a document", console.JSONDocument, "{\"id\":1,\n \"mail\":ann@example.com}", "", "line 2, column 9: this is no JSON value"},
		{"a document that ends", console.JSONDocument, "{\"id\":", "", "line 1, column 7: the line ends within a value"},
		{"a deep one", console.JSONDocument, deep, "", "line 1, column 65: it is nested deeper than 64 levels"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			out, err := d.Mask("a", tc.form, []byte(tc.in))
			runtime.ReadMemStats(&after)
			var fault *console.DocumentFault
			if tc.wantError != "" {
				if !errors.As(err, &fault) || fault.Error() != tc.wantError || out != nil {
					t.Errorf("%q, %v; want %s", out, err, tc.wantError)
				}
			} else if err != nil || cmp.Diff(tc.want, string(out)) != "" {
				t.Errorf("%q, %v; want %q", out, err, tc.want)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 16<<20 {
				t.Errorf("it took %d MB", used>>20)
			}
		})
	}
	for _, name := range []string{"closed", "b", ""} {
		if _, err := d.Mask(name, console.JSONDocument, []byte("{}")); !errors.Is(err, registers.ErrNotFound) {
			t.Errorf("policy %q: %v", name, err)
		}
	}
}

func TestDetectedDocuments(t *testing.T) {
	var got []console.DocumentFinding
	err := documentsIn(t).Detect([]byte("a\nto ann@example.com, EMP-123456"), func(f console.DocumentFinding) error {
		got = append(got, f)
		return nil
	})
	want := []console.DocumentFinding{{Line: 2, Kind: "email", Category: "user.contact.email", Start: 3, End: 18, Confidence: 95},
		{Line: 2, Kind: "staff_no", Category: "user.workplace", Start: 20, End: 30, Confidence: 70}}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}
