package render_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/reports"
	"github.com/tallystick/tallystick/reports/render"
	"github.com/tallystick/tallystick/reports/reportstest"
)

var (
	update = flag.Bool("update", false, "write the golden files")
	keep   = flag.String("keep", "", "folder to write every rendered file to")
)

var kinds = []string{"ccpa-metrics", "gdpr-accountability", "lgpd-record"}

func build(t testing.TB, kind, lang string, edit func(*reports.Inputs)) *reports.Report {
	t.Helper()
	d, err := reports.Lookup(kind)
	if err != nil {
		t.Fatal(err)
	}
	in := reportstest.Inputs(t, d)
	in.Language = lang
	if edit != nil {
		edit(&in)
	}
	r, err := reports.Build(context.Background(), d, reportstest.September(t), in)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func write(t testing.TB, r *reports.Report, format string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := render.Write(&b, r, format); err != nil {
		t.Fatal(err)
	}
	if *keep != "" {
		name := filepath.Join(*keep, r.Language+"-"+r.FileName(format))
		if err := os.WriteFile(name, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func TestGolden(t *testing.T) {
	for _, kind := range kinds {
		for _, lang := range []string{"en", "pt-BR"} {
			r := build(t, kind, lang, nil)
			for _, format := range []string{"html", "csv"} {
				t.Run(kind+"/"+lang+"/"+format, func(t *testing.T) {
					got := write(t, r, format)
					golden := filepath.Join("testdata", kind+"."+lang+"."+format)
					if *update {
						if err := os.WriteFile(golden, got, 0o644); err != nil {
							t.Fatal(err)
						}
					}
					want, err := os.ReadFile(golden)
					if err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff(strings.Split(string(got), "\n"), strings.Split(string(want), "\n")); diff != "" {
						t.Errorf("%s differs; -update writes it anew (-got +want)\n%s", golden, diff)
					}
				})
			}
		}
	}
}

// digests are the SHA-256 of every format of every kind.
func digests(t *testing.T) string {
	var out strings.Builder
	for _, kind := range kinds {
		r := build(t, kind, "", nil)
		for _, format := range render.Formats {
			sum := sha256.Sum256(write(t, r, format))
			out.WriteString(kind + "." + format + " " + hex.EncodeToString(sum[:]) + "\n")
		}
	}
	return out.String()
}

func TestSameBytes(t *testing.T) {
	got := digests(t)
	if os.Getenv("REPORT_DIGESTS") != "" {
		_, _ = os.Stdout.WriteString("<<" + got + ">>")
		return
	}
	if again := digests(t); got != again {
		t.Fatalf("the same inputs gave other bytes in one process\n%s", cmp.Diff(got, again))
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestSameBytes$")
	cmd.Env = append(os.Environ(), "REPORT_DIGESTS=1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(out), "<<")
	other, _, _ := strings.Cut(rest, ">>")
	if got != other {
		t.Fatalf("the same inputs gave other bytes in another process (-got +want)\n%s", cmp.Diff(got, other))
	}
}

func TestNoMissingText(t *testing.T) {
	for _, kind := range kinds {
		for _, lang := range []string{"en", "pt-BR"} {
			out := string(write(t, build(t, kind, lang, nil), "json"))
			if i := strings.Index(out, "!report."); i >= 0 {
				t.Errorf("%s in %s lacks a text: %s", kind, lang, out[i:min(i+60, len(out))])
			}
		}
	}
}
