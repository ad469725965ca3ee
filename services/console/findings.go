package console

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/store"
)

// findingFilter is what the findings pages and the API filter by.
type findingFilter struct {
	Period    period
	Control   string
	Severity  string
	Kind      string
	System    string
	Principal string
	Label     string
}

// group is findings of one control, severity, system and principal, or of all
// principals that the data map gives one label.
type group struct {
	Kind, Control, Name, Severity, System, Source string
	Principal, Label, Who                         string
	Sentence                                      string // what happened, or "" for a control without texts
	Do                                            string // what the control says to do
	Resources                                     []string
	Findings, Entries, People, Principals         uint64
	First, Last, Detected                         time.Time
	One                                           string // id of one finding
	Suppressed                                    bool
	Link                                          string // page of the group's findings
}

type findingsView struct {
	Gaps     bool
	Filter   findingFilter
	Groups   []group
	Rows     []record // single findings, where a group is open
	Each     bool
	Next     string // page after this one, or ""
	Back     string
	Controls []explained
	Systems  []string
	Open     uint64
	Muted    uint64
	Empty    bool // nothing was ever recorded
}

var groupsQuery = `SELECT kind, control, severity, system, principal_label AS label, if(principal_label = '', principal, '') AS unlabelled,
 any(principal) AS any_principal, any(principal_kind) AS who, any(source) AS any_source, uniqExact(principal) AS principals,
 groupUniqArray(50)(resource) AS resources, groupUniqArrayArray(20)(categories) AS all_categories,
 count() AS n, sum(count) AS entries, uniqExactArray(subjects) AS people,
 min(time) AS first_time, max(until) AS last_time, max(detected) AS last_detected, argMax(id, time) AS one` + groupedFacts()

const findingColumns = `SELECT id, kind, control, control_version, severity, time, until, detected, source, system, principal, principal_kind, principal_label,
 resource, purpose, categories, subjects, entry_id, count, facts, chunk FROM findings`

func (f findingFilter) conditions() conditions {
	var c conditions
	if !f.Period.Until.IsZero() {
		c.between("time", f.Period)
	}
	c.add("control = {control:String}", "control", f.Control)
	c.add("severity = {severity:String}", "severity", f.Severity)
	c.add("kind = {kind:String}", "kind", f.Kind)
	c.add("system = {system:String}", "system", f.System)
	c.add("principal = {principal:String}", "principal", f.Principal)
	c.add("principal_label = {label:String}", "label", f.Label)
	return c
}

func (s *Console) findingFilter(r *request) (findingFilter, error) {
	p, err := r.ofPeriod("30d")
	if err != nil {
		return findingFilter{}, err
	}
	if p, err = s.newestPeriod(r, p); err != nil {
		return findingFilter{}, err
	}
	f := findingFilter{Period: p, Control: r.Query("control"), Severity: r.Query("severity"), Kind: r.Query("kind"), System: r.Query("system"), Label: r.Query("label")}
	f.Principal, err = r.pseudonym("principal")
	return f, err
}

// severityNames are the severities, the worst first.
var severityNames = []string{string(audit.SeverityCritical), string(audit.SeverityHigh), string(audit.SeverityMedium), string(audit.SeverityLow)}

func rank(severity string) int { return slices.Index(severityNames, severity) }

// groups reads the findings by control, system and principal, the worst and
// newest first.
func (s *Console) groups(r *request, f findingFilter) ([]group, error) {
	active, err := s.activeSuppressions(r)
	if err != nil {
		return nil, err
	}
	c := f.conditions()
	q := groupsQuery + ", " + c.suppressed(active) + " AS muted FROM findings" + c.where()
	rows, err := s.query(r.Request.Context(), q+" GROUP BY kind, control, severity, system, label, unlabelled, muted ORDER BY last_time DESC LIMIT 1000", c.args...)
	if err != nil {
		return nil, err
	}
	out := make([]group, 0, len(rows))
	for _, row := range rows {
		g := group{
			Kind: row.Str("kind"), Control: row.Str("control"), Severity: row.Str("severity"), System: row.Str("system"), Source: row.Str("any_source"),
			Label: row.Str("label"), Who: row.Str("who"), Resources: row.Strs("resources"), Principals: row.Uint("principals"),
			Findings: row.Uint("n"), Entries: row.Uint("entries"), People: row.Uint("people"),
			First: row.Time("first_time"), Last: row.Time("last_time"), Detected: row.Time("last_detected"), One: row.Str("one"),
		}
		if g.Principals == 1 {
			g.Principal = row.Str("any_principal")
		}
		control := s.explain(g.Control, r.p)
		g.Name, g.Do = control.Name, control.Do
		g.Sentence = s.sentence(g.alertGroup(row), r.p)
		g.Suppressed = row.Uint("muted") == 1
		page := "/findings"
		if g.Kind == string(audit.Gap) {
			page = "/gaps"
		}
		g.Link = page + query("rows", "each", "control", g.Control, "system", g.System, "principal", row.Str("unlabelled"), "label", g.Label, "severity", g.Severity,
			"from", f.Period.FromDay(), "to", f.Period.UntilDay())
		out = append(out, g)
	}
	slices.SortStableFunc(out, func(a, b group) int { return rank(a.Severity) - rank(b.Severity) })
	return out, nil
}

func (s *Console) activeSuppressions(r *request) ([]registers.Suppression, error) {
	all, err := s.deps.Registers.Suppressions(r.Request.Context())
	if err != nil {
		return nil, err
	}
	now := r.now()
	return slices.DeleteFunc(all, func(x registers.Suppression) bool { return !x.Active(now) }), nil
}

// suppressed is the expression that is 1 for a finding that an active
// suppression matches, as registers.Suppression.Matches decides.
func (c *conditions) suppressed(active []registers.Suppression) string {
	parts := []string{"0"}
	for i, x := range active {
		part := func(column, name, value string) string {
			name = fmt.Sprintf("%s%d", name, i)
			c.args = append(c.args, store.Named(name, value))
			return column + " = {" + name + ":String}"
		}
		one := part("control", "muted_control", x.Control)
		for _, reach := range [][3]string{{"system", "muted_system", x.System}, {"principal", "muted_principal", x.Principal}, {"resource", "muted_resource", x.Resource}} {
			if reach[2] != "" {
				one += " AND " + part(reach[0], reach[1], reach[2])
			}
		}
		parts = append(parts, "("+one+")")
	}
	return "toUInt64(" + strings.Join(parts, " OR ") + ")"
}

func (s *Console) findingsPage(r *request) error { return s.listFindings(r, audit.Violation) }
func (s *Console) gapsPage(r *request) error     { return s.listFindings(r, audit.Gap) }

func (s *Console) listFindings(r *request, kind audit.FindingKind) error {
	state, err := r.pulseBefore()
	if err != nil {
		return err
	}
	f, err := s.findingFilter(r)
	if err != nil {
		return err
	}
	f.Kind = string(kind)
	v := findingsView{Gaps: kind == audit.Gap, Filter: f, Each: r.Query("rows") == "each", Back: r.with("rows", "", "cursor", "", "principal", "", "label", "")}
	if v.Groups, err = s.groups(r, f); err != nil {
		return err
	}
	for _, g := range v.Groups {
		if g.Suppressed {
			v.Muted += g.Findings
		} else {
			v.Open += g.Findings
		}
	}
	if v.Each {
		if v.Rows, v.Next, err = s.findings(r, f, 50); err != nil {
			return err
		}
	}
	v.Controls = s.explainAll(r.p)
	if v.Systems, err = s.distinct(r, `SELECT DISTINCT system AS v FROM findings WHERE system != '' ORDER BY v LIMIT 200`); err != nil {
		return err
	}
	v.Empty = state.Entries == 0
	title := "console.nav.findings"
	if v.Gaps {
		title = "console.nav.gaps"
	}
	r.renderLive(http.StatusOK, "findings", title, v, r.Query("cursor") == "")
	return nil
}

// findings reads one page of single findings, newest first, and the URL of the
// next page.
func (s *Console) findings(r *request, f findingFilter, limit int) ([]record, string, error) {
	c := f.conditions()
	after, ok, err := r.cursor()
	if err != nil {
		return nil, "", err
	}
	if ok {
		c.parts = append(c.parts, "(toUnixTimestamp64Nano(toDateTime64(time, 9, 'UTC')), id) < ({after:Int64}, {after_id:String})")
		c.args = append(c.args, store.Named("after", after.nanos), store.Named("after_id", after.id))
	}
	args := append(c.args, store.Named("limit", int64(limit+1)))
	rows, err := s.query(r.Request.Context(), findingColumns+c.where()+" ORDER BY time DESC, id DESC LIMIT {limit:UInt32}", args...)
	if err != nil || len(rows) <= limit {
		return rows, "", err
	}
	last := rows[limit-1]
	return rows[:limit], cursor{last.Time("time").UnixNano(), last.Str("id")}.String(), nil
}

func (s *Console) distinct(r *request, q string) ([]string, error) {
	rows, err := s.query(r.Request.Context(), q)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(rows))
	for i, row := range rows {
		out[i] = row.Str("v")
	}
	return out, nil
}

type findingView struct {
	Row        record
	Sentence   string
	Control    explained
	Coverage   *sourceShare // of the finding's source around its time; nil: not known
	Ledger     *LedgerState // nil: no ledger runs here
	Leaf       uint64       // of the finding's chunk
	Committed  bool         // Leaf is under a signed checkpoint
	Windowed   bool         // the finding comes from many entries and no chunk
	Steady     bool         // its principal keeps one pseudonym for a year
	Entries    []record
	Suppressed *registers.Suppression
	Latest     string // last day that a suppression may reach
	Soon       string // a month ahead
	More       string // the entries explorer on the same evidence
}

func (s *Console) findingPage(r *request) error {
	row, err := s.finding(r, r.Param("id"))
	if err != nil {
		return err
	}
	v := findingView{Row: row, Sentence: s.sentence(alertGroup(row), r.p), Control: s.explain(row.Str("control"), r.p),
		Soon: r.now().AddDate(0, 1, 0).Format(time.DateOnly), Latest: r.now().AddDate(1, 0, 0).Format(time.DateOnly)}
	v.Steady = row.Str("principal_kind") == string(audit.KindStaff) || row.Str("principal_kind") == string(audit.KindService)
	if row.Str("kind") == string(audit.Gap) {
		r.within = "/gaps"
	}
	if err := s.proof(r, row, &v); err != nil {
		return err
	}
	active, err := s.activeSuppressions(r)
	if err != nil {
		return err
	}
	for _, x := range active {
		if x.Matches(row.Str("control"), row.Str("system"), row.Str("principal"), row.Str("resource")) {
			v.Suppressed = &x
			break
		}
	}
	if r.user.Has(entriesRoles...) {
		if v.Entries, err = s.evidence(r, row); err != nil {
			return err
		}
		v.More = "/entries" + query("principal", row.Str("principal"), "system", row.Str("system"),
			"from", row.Time("time").Format(time.DateOnly), "to", row.Time("until").Format(time.DateOnly))
	}
	r.render(http.StatusOK, "finding", "console.title.finding", v)
	return nil
}

// proof fills in whether the finding is under a checkpoint, and how complete its
// source is around its time.
func (s *Console) proof(r *request, f record, v *findingView) (err error) {
	ctx := r.Request.Context()
	if v.Ledger, err = s.ledgerState(ctx); err != nil {
		return err
	}
	if v.Windowed = f.Str("chunk") == ""; !v.Windowed {
		if v.Leaf, v.Committed, err = s.leaf(ctx, f.Str("chunk"), 1); err != nil {
			return err
		}
	}
	hours, err := s.hours(ctx, period{From: f.Time("time"), Until: f.Time("until").Add(time.Nanosecond)})
	if err != nil {
		return err
	}
	share := sourceShare{SourceState: SourceState{Name: f.Str("source")}}
	for _, h := range hours {
		if h.Source == share.Name {
			share.add(h)
		}
	}
	if share.Received+share.Missing > 0 {
		v.Coverage = &share
	}
	return nil
}

func (s *Console) finding(r *request, id string) (record, error) {
	rows, err := s.query(r.Request.Context(), findingColumns+" WHERE id = {id:String} LIMIT 1", store.Named("id", id))
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, errNotFound
	}
	return rows[0], nil
}

// evidence are the entries behind a finding: the one that it names, and those
// of its principal and system in its window.
func (s *Console) evidence(r *request, f record) ([]record, error) {
	if f.Uint("count") <= 1 && f.Str("entry_id") != "" {
		e, err := s.entry(r, f.Str("entry_id"))
		if err == errNotFound {
			return nil, nil
		}
		return []record{e}, err
	}
	var c conditions
	c.between("event_time", period{From: f.Time("time"), Until: f.Time("until").Add(time.Nanosecond)})
	c.add("principal_id = {principal:String}", "principal", f.Str("principal"))
	c.add("system_key = {system:String}", "system", f.Str("system"))
	c.add("source = {source:String}", "source", f.Str("source"))
	c.add("url_template = {resource:String}", "resource", f.Str("resource"))
	return s.query(r.Request.Context(), entryColumns+c.where()+" ORDER BY event_time LIMIT 50", c.args...)
}

// query encodes pairs of name and value, those with "" left out.
func query(pairs ...string) string {
	var b strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			continue
		}
		sep := "&"
		if b.Len() == 0 {
			sep = "?"
		}
		b.WriteString(sep + pairs[i] + "=" + queryEscape(pairs[i+1]))
	}
	return b.String()
}
