//go:build integration

package keys_test

import (
	"bytes"
	"os/exec"
	"testing"
)

// TestOldTinkWrites has github.com/google/tink/go v1.7.0 write keysets in a
// process and a module of its own, and opens them.
func TestOldTinkWrites(t *testing.T) {
	cmd := exec.Command("go", "run", ".")
	cmd.Dir = "testdata/tinkv1"
	var fault bytes.Buffer
	cmd.Stderr = &fault
	b, err := cmd.Output()
	if err != nil {
		t.Fatalf("go run: %v\n%s", err, fault.String())
	}
	opensOld(t, b)
}
