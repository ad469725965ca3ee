package durable_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/tallystick/tallystick/internal/durable"
)

func TestNewReplacesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	if err := durable.New(path, []byte("first"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := durable.New(path, []byte("second"), 0o600); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("error %v, want that the file exists", err)
	}
	holds(t, path, "first", 0o600)
}

func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	for _, content := range []string{"first", "second"} {
		if err := durable.Replace(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		holds(t, path, content, 0o644)
	}
	folder := filepath.Join(t.TempDir(), "folder")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := durable.Replace(folder, []byte("x"), 0o600); err == nil {
		t.Fatal("a folder was replaced")
	}
	if err := durable.Replace(filepath.Join(folder, "none", "state.json"), []byte("x"), 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("error %v, want that there is no such folder", err)
	}
}

// holds checks a file, and that it is alone in its folder.
func holds(t *testing.T, path, content string, mode fs.FileMode) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil || string(b) != content {
		t.Fatalf("it holds %q, error %v", b, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
		t.Fatalf("its mode is %v, error %v", info.Mode(), err)
	}
	if list, err := os.ReadDir(filepath.Dir(path)); err != nil || len(list) != 1 {
		t.Fatalf("%d files are in the folder, error %v", len(list), err)
	}
}
