//go:build faults

package services_test

import (
	"os"
	"testing"
)

// TestFaultKill is TestKill for longer.
func TestFaultKill(t *testing.T) {
	if config := os.Getenv(crashing); config != "" {
		runUntilKilled(t, config)
		return
	}
	kill(t, "TestFaultKill", 60, 8000)
}
