package console_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tallystick/tallystick/audit/erased"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/services/console"
)

// oneErasure knows one request, DSR-7.
type oneErasure struct{ actor string }

func (e *oneErasure) Order(_ context.Context, actor string, o console.ErasureOrder) (erased.Answer, error) {
	e.actor = actor
	switch o.Request {
	case "DSR-7":
	case "DSR-9":
		return erased.Answer{}, &text.Hint{Err: fmt.Errorf("30 people: %w", registers.ErrLimit), Hint: "later"}
	default:
		return erased.Answer{}, &text.Hint{Err: errors.New("no such request"), Hint: "import it"}
	}
	a := erased.Answer{Request: o.Request, State: erased.StateWaiting, Approval: 3, Found: erased.Found{Identifiers: len(o.Identifiers), Entries: 5}}
	if o.DryRun {
		a.State = erased.StateFound
	}
	return a, nil
}

func (e *oneErasure) Answer(_ context.Context, _, request string) (erased.Answer, error) {
	if request != "DSR-7" {
		return erased.Answer{}, registers.ErrNotFound
	}
	return erased.Answer{Request: request, State: erased.StateDone}, nil
}

func TestErasuresByAPI(t *testing.T) {
	e := &oneErasure{}
	s := newSite(t, func(_ *console.Config, d *console.Deps) { d.Erasures = e })
	officer, auditor := s.signedIn("ana", registers.RoleOfficer), s.signedIn("aldo", registers.RoleAuditor)
	send := func(b *browser, token, body string) *httptest.ResponseRecorder {
		req := httptest.NewRequest(http.MethodPost, "/api/v1/erasures", strings.NewReader(body))
		req.Header.Set("X-CSRF-Token", token)
		return b.do(req)
	}
	csrf := func(b *browser) string {
		var me struct{ CSRF string }
		if err := json.Unmarshal(b.get("/api/v1/me").Body.Bytes(), &me); err != nil {
			t.Fatal(err)
		}
		return me.CSRF
	}
	const good = `{"request":"DSR-7","identifiers":[{"kind":"email","value":"ana@example.org"}]}`
	for _, tc := range []struct {
		name, body string
		by         *browser
		token      string
		status     int
		state      erased.State
	}{
		{"by an officer", good, officer, csrf(officer), http.StatusOK, erased.StateWaiting},
		{"counts only", strings.Replace(good, "{", `{"dry_run":true,`, 1), officer, csrf(officer), http.StatusOK, erased.StateFound},
		{"by an auditor", good, auditor, csrf(auditor), http.StatusForbidden, ""},
		{"without the token", good, officer, "", http.StatusForbidden, ""},
		{"no identifiers", `{"request":"DSR-7"}`, officer, csrf(officer), http.StatusBadRequest, ""},
		{"an unknown field", `{"request":"DSR-7","identifiers":[{"kind":"email","value":"x"}],"now":true}`, officer, csrf(officer), http.StatusBadRequest, ""},
		{"another request", strings.Replace(good, "DSR-7", "DSR-8", 1), officer, csrf(officer), http.StatusConflict, ""},
		{"too often", strings.Replace(good, "DSR-7", "DSR-9", 1), officer, csrf(officer), http.StatusTooManyRequests, ""},
		{"not a request's id", strings.Replace(good, "DSR-7", "../x", 1), officer, csrf(officer), http.StatusBadRequest, ""},
	} {
		res := send(tc.by, tc.token, tc.body)
		var got erased.Answer
		_ = json.Unmarshal(res.Body.Bytes(), &got)
		if res.Code != tc.status || got.State != tc.state {
			t.Errorf("%s: %d %s", tc.name, res.Code, res.Body)
		}
		if why := strings.Contains(res.Body.String(), `"detail":"no such request; import it"`); why != (res.Code == http.StatusConflict) {
			t.Errorf("%s: why it can't be is not told: %s", tc.name, res.Body)
		}
		if strings.Contains(res.Body.String(), "ana@example.org") || strings.Contains(s.log.String(), "ana@example.org") {
			t.Errorf("%s: the identifier comes back", tc.name)
		}
	}
	if e.actor != "ana" {
		t.Errorf("the act is %q's", e.actor)
	}
	for path, status := range map[string]int{"/api/v1/erasures/DSR-7": http.StatusOK, "/api/v1/erasures/DSR-8": http.StatusNotFound} {
		if res := officer.get(path); res.Code != status {
			t.Errorf("%s: %d", path, res.Code)
		}
	}
	if res := newSite(t, nil).signedIn("ana", registers.RoleOfficer).get("/api/v1/erasures/DSR-7"); res.Code != http.StatusNotFound {
		t.Errorf("without an auditor here: %d", res.Code)
	}
}
