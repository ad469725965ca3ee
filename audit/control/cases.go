package control

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/tallystick/tallystick/audit"
)

// Case shows what a control does. A per-entry control's case has an entry and
// an answer; a windowed one's has rows and a number of findings, and runs on a
// store.
type Case struct {
	Name string `yaml:"name"`
	// Answer is none, pass, not-evidenced or violation.
	Answer string `yaml:"answer"`
	// Severity is checked when it is there.
	Severity string `yaml:"severity"`
	// Entry are fields by name. What is not there has the value of BaseEntry.
	Entry map[string]Value `yaml:"entry"`
	// Rows are what the store holds.
	Rows []Rows `yaml:"rows"`
	// Findings is how many rows the query returns.
	Findings int `yaml:"findings"`
}

// Rows are equal entries at even distances.
type Rows struct {
	Repeat int `yaml:"repeat"`
	// From is the time of the first one after the case's start.
	From Duration `yaml:"from"`
	// Every is the distance.
	Every Duration         `yaml:"every"`
	Entry map[string]Value `yaml:"entry"`
}

// Value is a field's value in a case: one or a list.
type Value struct {
	One  string
	List []string
	list bool
}

// SetScalar takes one value.
func (v *Value) SetScalar(s string) { *v = Value{One: s} }

// SetList takes a list of values.
func (v *Value) SetList(s []string) { *v = Value{List: s, list: true} }

// CaseStart is the time of the first entry of a case.
var CaseStart = time.Date(2026, 1, 15, 10, 0, 0, 0, time.UTC)

// BaseEntry is an allowed access about which everything is known and nothing
// is wrong.
func BaseEntry() audit.Entry {
	return audit.Entry{
		SchemaVersion: audit.SchemaVersion, EventTime: CaseStart, IngestTime: CaseStart, Source: "case", SourceFormat: "nginx:combined",
		TimeQuality: string(audit.TimeZoned), Stream: "case", ParseStatus: string(audit.ParseOK), Integrity: string(audit.IntegrityOK),
		PrincipalID: "v1.case.principal", PrincipalType: string(audit.KindStaff), PrincipalVerified: true, PrincipalOrg: "own", PrincipalLabel: "Support",
		Protocol: "http", Operation: "GET", Method: "GET", Action: string(audit.ActionRead), ResourceType: "endpoint", SystemKey: "crm",
		URLTemplate: "GET /v1/customers/{subject:customer_id}", ResourceDeclared: true, Categories: []string{"user.contact"},
		Purpose: "support", PurposeSource: string(audit.PurposeStated), PurposeDocumented: true, TransferKind: string(audit.TransferNone),
		TLSVersion: "1.3", StatusCode: 200, Outcome: string(audit.OutcomeAllowed), Carries: slices.Clone(carried), Version: 1,
	}
}

func setField(e *audit.Entry, name string, v Value) error {
	f := fieldByName(name)
	if f == nil {
		return fmt.Errorf("%q is not a field of an entry", name)
	}
	if v.list != (f.Strs != nil) {
		return fmt.Errorf("%s is a list where it must be one value, or the other way round", name)
	}
	var n uint64
	var err error
	switch f.Kind {
	case audit.Word, audit.Text:
		*f.Str(e) = v.One
	case audit.Words, audit.Texts:
		*f.Strs(e) = v.List
	case audit.Bool:
		*f.Bool(e), err = strconv.ParseBool(v.One)
	case audit.Uint16:
		n, err = strconv.ParseUint(v.One, 10, 16)
		*f.U16(e) = uint16(n)
	case audit.Uint32:
		n, err = strconv.ParseUint(v.One, 10, 32)
		*f.U32(e) = uint32(n)
	case audit.Uint64:
		*f.U64(e), err = strconv.ParseUint(v.One, 10, 64)
	case audit.Time:
		*f.Time(e), err = time.Parse(time.RFC3339Nano, v.One)
	default:
		return fmt.Errorf("%s can't be set in a case", name)
	}
	if err != nil {
		return fmt.Errorf("%q is not a value of %s", v.One, name)
	}
	return nil
}

func entryOf(fields map[string]Value) (audit.Entry, string, error) {
	e := BaseEntry()
	names := make([]string, 0, len(fields))
	for n := range fields {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		if err := setField(&e, n, fields[n]); err != nil {
			return e, n, err
		}
	}
	return e, "", nil
}

// Entries are the entries of a windowed case in order of time, each with its
// own origin.
func (c Case) Entries() ([]audit.Entry, error) {
	var out []audit.Entry
	for _, r := range c.Rows {
		for i := range r.Repeat {
			e, _, err := entryOf(r.Entry)
			if err != nil {
				return nil, err
			}
			e.EventTime = CaseStart.Add(r.From.Duration + time.Duration(i)*r.Every.Duration)
			e.IngestTime = e.EventTime
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(a, b audit.Entry) int { return a.EventTime.Compare(b.EventTime) })
	for i := range out {
		out[i].Offset, out[i].Row = uint64(i), uint32(i)
	}
	return out, nil
}

// cases checks the form of the cases. A per-entry control needs one that
// fires and one that does not.
func (k *checker) cases() {
	answers := map[string]int{}
	for i, c := range k.c.Cases {
		path := fmt.Sprintf("cases[%d]", i)
		if c.Name == "" {
			k.fail(path, "write name: what the case shows", "a case has no name")
		}
		if k.c.Window != nil {
			for j, r := range c.Rows {
				if r.Repeat < 1 || r.From.bad != "" && r.From.bad != "0s" || r.Every.bad != "" {
					k.fail(fmt.Sprintf("%s.rows[%d]", path, j), "write {repeat: 20, every: 10s, entry: {outcome: denied}}", "rows need repeat, and durations such as 10s")
				}
				k.caseEntry(fmt.Sprintf("%s.rows[%d].entry", path, j), r.Entry)
			}
			continue
		}
		k.oneOf(path+".answer", c.Answer, []string{"none", "pass", "not-evidenced", "violation"})
		k.caseEntry(path+".entry", c.Entry)
		answers[c.Answer]++
	}
	if k.c.Applies != "" && (answers["violation"] == 0 || answers["pass"]+answers["none"] == 0) {
		k.fail("id", "write cases: [{name: ..., answer: violation, entry: {...}}, {name: ..., answer: pass, entry: {...}}]", "a control needs a case that fires and one that does not")
	}
}

func (k *checker) caseEntry(path string, fields map[string]Value) {
	if _, name, err := entryOf(fields); err != nil {
		k.fail(path+"."+name, "the fields are listed by: tallystick sql \"DESCRIBE entries\"", "%s", err)
	}
}

// Failure is a case that came out differently.
type Failure struct{ Control, Case, Got, Want string }

// String is one line.
func (f Failure) String() string {
	return fmt.Sprintf("%s: %s: got %s, want %s", f.Control, f.Case, f.Got, f.Want)
}

// Test runs the cases of the per-entry controls and returns how many ran and
// which failed. Windowed cases need a store; see Case.Entries.
func (s *Set) Test() (ran int, failed []Failure) {
	for _, c := range s.perRow {
		for _, one := range c.Cases {
			ran++
			e, _, err := entryOf(one.Entry)
			if err != nil {
				failed = append(failed, Failure{c.ID, one.Name, err.Error(), one.Answer})
				continue
			}
			got, want := c.Answer(&e).String(), one.Answer
			if one.Severity != "" {
				got, want = got+" "+string(c.severity(&e)), want+" "+one.Severity
			}
			if strings.TrimSpace(got) != want {
				failed = append(failed, Failure{c.ID, one.Name, got, want})
			}
		}
	}
	return ran, failed
}
