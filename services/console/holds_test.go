package console_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit/retention"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/services/console"
)

const heldSubject = "v1.d1121.c3ViamVjdC0wMDAwMDA"

// TestHolds makes, lists and lifts holds on the page, as officer and auditor.
func TestHolds(t *testing.T) {
	s := newSite(t, nil)
	officer, auditor, engineer := s.signedIn("ana", registers.RoleOfficer), s.signedIn("aldo", registers.RoleAuditor), s.signedIn("eli", registers.RoleEngineer)
	if body := officer.get("/holds").Body.String(); !strings.Contains(body, "Nothing is held.") {
		t.Error("the page of no holds does not say so")
	}
	if res := engineer.get("/holds"); res.Code != http.StatusForbidden {
		t.Errorf("an engineer reads the holds: answer %d", res.Code)
	}
	for _, tc := range []struct {
		name string
		form url.Values
	}{
		{"no reason", url.Values{"source": {"shop"}}},
		{"nothing named", url.Values{"reason": {"matter 1"}}},
		{"something and everything", url.Values{"reason": {"matter 1"}, "source": {"shop"}, "everything": {"yes"}}},
		{"no class", url.Values{"reason": {"matter 1"}, "class": {"leaves"}}},
		{"no day", url.Values{"reason": {"matter 1"}, "from": {"yesterday"}}},
		{"an end before the beginning", url.Values{"reason": {"matter 1"}, "from": {"2026-03-02"}, "to": {"2026-03-01"}}},
		{"a person's name", url.Values{"reason": {"matter 1"}, "subjects": {"ana@example.org"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res := officer.submit("/holds", "/holds", tc.form)
			if res.Code != http.StatusBadRequest || !strings.Contains(res.Body.String(), `role="alert"`) {
				t.Errorf("answer %d", res.Code)
			}
			if reason := tc.form.Get("reason"); reason != "" && !strings.Contains(res.Body.String(), `value="`+reason+`"`) {
				t.Error("the form has lost what was filled in")
			}
		})
	}
	form := url.Values{"reason": {"matter 17"}, "source": {"shop"}, "class": {"originals:identity"}, "from": {"2026-01-01"}, "to": {"2026-01-01"},
		"subjects": {heldSubject + "\n" + heldSubject + "x"}, "request": {"DSR-7"}}
	for _, f := range []url.Values{form, {"reason": {"matter 18"}, "everything": {"yes"}}} {
		if res := officer.submit("/holds", "/holds", f); res.Code != http.StatusSeeOther {
			t.Fatalf("hold: answer %d", res.Code)
		}
	}
	got, err := s.registers.ActiveHolds(t.Context())
	if err != nil || len(got) != 2 {
		t.Fatalf("%d holds, error %v", len(got), err)
	}
	got[0].At = time.Time{}
	want := retention.Hold{ID: 1, Reason: "matter 17", By: "ana", Source: "shop", Class: "originals:identity", From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		Until: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), Subjects: []string{heldSubject, heldSubject + "x"}, Request: "DSR-7"}
	if diff := cmp.Diff(got[0], want); diff != "" {
		t.Errorf("the hold (-got +want)\n%s", diff)
	}
	body := auditor.get("/holds").Body.String()
	for _, want := range []string{"matter 17", heldSubject, "DSR-7", "2 subjects", "the whole record", "in force"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(body, "<form class=\"stacked") {
		t.Error("an auditor is shown a form")
	}
	if res := auditor.post("/holds/1/lift", url.Values{"csrf": {auditor.csrf("/holds")}, "reason": {"x"}}); res.Code != http.StatusForbidden {
		t.Errorf("an auditor lifts a hold: answer %d", res.Code)
	}
	for _, tc := range []struct {
		hold, reason string
		code         int
	}{{"1", " ", http.StatusBadRequest}, {"9", "settled", http.StatusNotFound}, {"x", "settled", http.StatusNotFound}, {"1", "settled", http.StatusSeeOther}, {"1", "again", http.StatusNotFound}} {
		if res := officer.submit("/holds", "/holds/"+tc.hold+"/lift", url.Values{"reason": {tc.reason}}); res.Code != tc.code {
			t.Errorf("lift %s for %q: answer %d, want %d", tc.hold, tc.reason, res.Code, tc.code)
		}
	}
	if body := auditor.get("/holds").Body.String(); !strings.Contains(body, "lifted") || !strings.Contains(body, "settled") {
		t.Error("the page does not say that the hold was lifted, and why")
	}
	acts, err := s.registers.Acts(t.Context(), 50)
	if err != nil {
		t.Fatal(err)
	}
	var seen []string
	for _, a := range acts {
		if strings.HasPrefix(a.Act, "hold.") {
			seen = append(seen, a.Act+" "+a.Object+" by "+a.Actor)
		}
	}
	if len(seen) < 3 || seen[len(seen)-1] != "hold.add hold 1 by ana" {
		t.Errorf("the trail has %q", seen)
	}
}

// TestHoldsByAPI does the same as JSON.
func TestHoldsByAPI(t *testing.T) {
	s := newSite(t, nil)
	officer, auditor := s.signedIn("ana", registers.RoleOfficer), s.signedIn("aldo", registers.RoleAuditor)
	send := func(b *browser, path, body string) *httptest.ResponseRecorder {
		var me struct{ CSRF string }
		if err := json.Unmarshal(b.get("/api/v1/me").Body.Bytes(), &me); err != nil {
			t.Fatal(err)
		}
		req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
		req.Header.Set("X-CSRF-Token", me.CSRF)
		return b.do(req)
	}
	for _, tc := range []struct {
		name, path, body string
		by               *browser
		code             int
		detail           string
	}{
		{"not JSON", "/api/v1/holds", `{`, officer, 400, ""},
		{"an unknown field", "/api/v1/holds", `{"reason":"m","sauce":"shop"}`, officer, 400, ""},
		{"nothing named", "/api/v1/holds", `{"reason":"m"}`, officer, 400, "a hold names what it keeps, or everything"},
		{"no pseudonym", "/api/v1/holds", `{"reason":"m","subjects":["ana"]}`, officer, 400, "pseudonyms"},
		{"an auditor", "/api/v1/holds", `{"reason":"m","source":"shop"}`, auditor, 403, ""},
		{"a hold", "/api/v1/holds", `{"reason":"m","source":"shop","from":"2026-01-01T00:00:00Z"}`, officer, 200, ""},
		{"no reason to lift", "/api/v1/holds/1/lift", `{}`, officer, 400, "reason"},
		{"an auditor lifts", "/api/v1/holds/1/lift", `{"reason":"x"}`, auditor, 403, ""},
		{"lifted", "/api/v1/holds/1/lift", `{"reason":"settled"}`, officer, 200, ""},
		{"lifted again", "/api/v1/holds/1/lift", `{"reason":"settled"}`, officer, 404, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res := send(tc.by, tc.path, tc.body)
			if res.Code != tc.code || !strings.Contains(res.Body.String(), tc.detail) {
				t.Errorf("answer %d, want %d: %s", res.Code, tc.code, res.Body)
			}
		})
	}
	var list struct{ Items []console.Hold }
	if err := json.Unmarshal(auditor.get("/api/v1/holds").Body.Bytes(), &list); err != nil || len(list.Items) != 1 {
		t.Fatalf("%+v, error %v", list, err)
	}
	if h := list.Items[0]; h.Source != "shop" || h.By != "ana" || h.LiftedBy != "ana" || h.LiftedFor != "settled" || h.From.IsZero() {
		t.Errorf("the hold is %+v", h)
	}
}
