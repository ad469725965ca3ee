package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"

	"github.com/tallystick/tallystick/audit/erased"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/text"
)

// ErasureOrder asks for the erasure of a person, as a request of the register
// asks.
type ErasureOrder struct {
	Request     string              `json:"request"`
	Identifiers []ErasureIdentifier `json:"identifiers"` // all of one person
	DryRun      bool                `json:"dry_run"`     // only count what there is
}

// ErasureIdentifier is a value by which the person is known. It prints as
// [redacted].
type ErasureIdentifier struct {
	Kind  string `json:"kind"` // a kind of subject of the data map, or user
	Value string `json:"value"`
}

// String returns [redacted].
func (ErasureIdentifier) String() string { return "[redacted]" }

// GoString returns [redacted].
func (ErasureIdentifier) GoString() string { return "[redacted]" }

// Erasures erases people where the auditor is. Each act is in the trail first.
// Errors that a person can mend are *text.Hint.
type Erasures interface {
	// Order counts, or asks for a second person's approval.
	Order(ctx context.Context, actor string, o ErasureOrder) (erased.Answer, error)
	// Answer says how the newest erasure of a request stands, or
	// registers.ErrNotFound.
	Answer(ctx context.Context, actor, request string) (erased.Answer, error)
}

var requestPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func (s *Console) apiErase(r *request) error {
	if s.deps.Erasures == nil {
		return errNotHere
	}
	var o ErasureOrder
	d := json.NewDecoder(r.Request.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&o); err != nil || d.More() || !requestPattern.MatchString(o.Request) || len(o.Identifiers) == 0 {
		return errBadInput
	}
	a, err := s.deps.Erasures.Order(r.Request.Context(), r.user.Name, o)
	return r.erasure(a, err)
}

func (s *Console) apiErasure(r *request) error {
	if s.deps.Erasures == nil {
		return errNotHere
	}
	if !requestPattern.MatchString(r.Param("id")) {
		return errNotFound
	}
	a, err := s.deps.Erasures.Answer(r.Request.Context(), r.user.Name, r.Param("id"))
	return r.erasure(a, err)
}

func (r *request) erasure(a erased.Answer, err error) error {
	switch hint := text.HintOf(err); {
	case err == nil:
		r.JSON(http.StatusOK, a)
	case errors.Is(err, registers.ErrLimit):
		return errLimit
	case !errors.Is(err, registers.ErrNotFound) && hint != "":
		p := *errErasure
		p.detail = err.Error() + "; " + hint
		return &p
	}
	return err
}
