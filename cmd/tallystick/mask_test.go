package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestMaskLongLine: a line of 100 MB between two others takes little memory, is
// left out and named, and the others come through.
func TestMaskLongLine(t *testing.T) {
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(policy, []byte("version: 1\ndomain: a\nfields: {n: keep}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	long := strings.NewReader(`{"ana":"` + strings.Repeat("[", 1<<20))
	var parts []io.Reader
	for range 100 {
		parts = append(parts, io.NewSectionReader(long, 0, long.Size()))
	}
	in := io.MultiReader(append(append([]io.Reader{strings.NewReader("{\"n\":1}\n")}, parts...), strings.NewReader("\n{\"n\":2}"))...)
	var out, errs bytes.Buffer
	c := &cli{in: in, out: &out, err: &errs}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := c.mask(&maskFlags{policy: policy}, "-"); !errors.Is(err, errNo) {
		t.Fatalf("got %v", err)
	}
	runtime.ReadMemStats(&after)
	if out.String() != "{\"n\":1}\n{\"n\":2}\n" || !strings.HasPrefix(errs.String(), "stdin:2:16777217: the line is longer than 16 MiB\n") || strings.Contains(errs.String(), "ana") {
		t.Errorf("out %q, errors %q", out.String(), errs.String())
	}
	if mb := (after.TotalAlloc - before.TotalAlloc) >> 20; mb > 200 {
		t.Errorf("%d MB were allocated for a line that is too long", mb)
	}
}
