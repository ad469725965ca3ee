package store_test

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/tallystick/tallystick/internal/store"
)

// The exceptions of ClickHouse are told apart over the wire in
// services/auditor; here is what comes from elsewhere.
func TestTroubleOf(t *testing.T) {
	for _, tc := range []struct {
		name string
		err  error
		want string
	}{
		{"taken", fmt.Errorf("failed: %w", store.ErrTaken), "taken"},
		{"no room for a file", fmt.Errorf("failed: %w", syscall.ENOSPC), "disk-full"},
		{"no room, as text", errors.New("Code: 1001. std::exception: No space left on device"), "disk-full"},
		{"too late", fmt.Errorf("failed: %w", context.DeadlineExceeded), "slow"},
		{"refused", syscall.ECONNREFUSED, "away"},
		{"another", errors.New("x"), "other"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := store.TroubleOf(tc.err)
			if got.Cause != tc.want {
				t.Errorf("%q, want %q", got.Cause, tc.want)
			}
			if got.Hint == "" && got.Cause != "taken" {
				t.Error("nothing says what to do")
			}
		})
	}
}
