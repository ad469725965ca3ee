package console

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/store"
)

func queryEscape(s string) string { return url.QueryEscape(s) }

// entryFilter is what the explorer, the export and the API filter by.
type entryFilter struct {
	Period    period
	Source    string
	System    string
	Principal string
	Subject   string
	Outcome   string
	Purpose   string
	Country   string
	Category  string
}

type entriesView struct {
	Filter   entryFilter
	Rows     []record
	Next     string // URL of the page after this one, or ""
	First    string // URL of the first page, or "" when this is it
	Export   string
	Sources  []string
	Systems  []string
	Purposes []string
	Outcomes []audit.Outcome
	Empty    bool
}

// entryColumns are those of the explorer's table and of the evidence.
const entryColumns = `SELECT event_id, event_time, source, principal_id, principal_type, principal_label, system_key, operation, action, url_template,
 resource_name, subjects, subject_count, categories, special_category, purpose, purpose_source, purpose_documented, outcome, status_code,
 client_country, dest_country, tls_version, found_kinds FROM entries`

// exportRows is the most rows of one CSV file.
const exportRows = 100_000

func (f entryFilter) conditions() conditions {
	var c conditions
	c.between("event_time", f.Period)
	c.add("source = {source:String}", "source", f.Source)
	c.add("system_key = {system:String}", "system", f.System)
	c.add("principal_id = {principal:String}", "principal", f.Principal)
	c.add("has(subjects, {subject:String})", "subject", f.Subject)
	c.add("outcome = {outcome:String}", "outcome", f.Outcome)
	c.add("purpose = {purpose:String}", "purpose", f.Purpose)
	c.add("client_country = {country:String}", "country", f.Country)
	c.add("arrayExists(c -> c = {category:String} OR startsWith(c, concat({category:String}, '.')), categories)", "category", f.Category)
	return c
}

func (s *Console) entryFilter(r *request) (entryFilter, error) {
	p, err := r.ofPeriod("30d")
	if err != nil {
		return entryFilter{}, err
	}
	if p, err = s.newestPeriod(r, p); err != nil {
		return entryFilter{}, err
	}
	f := entryFilter{Period: p, Source: r.Query("source"), System: r.Query("system"), Outcome: r.Query("outcome"),
		Purpose: r.Query("purpose"), Country: strings.ToUpper(strings.TrimSpace(r.Query("country"))), Category: strings.TrimSpace(r.Query("category"))}
	if f.Principal, err = r.pseudonym("principal"); err != nil {
		return f, err
	}
	f.Subject, err = r.pseudonym("subject")
	return f, err
}

func (s *Console) entriesPage(r *request) error {
	f, err := s.entryFilter(r)
	if err != nil {
		return err
	}
	v := entriesView{Filter: f, Outcomes: outcomes}
	var next string
	if v.Rows, next, err = s.entries(r, f, entryColumns, 50); err != nil {
		return err
	}
	if next != "" {
		v.Next = r.with("cursor", next)
	}
	if r.Query("cursor") != "" {
		v.First = r.with("cursor", "")
	}
	v.Export = "/entries.csv" + strings.TrimPrefix(r.with("cursor", "", "from", f.Period.FromDay(), "to", f.Period.UntilDay(), "period", ""), "/entries")
	for q, into := range map[string]*[]string{
		`SELECT DISTINCT source AS v FROM entries_hourly ORDER BY v LIMIT 200`:                            &v.Sources,
		`SELECT DISTINCT system_key AS v FROM entries_hourly WHERE system_key != '' ORDER BY v LIMIT 200`: &v.Systems,
		`SELECT DISTINCT purpose AS v FROM entries_quarterly WHERE purpose != '' ORDER BY v LIMIT 200`:    &v.Purposes,
	} {
		if *into, err = s.distinct(r, q); err != nil {
			return err
		}
	}
	state, err := r.pulseBefore()
	if err != nil {
		return err
	}
	v.Empty = state.Entries == 0
	r.render(http.StatusOK, "entries", "console.nav.entries", v)
	return nil
}

// allColumns selects every field of an entry.
func allColumns() string {
	names := make([]string, len(audit.EntryFields))
	for i, f := range audit.EntryFields {
		names[i] = `"` + f.Name + `"`
	}
	return "SELECT event_id, " + strings.Join(names, ", ") + " FROM entries"
}

// origin reads an entry's id: the stream may hold dashes itself.
func origin(id string) (audit.Origin, bool) {
	rest, offset, ok1 := cutLast(id)
	stream, generation, ok2 := cutLast(rest)
	o, err1 := strconv.ParseUint(offset, 10, 64)
	g, err2 := strconv.ParseUint(generation, 10, 32)
	return audit.Origin{Stream: stream, Generation: uint32(g), Offset: o}, ok1 && ok2 && err1 == nil && err2 == nil && stream != ""
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '-')
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

func (s *Console) entry(r *request, id string) (record, error) {
	o, ok := origin(id)
	if !ok {
		return nil, errNotFound
	}
	rows, err := s.query(r.Request.Context(), allColumns()+` WHERE stream = {stream:String} AND generation = {generation:UInt32} AND "offset" = {offset:UInt64} LIMIT 1`,
		store.Named("stream", o.Stream), store.Named("generation", int64(o.Generation)), store.Named("offset", strconv.FormatUint(o.Offset, 10)))
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, errNotFound
	}
	return rows[0], nil
}

const leafQuery = `SELECT leaf FROM leaves WHERE chunk = {chunk:String} AND version = {version:UInt16} LIMIT 1`

// leaf is the number of a chunk's leaf in the ledger; ok is false without one.
func (s *Console) leaf(ctx context.Context, chunk string, version uint64) (leaf uint64, ok bool, err error) {
	rows, err := s.query(ctx, leafQuery, store.Named("chunk", chunk), store.Named("version", int64(version)))
	if err != nil || len(rows) != 1 {
		return 0, false, err
	}
	return rows[0].Uint("leaf"), true, nil
}

type entryView struct {
	Row    record
	Groups []fieldGroup // fields with a value, by what they tell
	Fields []field
	Ledger *LedgerState // nil: no ledger runs here
	// Leaf is the number of the chunk's leaf; Committed says that it has one.
	Leaf      uint64
	Committed bool
}

// field is one field of an entry; Value is "" where the entry has none. Shown is
// the value as people read it.
type field struct{ Name, Value, Shown string }

// fieldGroup is the fields that answer one question about an access.
type fieldGroup struct {
	Key    string
	Fields []field
}

// fieldGroups name the fields that answer each question; the last takes all
// others.
var fieldGroups = []struct {
	Key   string
	Names []string
}{
	{"who", []string{"principal_label", "principal_id", "principal_type", "principal_org", "principal_auth", "principal_verified", "recipient", "contract_ref", "session_id", "device_id", "client_app", "user_agent", "client_cert_subject", "client_cert_sha256", "mtls_verified"}},
	{"what", []string{"action", "operation", "method", "url_template", "resource_name", "resource_type", "system_key", "dataset", "resource_declared", "target", "host", "query_keys", "referer", "categories", "special_category", "found_kinds", "found_places"}},
	{"whose", []string{"subjects", "subject_count", "subject_kinds", "subject_categories"}},
	{"why", []string{"purpose", "purpose_source", "purpose_documented", "legal_basis", "data_use", "consent_ref"}},
	{"where", []string{"client_country", "client_ip", "peer_ip", "client_port", "xff_chain", "service_country", "dest_country", "transfer_kind", "transfer_ref"}},
	{"how", []string{"outcome", "status_code", "deny_by", "protocol", "tls_version", "tls_cipher", "sni", "upstream", "bytes_in", "bytes_out", "duration_us", "request_id"}},
	{"record", nil},
}

// zeroUnknown are the numbers that are 0 where a line does not tell them.
var zeroUnknown = []string{"client_port", "status_code", "bytes_in", "bytes_out", "duration_us", "subject_count"}

// groupFields puts the fields that have a value under the questions.
func groupFields(fields []field) []fieldGroup {
	left := map[string]field{}
	for _, f := range fields {
		if f.Value != "" && (f.Value != "0" || !slices.Contains(zeroUnknown, f.Name)) {
			left[f.Name] = f
		}
	}
	for name, same := range map[string]string{"method": "operation", "user_agent": "client_app"} {
		if left[name].Value == left[same].Value {
			delete(left, name)
		}
	}
	var out []fieldGroup
	for _, g := range fieldGroups {
		group := fieldGroup{Key: g.Key}
		for _, name := range g.Names {
			if f, ok := left[name]; ok {
				group.Fields = append(group.Fields, f)
				delete(left, name)
			}
		}
		if g.Names == nil {
			for _, f := range fields {
				if _, ok := left[f.Name]; ok {
					group.Fields = append(group.Fields, f)
				}
			}
		}
		if len(group.Fields) > 0 {
			out = append(out, group)
		}
	}
	return out
}

// shown is a value of an entry as people read it.
func (s *Console) shown(r *request, row record, f audit.EntryField, value string) string {
	v := view{Printer: r.p, names: s.deps.Names}
	switch f.Name {
	case "system_key":
		return v.System(value)
	case "purpose":
		return v.Purpose(value)
	case "outcome":
		return v.Word("outcome", value)
	case "principal_type":
		return v.Word("principal", value)
	case "purpose_source":
		return v.Word("purpose", value)
	case "categories":
		return strings.Join(v.Kinds(row.Strs(f.Name)), ", ") + " (" + value + ")"
	case "action", "transfer_kind", "subject_categories", "subject_kinds", "found_kinds", "found_places", "time_quality", "principal_org":
		return v.Fact("", f.Name, value)
	}
	if f.Kind == audit.Bool {
		return v.Word("value", value)
	}
	return value
}

func (s *Console) entryPage(r *request) error {
	row, err := s.entry(r, r.Param("id"))
	if err != nil {
		return err
	}
	v := entryView{Row: row}
	for _, f := range audit.EntryFields {
		value := fieldText(row, f)
		shown := value
		if value != "" {
			shown = s.shown(r, row, f, value)
		}
		v.Fields = append(v.Fields, field{f.Name, value, shown})
	}
	v.Groups = groupFields(v.Fields)
	if v.Ledger, err = s.ledgerState(r.Request.Context()); err != nil {
		return err
	}
	if v.Leaf, v.Committed, err = s.leaf(r.Request.Context(), row.Str("chunk"), row.Uint("version")); err != nil {
		return err
	}
	r.render(http.StatusOK, "entry", "console.title.entry", v)
	return nil
}

func fieldText(row record, f audit.EntryField) string {
	switch f.Kind {
	case audit.Words, audit.Texts:
		return strings.Join(row.Strs(f.Name), ", ")
	case audit.Map:
		var parts []string
		for k, v := range row.Map(f.Name) {
			parts = append(parts, k+"="+v)
		}
		return strings.Join(parts, ", ")
	case audit.Time:
		if t := row.Time(f.Name); !t.IsZero() {
			return t.Format("2006-01-02 15:04:05.000000000 MST")
		}
		return ""
	case audit.Bool:
		return strconv.FormatBool(row.Bool(f.Name))
	default:
		return row.Str(f.Name)
	}
}

// entriesCSV exports what the explorer shows, after the trail has it.
func (s *Console) entriesCSV(r *request) error {
	f, err := s.entryFilter(r)
	if err != nil {
		return err
	}
	if err := r.act("entries.export", fmt.Sprintf("%s to %s", f.Period.FromDay(), f.Period.UntilDay()), ""); err != nil {
		return err
	}
	rows, _, err := s.entries(r, f, allColumns(), exportRows)
	if err != nil {
		return err
	}
	r.Header("Content-Type", "text/csv; charset=utf-8")
	r.Header("Content-Disposition", `attachment; filename="entries.csv"`)
	w := csv.NewWriter(r.Writer)
	line := []string{"event_id"}
	for _, f := range audit.EntryFields {
		line = append(line, f.Name)
	}
	_ = w.Write(line)
	for _, row := range rows {
		line = append(line[:0], row.Str("event_id"))
		for _, f := range audit.EntryFields {
			line = append(line, formula(fieldText(row, f)))
		}
		_ = w.Write(line)
	}
	w.Flush()
	return w.Error()
}

// formula keeps a spreadsheet from running a cell that begins like a formula.
func formula(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
