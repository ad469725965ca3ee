package private_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tallystick/tallystick/internal/private"
	"github.com/tallystick/tallystick/internal/text"
)

const canary = "hunter2-canary"

func write(t *testing.T, content string, mode fs.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestModes(t *testing.T) {
	for mode, good := range map[fs.FileMode]bool{0o600: true, 0o400: true, 0o700: true, 0o640: false, 0o604: false, 0o620: false, 0o601: false, 0o644: false} {
		path := write(t, canary, mode)
		b, err := private.Read("kafka.sasl.password_file", path)
		if good != (err == nil) || good && string(b) != canary {
			t.Errorf("%04o: %q, %v", mode, b, err)
		}
		if (private.Check("a", path) == nil) != good {
			t.Errorf("%04o: Check says otherwise", mode)
		}
		if !good && (text.HintOf(err) != "chmod 600 "+path || !strings.HasPrefix(err.Error(), "kafka.sasl.password_file "+path)) {
			t.Errorf("%04o: %v, hint %q", mode, err, text.HintOf(err))
		}
	}
	if _, err := private.Read("a", filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := private.Read("a", dir); err == nil {
		t.Error("a folder is a secret")
	}
}

func TestFirstLine(t *testing.T) {
	for content, want := range map[string]string{"a b\n": "a b", "a": "a", "a\r\nsecond": "a", "": "", "\n" + canary: ""} {
		got, err := private.FirstLine("a", write(t, content, 0o600))
		if got != want || (want == "") != (err != nil) || err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("%q: %q, %v", content, got, err)
		}
	}
}

func TestKeyPairSaysNoContent(t *testing.T) {
	cert, key := write(t, canary, 0o644), write(t, canary, 0o600)
	if _, err := private.KeyPair("key_file", cert, key); err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("%v", err)
	}
	if _, err := private.KeyPair("key_file", cert, write(t, canary, 0o640)); text.HintOf(err) == "" {
		t.Errorf("a key that others can read: %v", err)
	}
}
