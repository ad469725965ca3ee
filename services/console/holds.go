package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tallystick/tallystick/audit/retention"
	"github.com/tallystick/tallystick/internal/registers"
)

// Holds keeps the legal holds. Each act is in the trail first, in the same
// transaction.
type Holds interface {
	// Holds returns all of them, newest first.
	Holds(ctx context.Context) ([]retention.Hold, error)
	AddHold(ctx context.Context, h retention.Hold) (int64, error)
	// LiftHold returns registers.ErrNotFound where no hold in force has the
	// number, and registers.ErrNoLiftReason.
	LiftHold(ctx context.Context, id int64, by, reason string) error
}

// Hold is a legal hold as the API shows it. What is not given restricts nothing.
type Hold struct {
	ID        int64     `json:"id"`
	Reason    string    `json:"reason"`
	By        string    `json:"by"`
	At        time.Time `json:"at"`
	Source    string    `json:"source,omitempty"`
	Class     string    `json:"class,omitempty"`
	From      time.Time `json:"from,omitzero"`
	Until     time.Time `json:"until,omitzero"`     // exclusive
	Subjects  []string  `json:"subjects,omitempty"` // pseudonyms
	Request   string    `json:"request,omitempty"`
	LiftedBy  string    `json:"lifted_by,omitempty"` // empty while it is in force
	LiftedAt  time.Time `json:"lifted_at,omitzero"`
	LiftedFor string    `json:"lifted_for,omitempty"`
}

// HoldOrder asks for a hold on what its fields name together. One that names
// nothing has to say Everything.
type HoldOrder struct {
	Reason     string    `json:"reason"`
	Source     string    `json:"source,omitempty"`
	Class      string    `json:"class,omitempty"` // entries, findings, rejections, originals or originals:CLASS
	From       time.Time `json:"from,omitzero"`
	Until      time.Time `json:"until,omitzero"`     // exclusive
	Subjects   []string  `json:"subjects,omitempty"` // pseudonyms
	Request    string    `json:"request,omitempty"`  // id of a privacy request
	Everything bool      `json:"everything,omitempty"`
}

// HoldLift asks for the end of a hold.
type HoldLift struct {
	Reason string `json:"reason"`
}

// hold is what an order asks for, with who asks. It says what is wrong in words
// that hold no value.
func (o *HoldOrder) hold(by string) (retention.Hold, error) {
	h := retention.Hold{
		Reason: strings.TrimSpace(o.Reason), By: by, Source: strings.TrimSpace(o.Source), Class: retention.Class(strings.TrimSpace(o.Class)),
		From: o.From, Until: o.Until, Subjects: o.Subjects, Request: strings.TrimSpace(o.Request),
	}
	if names(&h) == o.Everything {
		return h, errors.New("a hold names what it keeps, or everything")
	}
	return h, h.Validate()
}

// names reports whether a hold is restricted to anything.
func names(h *retention.Hold) bool {
	return h.Source != "" || h.Class != "" || !h.From.IsZero() || !h.Until.IsZero() || len(h.Subjects) > 0 || h.Request != ""
}

func badHold(err error) *problem {
	return &problem{status: http.StatusBadRequest, code: "bad-hold", message: "console.error.hold", detail: err.Error()}
}

func (s *Console) apiHolds(r *request) error {
	list, err := s.deps.Registers.Holds(r.Request.Context())
	if err != nil {
		return err
	}
	out := apiPage[Hold]{Items: []Hold{}}
	for _, h := range list {
		out.Items = append(out.Items, shownHold(h))
	}
	r.JSON(http.StatusOK, out)
	return nil
}

func shownHold(h retention.Hold) Hold {
	return Hold{ID: h.ID, Reason: h.Reason, By: h.By, At: h.At, Source: h.Source, Class: string(h.Class), From: h.From, Until: h.Until, Subjects: h.Subjects,
		Request: h.Request, LiftedBy: h.LiftedBy, LiftedAt: h.LiftedAt, LiftedFor: h.LiftedFor}
}

func (s *Console) apiHold(r *request) error {
	var o HoldOrder
	if err := r.json(&o); err != nil {
		return err
	}
	h, err := o.hold(r.user.Name)
	if err != nil {
		return badHold(err)
	}
	if h.ID, err = s.deps.Registers.AddHold(r.Request.Context(), h); err != nil {
		return err
	}
	h.At = r.now()
	r.JSON(http.StatusOK, shownHold(h))
	return nil
}

func (s *Console) apiLiftHold(r *request) error {
	var o HoldLift
	if err := r.json(&o); err != nil {
		return err
	}
	if err := s.liftHold(r, o.Reason); err != nil {
		return err
	}
	return s.apiHolds(r)
}

// json reads a body of one JSON value.
func (r *request) json(into any) error {
	d := json.NewDecoder(r.Request.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil || d.More() {
		return errBadInput
	}
	return nil
}

// liftHold ends the hold that the path names.
func (s *Console) liftHold(r *request, reason string) error {
	id, err := strconv.ParseInt(r.Param("id"), 10, 64)
	if err != nil || id < 1 {
		return errNotFound
	}
	err = s.deps.Registers.LiftHold(r.Request.Context(), id, r.user.Name, strings.TrimSpace(reason))
	if errors.Is(err, registers.ErrNoLiftReason) {
		return badHold(err)
	}
	return err
}

type holdsView struct {
	Rows    []retention.Hold
	Classes []retention.Class
	Sources []string
	Order   holdForm // what was filled in and refused
	Problem string
}

// holdForm is the form as it was sent.
type holdForm struct{ Reason, Source, Class, From, To, Subjects, Request, Everything string }

// Names reports whether a hold is restricted to anything.
func (holdsView) Names(h retention.Hold) bool { return names(&h) }

func (s *Console) holdsPage(r *request) error { return s.showHolds(r, http.StatusOK, holdsView{}) }

func (s *Console) showHolds(r *request, status int, v holdsView) (err error) {
	if v.Rows, err = s.deps.Registers.Holds(r.Request.Context()); err != nil {
		return err
	}
	v.Classes = []retention.Class{retention.Entries, retention.Findings, retention.Rejections, retention.Originals}
	if v.Sources, err = s.distinct(r, `SELECT DISTINCT source AS v FROM entries_hourly ORDER BY v LIMIT 200`); err != nil {
		return err
	}
	r.render(status, "holds", "console.nav.holds", v)
	return nil
}

// addHold makes the hold of the form; its last day is inside.
func (s *Console) addHold(r *request) error {
	f := holdForm{r.PostForm("reason"), r.PostForm("source"), r.PostForm("class"), r.PostForm("from"), r.PostForm("to"), r.PostForm("subjects"), r.PostForm("request"), r.PostForm("everything")}
	o := HoldOrder{Reason: f.Reason, Source: f.Source, Class: f.Class, Subjects: strings.Fields(f.Subjects), Request: f.Request, Everything: f.Everything != ""}
	bad := false
	for _, day := range []struct {
		value string
		into  *time.Time
	}{{f.From, &o.From}, {f.To, &o.Until}} {
		if day.value != "" {
			t, err := time.Parse(time.DateOnly, day.value)
			*day.into, bad = t, bad || err != nil
		}
	}
	if !o.Until.IsZero() {
		o.Until = o.Until.AddDate(0, 0, 1)
	}
	h, err := o.hold(r.user.Name)
	if bad || err != nil {
		return s.showHolds(r, http.StatusBadRequest, holdsView{Order: f, Problem: r.p.T("console.error.hold", nil)})
	}
	if _, err := s.deps.Registers.AddHold(r.Request.Context(), h); err != nil {
		return err
	}
	return r.seeOther("/holds", "hold")
}

func (s *Console) endHold(r *request) error {
	err := s.liftHold(r, r.PostForm("reason"))
	if p := (*problem)(nil); errors.As(err, &p) && p.code == "bad-hold" {
		return s.showHolds(r, http.StatusBadRequest, holdsView{Problem: r.p.T("console.error.lift", nil)})
	}
	if err != nil {
		return err
	}
	return r.seeOther("/holds", "lift")
}
