package registers

import (
	"context"
	"database/sql"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"
	"unicode/utf8"
)

// RequestColumns are the columns of the CSV that ImportRequests reads, in any
// order; all of them are needed. Days are written 2026-01-31, empty if they
// have not happened.
var RequestColumns = []string{"id", "law", "type", "received", "manner", "verification", "acknowledged", "extended", "responded", "outcome", "denial_reason"}

// requestTypes are the types of request by law: GDPR Art. 15-22, 11 CCR
// § 7102(a)(1), LGPD Art. 18 and 20.
var requestTypes = map[string][]string{
	"gdpr": {"access", "rectification", "erasure", "restriction", "portability", "objection", "automated"},
	"ccpa": {"delete", "correct", "know", "access-admt", "opt-out-sale", "limit", "opt-out-admt"},
	"lgpd": {"confirmation", "access", "correction", "anonymisation", "portability", "erasure", "sharing", "consent", "revocation", "objection", "automated"},
}

var (
	requestManners  = []string{"web", "phone", "mail", "email", "in-person", "agent", "gpc"}
	requestVerified = []string{"verified", "category", "not-needed", "failed", "open"}
	requestOutcomes = []string{"open", "complied", "partial", "denied"}
	denialReasons   = []string{"unverifiable", "not-a-consumer", "exempt", "other"}
	requestID       = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
)

// maxImport limits one import.
const maxImport = 64 << 20

// Request is one row of the register. Days are days since 1970-01-01, nil if
// they have not happened.
type Request struct {
	ID, Law, Type                     string
	Received                          int64
	Manner, Verification              string
	Acknowledged, Extended, Responded *int64
	Outcome, DenialReason             string
}

// LineError is one fault of an import. It names the column and what is
// expected there, never the value.
type LineError struct {
	Line    int    // of the file, the header is line 1
	Column  string // "" if the whole line is meant
	Problem string
}

func (e LineError) String() string {
	if e.Column == "" {
		return fmt.Sprintf("line %d: %s", e.Line, e.Problem)
	}
	return fmt.Sprintf("line %d, column %s: %s", e.Line, e.Column, e.Problem)
}

// ImportError says why an import was refused; nothing of it was stored.
type ImportError struct{ Lines []LineError }

func (e *ImportError) Error() string {
	const shown = 10
	parts := make([]string, 0, shown+1)
	for i, l := range e.Lines {
		if i == shown {
			parts = append(parts, fmt.Sprintf("and %d more", len(e.Lines)-shown))
			break
		}
		parts = append(parts, l.String())
	}
	return "nothing was imported: " + strings.Join(parts, "; ")
}

// ImportRequests reads requests from CSV and stores them all, or none with an
// *ImportError that lists every fault. A request that is already there under
// its id is replaced, so that a later export of the same register may be given.
func (d *DB) ImportRequests(ctx context.Context, r io.Reader) (int, error) {
	reqs, faults := readRequests(io.LimitReader(r, maxImport+1), d.now())
	if len(faults) > 0 {
		return 0, &ImportError{Lines: faults}
	}
	err := d.tx(ctx, func(tx *sql.Tx) error {
		now := millis(d.now())
		for i := range reqs {
			if err := putRequest(ctx, tx, &reqs[i], now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("failed to store the requests: %w", err)
	}
	return len(reqs), nil
}

func putRequest(ctx context.Context, tx *sql.Tx, q *Request, now int64) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM requests WHERE id = ?`, q.ID); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO requests (id, law, type, received_day, received_month, manner, verification, acknowledged_day, extended_day, responded_day, outcome, denial_reason, imported)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		q.ID, q.Law, q.Type, q.Received, time.Unix(q.Received*86400, 0).UTC().Format("2006-01"), q.Manner, q.Verification, q.Acknowledged, q.Extended, q.Responded, q.Outcome, q.DenialReason, now)
	return err
}

// readRequests parses and checks all lines.
func readRequests(r io.Reader, now time.Time) ([]Request, []LineError) {
	c := csv.NewReader(r)
	c.ReuseRecord, c.LazyQuotes = true, false
	c.FieldsPerRecord = -1
	head, err := c.Read()
	if err != nil {
		return nil, []LineError{{Line: 1, Problem: "a header line is needed: " + strings.Join(RequestColumns, ",")}}
	}
	columns, fault := requestHeader(head)
	if fault != nil {
		return nil, []LineError{*fault}
	}
	var out []Request
	var faults []LineError
	ids := map[string]int{}
	for {
		rec, err := c.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if c.InputOffset() > maxImport {
			return nil, append(faults, LineError{Line: 1, Problem: "the file is larger than 64 MiB: split it"})
		}
		if err != nil {
			var pe *csv.ParseError
			line := 0
			if errors.As(err, &pe) {
				line = pe.Line
			}
			return nil, append(faults, LineError{Line: line, Problem: "not CSV: check the quotes"})
		}
		line, _ := c.FieldPos(0)
		if len(rec) != len(head) {
			faults = append(faults, LineError{Line: line, Problem: fmt.Sprintf("%d columns, the header has %d", len(rec), len(head))})
			continue
		}
		q, bad := parseRequest(func(col string) string { return strings.TrimSpace(rec[columns[col]]) }, line, now)
		if first, ok := ids[q.ID]; ok && q.ID != "" {
			bad = append(bad, LineError{Line: line, Column: "id", Problem: fmt.Sprintf("already on line %d", first)})
		}
		ids[q.ID] = line
		faults = append(faults, bad...)
		out = append(out, q)
	}
	return out, faults
}

func requestHeader(head []string) (map[string]int, *LineError) {
	columns := map[string]int{}
	for i, h := range head {
		h = strings.TrimPrefix(strings.TrimSpace(h), "\ufeff")
		if _, ok := columns[h]; ok || !slices.Contains(RequestColumns, h) {
			return nil, &LineError{Line: 1, Problem: fmt.Sprintf("column %d of the header is unknown or there twice; the columns are %s", i+1, strings.Join(RequestColumns, ","))}
		}
		columns[h] = i
	}
	for _, want := range RequestColumns {
		if _, ok := columns[want]; !ok {
			return nil, &LineError{Line: 1, Column: want, Problem: "the column is missing; the columns are " + strings.Join(RequestColumns, ",")}
		}
	}
	return columns, nil
}

func parseRequest(get func(string) string, line int, now time.Time) (Request, []LineError) {
	q := Request{ID: get("id"), Law: get("law"), Type: get("type"), Manner: get("manner"), Verification: get("verification"), Outcome: get("outcome"), DenialReason: get("denial_reason")}
	var bad []LineError
	fault := func(col, problem string) { bad = append(bad, LineError{Line: line, Column: col, Problem: problem}) }
	for _, c := range RequestColumns {
		if !utf8.ValidString(get(c)) {
			fault(c, "not UTF-8")
			return q, bad
		}
	}
	oneOf := func(col, v string, list []string) {
		if !slices.Contains(list, v) {
			fault(col, "expected one of "+strings.Join(list, ", "))
		}
	}
	if !requestID.MatchString(q.ID) {
		fault("id", "expected up to 64 letters, digits, dots, underscores or hyphens, and nothing personal")
	}
	if types := requestTypes[q.Law]; types != nil {
		oneOf("type", q.Type, types)
	} else {
		laws := make([]string, 0, len(requestTypes))
		for l := range requestTypes {
			laws = append(laws, l)
		}
		sort.Strings(laws)
		oneOf("law", q.Law, laws)
	}
	oneOf("manner", q.Manner, requestManners)
	oneOf("verification", q.Verification, requestVerified)
	oneOf("outcome", q.Outcome, requestOutcomes)
	today := now.UTC().Unix()/86400 + 1 // the register's zone may be ahead of UTC
	day := func(col string) *int64 {
		s := get(col)
		if s == "" {
			return nil
		}
		t, err := time.Parse(time.DateOnly, s)
		n := t.Unix() / 86400
		switch {
		case err != nil || t.Year() < 2000:
			fault(col, "expected a day written 2026-01-31")
			return nil
		case n > today:
			fault(col, "the day is in the future")
			return nil
		}
		return &n
	}
	received := day("received")
	q.Acknowledged, q.Extended, q.Responded = day("acknowledged"), day("extended"), day("responded")
	if received == nil {
		if get("received") == "" {
			fault("received", "expected the day of receipt")
		}
		return q, bad
	}
	q.Received = *received
	for col, v := range map[string]*int64{"acknowledged": q.Acknowledged, "extended": q.Extended, "responded": q.Responded} {
		if v != nil && *v < q.Received {
			fault(col, "the day is before the day of receipt")
		}
	}
	checkOutcome(&q, get("responded") != "", fault)
	sort.SliceStable(bad, func(i, j int) bool { return bad[i].Column < bad[j].Column })
	return q, bad
}

// checkOutcome holds outcome, response and basis of denial together: a denial
// in whole or part needs its basis (11 CCR § 7101(b)).
func checkOutcome(q *Request, responded bool, fault func(col, problem string)) {
	switch {
	case q.Outcome == "open" && responded:
		fault("responded", "an open request has no response")
	case q.Outcome != "open" && !responded:
		fault("responded", "a closed request needs the day of its response")
	}
	denied := q.Outcome == "denied" || q.Outcome == "partial"
	switch {
	case denied && !slices.Contains(denialReasons, q.DenialReason):
		fault("denial_reason", "expected one of "+strings.Join(denialReasons, ", "))
	case !denied && q.DenialReason != "":
		fault("denial_reason", "only a denial in whole or part has a basis")
	}
}
