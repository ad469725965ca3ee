package console

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tallystick/tallystick/internal/registers"
)

func (s *Console) trailPage(r *request) error {
	acts, err := s.deps.Registers.Acts(r.Request.Context(), r.limit(200, 2000))
	if err != nil {
		return err
	}
	r.render(http.StatusOK, "trail", "console.nav.trail", acts)
	return nil
}

type approvalsView struct {
	Rows    []registers.Approval
	Problem string
}

// MayDecide reports whether the person may decide on a.
func (v view) MayDecide(a registers.Approval) bool {
	return a.Decision == "" && a.RequestedBy != v.User.Name && v.User.Has(a.Role)
}

func (s *Console) approvalsPage(r *request) error { return s.showApprovals(r, http.StatusOK, "") }

func (s *Console) showApprovals(r *request, status int, problemText string) error {
	rows, err := s.deps.Registers.Approvals(r.Request.Context(), 500)
	if err != nil {
		return err
	}
	r.render(status, "approvals", "console.nav.approvals", approvalsView{rows, problemText})
	return nil
}

func (s *Console) decideApproval(r *request) error {
	id, err := strconv.ParseInt(r.Param("id"), 10, 64)
	if err != nil {
		return errNotFound
	}
	approve, act := r.PostForm("decision") == "approve", "approve"
	if !approve {
		act = "deny"
	}
	if err := r.act("approval."+act, fmt.Sprint(id), ""); err != nil {
		return err
	}
	err = s.deps.Registers.DecideApproval(r.Request.Context(), id, r.user, approve)
	for e, message := range map[error]string{
		registers.ErrOwnRequest: "console.error.ownrequest", registers.ErrDecided: "console.error.decided", registers.ErrWrongRole: "console.error.wrongrole",
	} {
		if errors.Is(err, e) {
			return s.showApprovals(r, http.StatusConflict, r.p.T(message, nil))
		}
	}
	if err != nil {
		return err
	}
	return r.seeOther("/approvals", act)
}

type suppressionsView struct {
	Rows    []registers.Suppression
	Now     time.Time
	Problem string
}

func (s *Console) suppressionsPage(r *request) error { return s.showSuppressions(r, http.StatusOK, "") }

func (s *Console) showSuppressions(r *request, status int, problemText string) error {
	rows, err := s.deps.Registers.Suppressions(r.Request.Context())
	if err != nil {
		return err
	}
	r.render(status, "suppressions", "console.nav.suppressions", suppressionsView{rows, r.now(), problemText})
	return nil
}

// addSuppression suppresses what a finding's page names.
func (s *Console) addSuppression(r *request) error {
	until, err := time.Parse(time.DateOnly, r.PostForm("until"))
	x := registers.Suppression{
		Control: r.PostForm("control"), System: r.PostForm("system"), Principal: r.PostForm("principal"), Resource: r.PostForm("resource"),
		Reason: strings.TrimSpace(r.PostForm("reason")), By: r.user.Name, Until: until.AddDate(0, 0, 1),
	}
	if err != nil || len(x.Reason) > 500 || (x.Principal != "" && !pseudonymPattern.MatchString(x.Principal)) {
		return s.showSuppressions(r, http.StatusBadRequest, r.p.T("console.error.suppression", nil))
	}
	if err := r.act("finding.suppress", x.Control, ""); err != nil {
		return err
	}
	_, err = s.deps.Registers.Suppress(r.Request.Context(), x)
	if errors.Is(err, registers.ErrBadSuppression) {
		return s.showSuppressions(r, http.StatusBadRequest, r.p.T("console.error.suppression", nil))
	}
	if err != nil {
		return err
	}
	return r.seeOther("/suppressions", "suppress")
}

func (s *Console) endSuppression(r *request) error {
	id, err := strconv.ParseInt(r.Param("id"), 10, 64)
	if err != nil {
		return errNotFound
	}
	if err := r.act("finding.unsuppress", fmt.Sprint(id), ""); err != nil {
		return err
	}
	if err := s.deps.Registers.EndSuppression(r.Request.Context(), id, r.user.Name); err != nil {
		return err
	}
	return r.seeOther("/suppressions", "unsuppress")
}

type usersView struct {
	Rows    []registers.User
	Roles   []registers.Role
	Problem string
	Minimum int
}

func (s *Console) usersPage(r *request) error { return s.showUsers(r, http.StatusOK, "") }

func (s *Console) showUsers(r *request, status int, message string) error {
	rows, err := s.deps.Registers.Users(r.Request.Context())
	if err != nil {
		return err
	}
	v := usersView{Rows: rows, Roles: registers.Roles, Minimum: registers.MinPassword}
	if message != "" {
		v.Problem = r.p.T(message, map[string]any{"Count": registers.MinPassword})
	}
	r.render(status, "users", "console.nav.users", v)
	return nil
}

func userRoles(r *request) []registers.Role {
	var roles []registers.Role
	for _, x := range r.PostFormArray("role") {
		roles = append(roles, registers.Role(x))
	}
	return roles
}

func (s *Console) addUser(r *request) error {
	roles := userRoles(r)
	if err := r.act("user.add", strings.Join(r.PostFormArray("role"), " "), ""); err != nil {
		return err
	}
	err := s.deps.Registers.AddUser(r.Request.Context(), r.PostForm("name"), r.PostForm("password"), roles...)
	if message := accountMessage(err); message != "" {
		return s.showUsers(r, http.StatusBadRequest, message)
	}
	if err != nil {
		return err
	}
	return r.seeOther("/users", "user")
}

// changeUser disables, enables, gives other roles or sets a new password.
func (s *Console) changeUser(r *request) error {
	name, change := r.Param("id"), r.PostForm("change")
	var do func() error
	object := name
	switch change {
	case "disable", "enable":
		do = func() error { return s.deps.Registers.SetDisabled(r.Request.Context(), name, change == "disable") }
	case "password":
		do = func() error {
			return s.deps.Registers.ResetPassword(r.Request.Context(), name, r.PostForm("password"))
		}
	case "roles":
		roles := userRoles(r)
		object += " " + strings.Join(r.PostFormArray("role"), " ")
		do = func() error { return s.deps.Registers.SetRoles(r.Request.Context(), name, roles...) }
	default:
		return errBadInput
	}
	if err := r.act("user."+change, object, ""); err != nil {
		return err
	}
	err := do()
	if message := accountMessage(err); message != "" {
		return s.showUsers(r, http.StatusBadRequest, message)
	}
	if err != nil {
		return err
	}
	return r.seeOther("/users", change)
}
