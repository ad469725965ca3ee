package console_test

import (
	"os"
	"os/signal"
	"testing"
	"time"

	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/services/console"
)

// TestServe serves seeded pages at CONSOLE_SERVE until it is interrupted, to
// look at them in a browser. Sign in as dana with the password of the tests.
func TestServe(t *testing.T) {
	addr := os.Getenv("CONSOLE_SERVE")
	if addr == "" {
		t.Skip("set CONSOLE_SERVE=127.0.0.1:8080 to serve")
	}
	days := 30
	if os.Getenv("CONSOLE_EMPTY") != "" {
		days = 0
	}
	s := newSite(t, func(cfg *console.Config, deps *console.Deps) {
		cfg.Listen, deps.Store = addr, seeded(t, time.Now().UTC(), days, 1200)
		deps.Docs = os.DirFS("../../docs")
	})
	if days == 0 {
		token, err := s.registers.CreateSignInLink(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Log(s.SignInURL(token))
	}
	if days > 0 {
		for name, roles := range map[string][]registers.Role{"dana": {registers.RoleOfficer, registers.RoleAdministrator}, "eli": {registers.RoleAuditor}} {
			if err := s.registers.AddUser(t.Context(), name, password, roles...); err != nil {
				t.Fatal(err)
			}
		}
		seedRegisters(t, s)
	}
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt)
	defer stop()
	if err := s.Run(ctx); err != nil {
		t.Fatal(err)
	}
}
