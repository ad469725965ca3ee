package broker_test

import (
	"bytes"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	embedded "github.com/tallystick/tallystick/internal/embedded/broker"
	"github.com/tallystick/tallystick/internal/text"
)

func TestStartRefusesAFolderInUse(t *testing.T) {
	dir := t.TempDir()
	b, err := embedded.Start(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := embedded.Start(dir); err == nil || text.HintOf(err) == "" {
		t.Fatalf("got %v, want an error with a hint", err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b, err = embedded.Start(dir)
	if err != nil {
		t.Fatalf("the folder stayed locked: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestStartOnAPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	dir := t.TempDir()
	if _, err := embedded.StartWith(dir, embedded.Options{Port: l.Addr().(*net.TCPAddr).Port}); err == nil || text.HintOf(err) == "" {
		t.Fatalf("got %v, want an error with a hint", err)
	}
	b, err := embedded.Start(dir) // the failed start holds nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	if !strings.HasPrefix(b.Addr(), "127.0.0.1:") {
		t.Fatalf("it listens on %s", b.Addr())
	}
}

func TestPasswordsStayInMemory(t *testing.T) {
	dir := t.TempDir()
	b, err := embedded.Start(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, first := b.Credentials()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err == nil && bytes.Contains(b, []byte(first)) {
			t.Errorf("%s holds the password", d.Name())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err = embedded.Start(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	if _, second := b.Credentials(); second == first || len(second) < 20 {
		t.Fatal("the password is not fresh for each start")
	}
}

func TestGivenPassword(t *testing.T) {
	b, err := embedded.StartWith(t.TempDir(), embedded.Options{Password: "shared between processes"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	if user, p := b.Credentials(); user == "" || p != "shared between processes" {
		t.Fatal("the given password is not used")
	}
}
