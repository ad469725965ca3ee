//go:build integration

package render_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestPDFConforms validates every kind in both languages: PDF/A-2a and PDF/UA-1
// by veraPDF, the file's structure by qpdf.
func TestPDFConforms(t *testing.T) {
	for _, tool := range []string{"java", "mvn", "qpdf"} {
		if _, err := exec.LookPath(tool); errors.Is(err, exec.ErrNotFound) {
			if os.Getenv("CI") != "" {
				t.Fatalf("%s is missing", tool)
			}
			t.Skipf("%s is missing", tool)
		}
	}
	dir := t.TempDir()
	var files []string
	for _, kind := range kinds {
		for _, lang := range []string{"en", "pt-BR"} {
			r := build(t, kind, lang, nil)
			r.Title += " 😀 漢字 \x00 (\\)" // what the font lacks must not break a file
			name := filepath.Join(dir, lang+"-"+r.FileName("pdf"))
			if err := os.WriteFile(name, write(t, r, "pdf"), 0o600); err != nil {
				t.Fatal(err)
			}
			files = append(files, name)
			if out, err := exec.Command("qpdf", "--check", name).CombinedOutput(); err != nil {
				t.Errorf("qpdf: %v\n%s", err, out)
			}
		}
	}
	for _, flavour := range []string{"2a", "ua1"} {
		cmd := exec.Command("../../scripts/verapdf.sh", append([]string{flavour}, files...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("veraPDF %s: %v\n%s", flavour, err, out)
		} else {
			t.Logf("%s", out)
		}
	}
}
