package console

import (
	"net/http"

	"github.com/tallystick/tallystick/internal/registers"
)

// apiError is the body of every answer that is no success.
type apiError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Detail  string `json:"detail,omitempty"`
}

// apiPage is one page of a list. Next is the cursor of the page after it.
type apiPage[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}

// apiObject is a row whose fields are named as in SQL.
type apiObject map[string]any

type apiUser struct {
	Name  string           `json:"name"`
	Roles []registers.Role `json:"roles"`
	CSRF  string           `json:"csrf"`
}

type apiSourcesAnswer struct {
	Sources []SourceState `json:"sources"`
	Hours   []SourceHour  `json:"hours"`
}

func (s *Console) apiOpenAPI(r *request) error {
	r.Data(http.StatusOK, "application/json; charset=utf-8", s.openapi)
	return nil
}

func (s *Console) apiMe(r *request) error {
	r.JSON(http.StatusOK, apiUser{r.user.Name, r.user.Roles, csrfOf(r.token)})
	return nil
}

func (s *Console) apiPulse(r *request) error {
	st, err := s.pulseNow(r.Request.Context())
	if err == nil {
		r.JSON(http.StatusOK, st)
	}
	return err
}

func objects(rows []record) []apiObject {
	out := make([]apiObject, len(rows))
	for i, row := range rows {
		out[i] = apiObject(row)
	}
	return out
}

func (s *Console) apiFindings(r *request) error {
	f, err := s.findingFilter(r)
	if err != nil {
		return err
	}
	rows, next, err := s.findings(r, f, r.limit(100, 1000))
	if err == nil {
		r.JSON(http.StatusOK, apiPage[apiObject]{objects(rows), next})
	}
	return err
}

func (s *Console) apiFinding(r *request) error {
	row, err := s.finding(r, r.Param("id"))
	if err == nil {
		r.JSON(http.StatusOK, row)
	}
	return err
}

func (s *Console) apiEntries(r *request) error {
	f, err := s.entryFilter(r)
	if err != nil {
		return err
	}
	rows, next, err := s.entries(r, f, allColumns(), r.limit(100, 1000))
	if err == nil {
		r.JSON(http.StatusOK, apiPage[apiObject]{objects(rows), next})
	}
	return err
}

func (s *Console) apiEntry(r *request) error {
	row, err := s.entry(r, r.Param("id"))
	if err == nil {
		r.JSON(http.StatusOK, row)
	}
	return err
}

func (s *Console) apiSources(r *request) error {
	p, err := r.ofPeriod("24h")
	if err != nil {
		return err
	}
	states, err := s.sourceStates(r.Request.Context())
	if err != nil {
		return err
	}
	hours, err := s.hours(r.Request.Context(), p)
	if err == nil {
		r.JSON(http.StatusOK, apiSourcesAnswer{states, hours})
	}
	return err
}

func (s *Console) apiReports(r *request) error {
	if s.deps.Reports == nil {
		return errNotHere
	}
	r.JSON(http.StatusOK, apiPage[ReportKind]{Items: s.deps.Reports.Kinds(r.p.Lang)})
	return nil
}

func (s *Console) apiRuns(r *request) error {
	if s.deps.Reports == nil {
		return errNotHere
	}
	runs, err := s.deps.Reports.Runs(r.Request.Context(), r.limit(100, 1000))
	if err == nil {
		r.JSON(http.StatusOK, apiPage[ReportRun]{Items: runs})
	}
	return err
}

func (s *Console) apiTrail(r *request) error {
	acts, err := s.deps.Registers.Acts(r.Request.Context(), r.limit(100, 1000))
	if err == nil {
		r.JSON(http.StatusOK, apiPage[registers.Act]{Items: acts})
	}
	return err
}
