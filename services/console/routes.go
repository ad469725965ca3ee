package console

import (
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/tallystick/tallystick/audit/erased"
	"github.com/tallystick/tallystick/internal/registers"
)

// route is one line of the table of routes.
type route struct {
	Method string
	Path   string
	// Roles that may use the route. Empty: nobody, and New refuses the table.
	Roles []registers.Role
	// Summary is the id of the sentence in OpenAPI and, for pages in the
	// navigation, of the page's name.
	Summary string
	Handler func(*request) error
	// Nav is set for pages in the navigation.
	Nav bool
	// Query names the query parameters of an API route.
	Query []string
	// Answer is a value of the type that an API route answers with.
	Answer any
	// Body is what an API route takes.
	Body []DocumentForm
	// Takes is a value of the type that an API route takes as JSON, where it has no
	// Body.
	Takes any
	// Masked: it answers in the form of its body.
	Masked bool
}

// anyone marks a route that needs no sign-in.
const anyone registers.Role = "anyone"

var (
	everybody      = registers.Roles
	open           = []registers.Role{anyone}
	officer        = []registers.Role{registers.RoleOfficer}
	administrator  = []registers.Role{registers.RoleAdministrator}
	findingsRoles  = []registers.Role{registers.RoleOfficer, registers.RoleAuditor, registers.RoleEngineer}
	maskingRoles   = []registers.Role{registers.RoleOfficer, registers.RoleEngineer}
	entriesRoles   = []registers.Role{registers.RoleOfficer, registers.RoleAuditor}
	sourcesRoles   = []registers.Role{registers.RoleOfficer, registers.RoleAuditor, registers.RoleEngineer, registers.RoleAdministrator}
	holdsRoles     = []registers.Role{registers.RoleOfficer, registers.RoleAuditor, registers.RoleKeyOfficer}
	trailRoles     = []registers.Role{registers.RoleAdministrator, registers.RoleAuditor}
	decidingRoles  = []registers.Role{registers.RoleOfficer, registers.RoleKeyOfficer, registers.RoleAdministrator}
	approvalsRoles = append([]registers.Role{registers.RoleAuditor}, decidingRoles...)
)

// table is every route of the console, and nothing else is answered.
func (s *Console) table() []route {
	get, post := http.MethodGet, http.MethodPost
	period := []string{"period", "from", "to"}
	findings := append([]string{"control", "severity", "kind", "system", "principal", "label", "cursor", "limit"}, period...)
	entries := append([]string{"source", "system", "principal", "subject", "outcome", "purpose", "country", "category", "cursor", "limit"}, period...)
	return []route{
		{Method: get, Path: "/", Roles: everybody, Summary: "console.nav.overview", Nav: true, Handler: s.overviewPage},
		{Method: get, Path: "/findings", Roles: findingsRoles, Summary: "console.nav.findings", Nav: true, Handler: s.findingsPage},
		{Method: get, Path: "/gaps", Roles: findingsRoles, Summary: "console.nav.gaps", Nav: true, Handler: s.gapsPage},
		{Method: get, Path: "/findings/:id", Roles: findingsRoles, Summary: "console.route.finding", Handler: s.findingPage},
		{Method: get, Path: "/alerts", Roles: findingsRoles, Summary: "console.nav.alerts", Nav: true, Handler: s.alertsPage},
		{Method: get, Path: "/entries", Roles: entriesRoles, Summary: "console.nav.entries", Nav: true, Handler: s.entriesPage},
		{Method: get, Path: "/entries.csv", Roles: entriesRoles, Summary: "console.route.export", Handler: s.entriesCSV},
		{Method: get, Path: "/entries/:id", Roles: entriesRoles, Summary: "console.route.entry", Handler: s.entryPage},
		{Method: get, Path: "/sources", Roles: sourcesRoles, Summary: "console.nav.sources", Nav: true, Handler: s.sourcesPage},
		{Method: get, Path: "/reports", Roles: entriesRoles, Summary: "console.nav.reports", Nav: true, Handler: s.reportsPage},
		{Method: post, Path: "/reports", Roles: officer, Summary: "console.route.report", Handler: s.orderReport},
		{Method: get, Path: "/reports/:id", Roles: entriesRoles, Summary: "console.route.run", Handler: s.runPage},
		{Method: get, Path: "/reports/:id/file/:format", Roles: entriesRoles, Summary: "console.route.download", Handler: s.reportFile},
		{Method: get, Path: "/reports/:id/number/:number", Roles: entriesRoles, Summary: "console.route.number", Handler: s.numberPage},
		{Method: post, Path: "/schedules", Roles: officer, Summary: "console.route.schedule", Handler: s.addSchedule},
		{Method: post, Path: "/schedules/:id/remove", Roles: officer, Summary: "console.route.unschedule", Handler: s.removeSchedule},
		{Method: get, Path: "/approvals", Roles: approvalsRoles, Summary: "console.nav.approvals", Nav: true, Handler: s.approvalsPage},
		{Method: post, Path: "/approvals/:id", Roles: decidingRoles, Summary: "console.route.decide", Handler: s.decideApproval},
		{Method: get, Path: "/suppressions", Roles: findingsRoles, Summary: "console.nav.suppressions", Nav: true, Handler: s.suppressionsPage},
		{Method: post, Path: "/suppressions", Roles: officer, Summary: "console.route.suppress", Handler: s.addSuppression},
		{Method: post, Path: "/suppressions/:id/end", Roles: officer, Summary: "console.route.unsuppress", Handler: s.endSuppression},
		{Method: get, Path: "/holds", Roles: holdsRoles, Summary: "console.nav.holds", Nav: true, Handler: s.holdsPage},
		{Method: post, Path: "/holds", Roles: officer, Summary: "console.route.hold", Handler: s.addHold},
		{Method: post, Path: "/holds/:id/lift", Roles: officer, Summary: "console.route.lift", Handler: s.endHold},
		{Method: get, Path: "/trail", Roles: trailRoles, Summary: "console.nav.trail", Nav: true, Handler: s.trailPage},
		{Method: get, Path: "/users", Roles: administrator, Summary: "console.nav.users", Nav: true, Handler: s.usersPage},
		{Method: post, Path: "/users", Roles: administrator, Summary: "console.route.useradd", Handler: s.addUser},
		{Method: post, Path: "/users/:id", Roles: administrator, Summary: "console.route.userchange", Handler: s.changeUser},
		{Method: get, Path: "/docs/*path", Roles: everybody, Summary: "console.nav.docs", Nav: true, Handler: s.docsPage},
		{Method: post, Path: "/sign-out", Roles: everybody, Summary: "console.route.signout", Handler: s.signOut},
		{Method: post, Path: "/language", Roles: open, Summary: "console.route.language", Handler: s.setLanguage},

		{Method: get, Path: "/sign-in", Roles: open, Summary: "console.route.signin", Handler: s.signInPage},
		{Method: post, Path: "/sign-in", Roles: open, Summary: "console.route.signin", Handler: s.signIn},
		{Method: get, Path: "/welcome", Roles: open, Summary: "console.route.welcome", Handler: s.welcomePage},
		{Method: post, Path: "/welcome", Roles: open, Summary: "console.route.welcome", Handler: s.firstAccount},
		{Method: get, Path: "/assets/:name", Roles: open, Summary: "console.route.asset", Handler: s.assetFile},
		{Method: get, Path: "/healthz", Roles: open, Summary: "console.route.health", Handler: s.healthz},
		{Method: get, Path: "/readyz", Roles: open, Summary: "console.route.ready", Handler: s.readyz},
		{Method: get, Path: "/metrics", Roles: open, Summary: "console.route.metrics", Handler: s.metrics},

		{Method: get, Path: "/api/v1/openapi.json", Roles: everybody, Summary: "console.api.openapi", Handler: s.apiOpenAPI},
		{Method: get, Path: "/api/v1/me", Roles: everybody, Summary: "console.api.me", Handler: s.apiMe, Answer: apiUser{}},
		{Method: get, Path: "/api/v1/pulse", Roles: everybody, Summary: "console.api.pulse", Handler: s.apiPulse, Answer: pulseState{}},
		{Method: get, Path: "/api/v1/findings", Roles: findingsRoles, Summary: "console.api.findings", Handler: s.apiFindings, Query: findings, Answer: apiPage[apiObject]{}},
		{Method: get, Path: "/api/v1/findings/:id", Roles: findingsRoles, Summary: "console.api.finding", Handler: s.apiFinding, Answer: apiObject{}},
		{Method: get, Path: "/api/v1/entries", Roles: entriesRoles, Summary: "console.api.entries", Handler: s.apiEntries, Query: entries, Answer: apiPage[apiObject]{}},
		{Method: get, Path: "/api/v1/entries/:id", Roles: entriesRoles, Summary: "console.api.entry", Handler: s.apiEntry, Answer: apiObject{}},
		{Method: get, Path: "/api/v1/sources", Roles: sourcesRoles, Summary: "console.api.sources", Handler: s.apiSources, Query: period, Answer: apiSourcesAnswer{}},
		{Method: get, Path: "/api/v1/reports", Roles: entriesRoles, Summary: "console.api.reports", Handler: s.apiReports, Answer: apiPage[ReportKind]{}},
		{Method: get, Path: "/api/v1/runs", Roles: entriesRoles, Summary: "console.api.runs", Handler: s.apiRuns, Query: []string{"limit"}, Answer: apiPage[ReportRun]{}},
		{Method: get, Path: "/api/v1/trail", Roles: trailRoles, Summary: "console.api.trail", Handler: s.apiTrail, Query: []string{"limit"}, Answer: apiPage[registers.Act]{}},
		{Method: get, Path: "/api/v1/holds", Roles: holdsRoles, Summary: "console.api.holds", Handler: s.apiHolds, Answer: apiPage[Hold]{}},
		{Method: post, Path: "/api/v1/holds", Roles: officer, Summary: "console.api.hold", Handler: s.apiHold, Takes: HoldOrder{}, Answer: Hold{}},
		{Method: post, Path: "/api/v1/holds/:id/lift", Roles: officer, Summary: "console.api.lift", Handler: s.apiLiftHold, Takes: HoldLift{}, Answer: apiPage[Hold]{}},
		{Method: post, Path: "/api/v1/detect", Roles: findingsRoles, Summary: "console.api.detect", Handler: s.apiDetect, Body: documentForms, Answer: apiDetected{}},
		{Method: post, Path: "/api/v1/mask", Roles: maskingRoles, Summary: "console.api.mask", Handler: s.apiMask, Body: documentForms, Query: []string{"policy"}, Masked: true},
		{Method: post, Path: "/api/v1/erasures", Roles: officer, Summary: "console.api.erase", Handler: s.apiErase, Takes: ErasureOrder{}, Answer: erased.Answer{}},
		{Method: get, Path: "/api/v1/erasures/:id", Roles: officer, Summary: "console.api.erasure", Handler: s.apiErasure, Answer: erased.Answer{}},
	}
}

// router registers the table. A route without roles is an error, so that none
// is open by omission.
func (s *Console) router() (*gin.Engine, error) {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.HandleMethodNotAllowed = true
	if err := e.SetTrustedProxies(nil); err != nil {
		return nil, err
	}
	e.Use(s.recover, s.headers, s.checkHost)
	for _, rt := range s.routes {
		if len(rt.Roles) == 0 {
			return nil, fmt.Errorf("route %s %s names no role", rt.Method, rt.Path)
		}
		e.Handle(rt.Method, rt.Path, limitBody(rt), s.guard(rt))
	}
	missing := route{Path: "", Roles: everybody, Handler: func(*request) error { return errNotFound }}
	e.NoRoute(limitBody(missing), s.guard(missing))
	e.NoMethod(limitBody(missing), s.guard(missing))
	return e, nil
}
