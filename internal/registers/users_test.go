package registers_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tallystick/tallystick/internal/registers"
)

const password = "correct horse battery"

var cheap = registers.PasswordCost{Passes: 1, Memory: 64, Lanes: 1}

// openRegisters opens empty registers with a clock that the test moves.
func openRegisters(t *testing.T) (*registers.DB, *time.Time) {
	t.Helper()
	db, err := registers.Open(context.Background(), filepath.Join(t.TempDir(), "registers.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	db.SetPasswordCost(cheap)
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	registers.SetClock(db, func() time.Time { return now })
	return db, &now
}

func TestAddUserRefuses(t *testing.T) {
	db, _ := openRegisters(t)
	for _, tc := range []struct {
		name, user, password string
		roles                []registers.Role
		want                 error
	}{
		{"good", "dana", password, []registers.Role{registers.RoleOfficer}, nil},
		{"taken", "dana", password, []registers.Role{registers.RoleOfficer}, registers.ErrUserExists},
		{"upper case", "Dana", password, []registers.Role{registers.RoleOfficer}, registers.ErrBadName},
		{"markup", "<b>", password, []registers.Role{registers.RoleOfficer}, registers.ErrBadName},
		{"eleven characters", "eli", "12345678901", []registers.Role{registers.RoleOfficer}, registers.ErrBadPassword},
		{"twelve letters of two bytes", "eli", strings.Repeat("é", 12), []registers.Role{registers.RoleOfficer}, nil},
		{"endless password", "fay", strings.Repeat("x", 1025), []registers.Role{registers.RoleOfficer}, registers.ErrBadPassword},
		{"no role", "fay", password, nil, registers.ErrBadRole},
		{"unknown role", "fay", password, []registers.Role{"root"}, registers.ErrBadRole},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := db.AddUser(t.Context(), tc.user, tc.password, tc.roles...); !errors.Is(err, tc.want) {
				t.Fatalf("got %v, want %v", err, tc.want)
			}
		})
	}
}

// TestPasswordsCostWhatIsRecommended: what is stored names the second recommended
// option of RFC 9106, and a hash at another cost is checked at its own.
func TestPasswordsCostWhatIsRecommended(t *testing.T) {
	db, err := registers.Open(t.Context(), filepath.Join(t.TempDir(), "registers.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	stored := func(name, begins string) {
		t.Helper()
		if err := db.AddUser(t.Context(), name, password, registers.RoleOfficer); err != nil {
			t.Fatal(err)
		}
		_, rows, err := db.Select(t.Context(), "SELECT password FROM users WHERE name = :name", map[string]string{"name": name})
		if err != nil || len(rows) != 1 || !strings.HasPrefix(fmt.Sprintf("%s", rows[0][0]), begins) {
			t.Errorf("%s is stored as %s, %v; want %s...", name, rows, err, begins)
		}
	}
	stored("dana", "$argon2id$v=19$m=65536,t=3,p=4$")
	db.SetPasswordCost(cheap)
	stored("eli", "$argon2id$v=19$m=64,t=1,p=1$")
	for _, name := range []string{"dana", "eli"} {
		if _, err := db.CheckPassword(t.Context(), name, password); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPasswordsAndSessions(t *testing.T) {
	db, now := openRegisters(t)
	ctx := t.Context()
	for _, n := range []string{"dana", "root"} {
		if err := db.AddUser(ctx, n, password, registers.RoleAdministrator); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name, user, password string
		ok                   bool
	}{
		{"right", "dana", password, true},
		{"wrong", "dana", password + "!", false},
		{"absent user", "nobody", password, false},
		{"empty", "", "", false},
	} {
		if u, err := db.CheckPassword(ctx, tc.user, tc.password); (err == nil) != tc.ok || (tc.ok && !u.Has(registers.RoleAdministrator)) {
			t.Errorf("%s: user %+v, error %v", tc.name, u, err)
		}
	}
	open := func() string {
		token, err := db.CreateSession(ctx, "dana", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	for _, tc := range []struct {
		name string
		end  func(token string) error
	}{
		{"expiry", func(string) error { *now = now.Add(time.Hour); return nil }},
		{"sign-out", func(token string) error { return db.EndSession(ctx, token) }},
		{"password reset", func(string) error { return db.ResetPassword(ctx, "dana", password) }},
		{"other roles", func(string) error { return db.SetRoles(ctx, "dana", registers.RoleAuditor, registers.RoleOfficer) }},
		{"disabling", func(string) error { return db.SetDisabled(ctx, "dana", true) }},
	} {
		token := open()
		if _, err := db.SessionUser(ctx, token); err != nil {
			t.Fatalf("%s: the session does not work: %v", tc.name, err)
		}
		if err := tc.end(token); err != nil {
			t.Fatal(err)
		}
		if _, err := db.SessionUser(ctx, token); !errors.Is(err, registers.ErrNotFound) {
			t.Errorf("%s did not end the session: %v", tc.name, err)
		}
	}
	if _, err := db.CheckPassword(ctx, "dana", password); !errors.Is(err, registers.ErrSignIn) {
		t.Errorf("a disabled user signed in: %v", err)
	}
	if err := db.SetDisabled(ctx, "root", true); !errors.Is(err, registers.ErrLastAdmin) {
		t.Errorf("the last administrator was disabled: %v", err)
	}
	if err := db.SetRoles(ctx, "root", registers.RoleOfficer); !errors.Is(err, registers.ErrLastAdmin) {
		t.Errorf("the last administrator lost the role: %v", err)
	}
	if err := db.SetRoles(ctx, "dana", "king"); !errors.Is(err, registers.ErrBadRole) {
		t.Errorf("an unknown role was given: %v", err)
	}
	users, err := db.Users(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range users {
		if u.Name == "dana" && !slices.Equal(u.Roles, []registers.Role{registers.RoleAuditor, registers.RoleOfficer}) {
			t.Errorf("dana has the roles %v", u.Roles)
		}
	}
	if err := db.ResetPassword(ctx, "nobody", password); !errors.Is(err, registers.ErrNotFound) {
		t.Errorf("reset of nobody: %v", err)
	}
}

func TestSignInLink(t *testing.T) {
	db, now := openRegisters(t)
	ctx := t.Context()
	first, err := db.CreateSignInLink(ctx)
	if err != nil {
		t.Fatal(err)
	}
	second, err := db.CreateSignInLink(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.SignInLinkValid(ctx, first); !errors.Is(err, registers.ErrNotFound) {
		t.Errorf("a replaced link works: %v", err)
	}
	*now = now.Add(registers.SignInLinkLife - time.Millisecond)
	if err := db.SignInLinkValid(ctx, second); err != nil {
		t.Errorf("the link does not work in its tenth minute: %v", err)
	}
	*now = now.Add(time.Millisecond)
	if err := db.FirstUser(ctx, second, "dana", password, registers.RoleOfficer); !errors.Is(err, registers.ErrNotFound) {
		t.Errorf("the link works after ten minutes: %v", err)
	}
	third, err := db.CreateSignInLink(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.FirstUser(ctx, third, "dana", "short", registers.RoleOfficer); !errors.Is(err, registers.ErrBadPassword) {
		t.Errorf("short password: %v", err)
	}
	if err := db.FirstUser(ctx, third, "dana", password, registers.RoleOfficer); err != nil {
		t.Errorf("a refused try used the link up: %v", err)
	}
	if err := db.FirstUser(ctx, third, "eli", password, registers.RoleOfficer); !errors.Is(err, registers.ErrNotFound) {
		t.Errorf("the link worked twice: %v", err)
	}
	if _, err := db.CreateSignInLink(ctx); !errors.Is(err, registers.ErrUsersExist) {
		t.Errorf("a link beside an account: %v", err)
	}
}

func TestApprovals(t *testing.T) {
	db, _ := openRegisters(t)
	ctx := t.Context()
	request := func() int64 {
		id, err := db.RequestApproval(ctx, registers.Approval{Kind: "keys.destroy", Object: "site", Role: registers.RoleKeyOfficer, RequestedBy: "dana"})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	for _, tc := range []struct {
		name string
		by   registers.User
		want error
	}{
		{"requester with every role", registers.User{Name: "dana", Roles: registers.Roles}, registers.ErrOwnRequest},
		{"wrong role", registers.User{Name: "eli", Roles: []registers.Role{registers.RoleAdministrator}}, registers.ErrWrongRole},
		{"second person", registers.User{Name: "eli", Roles: []registers.Role{registers.RoleKeyOfficer}}, nil},
	} {
		if err := db.DecideApproval(ctx, request(), tc.by, true); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.name, err, tc.want)
		}
	}
	eli := registers.User{Name: "eli", Roles: []registers.Role{registers.RoleKeyOfficer}}
	if err := db.DecideApproval(ctx, 3, eli, false); !errors.Is(err, registers.ErrDecided) {
		t.Errorf("decided twice: %v", err)
	}
	if err := db.DecideApproval(ctx, 99, eli, false); !errors.Is(err, registers.ErrNotFound) {
		t.Errorf("absent request: %v", err)
	}
	list, err := db.Approvals(ctx, 10)
	if err != nil || len(list) != 3 || list[0].ID != 2 || list[1].ID != 1 || list[2].Decision != registers.Approved || list[2].DecidedBy != "eli" {
		t.Errorf("undecided requests come first: %+v, error %v", list, err)
	}
}

func TestSuppressions(t *testing.T) {
	db, now := openRegisters(t)
	ctx := t.Context()
	good := registers.Suppression{Control: "AC-01", System: "crm", Reason: "migration", By: "dana", Until: now.AddDate(0, 1, 0)}
	for _, tc := range []struct {
		name string
		edit func(*registers.Suppression)
		ok   bool
	}{
		{"good", func(*registers.Suppression) {}, true},
		{"no end", func(s *registers.Suppression) { s.Until = time.Time{} }, false},
		{"past end", func(s *registers.Suppression) { s.Until = *now }, false},
		{"for ever", func(s *registers.Suppression) { s.Until = now.AddDate(5, 0, 0) }, false},
		{"no reason", func(s *registers.Suppression) { s.Reason = "" }, false},
		{"no control", func(s *registers.Suppression) { s.Control = "" }, false},
	} {
		s := good
		tc.edit(&s)
		if _, err := db.Suppress(ctx, s); (err == nil) != tc.ok {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	list, err := db.Suppressions(ctx)
	if err != nil || len(list) != 1 {
		t.Fatalf("list %+v, error %v", list, err)
	}
	s := list[0]
	if !s.Active(*now) || s.Active(s.Until) || !s.Matches("AC-01", "crm", "p", "r") || s.Matches("AC-01", "shop", "p", "r") || s.Matches("TL-01", "crm", "", "") {
		t.Errorf("wrong reach of %+v", s)
	}
	if err := db.EndSuppression(ctx, s.ID, "eli"); err != nil {
		t.Fatal(err)
	}
	if list, _ = db.Suppressions(ctx); list[0].Active(*now) || list[0].EndedBy != "eli" {
		t.Errorf("not ended: %+v", list[0])
	}
	if err := db.EndSuppression(ctx, s.ID, "eli"); !errors.Is(err, registers.ErrNotFound) {
		t.Errorf("ended twice: %v", err)
	}
}
