package grant

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

const requestKind = "tallystick grant request v1"

// Request is what a grant is asked for. Its texts hold no value of a person.
type Request struct {
	Reader     string    // fingerprint of the reader's card
	Class      string    // vault class
	Months     []string  // 2026-11, sorted
	From       time.Time // span of the entries; seconds, UTC
	Until      time.Time // exclusive
	Purpose    string
	Ground     string // legal ground, for example GDPR Art. 6(1)(c)
	Ticket     string
	Ends       time.Time // when custodians stop transforming
	Transforms int       // how many each custodian transforms at most
	PerHour    int       // and how many of them in an hour
	Nonce      string    // 32 hex digits: no two requests are the same
}

var requestFields = []string{"reader", "class", "months", "from", "until", "purpose", "ground", "ticket", "ends", "transforms", "per-hour", "nonce"}

// NewRequest is the text of a request; it sets the nonce and the months of the
// span.
func NewRequest(r Request) (*Document, error) {
	nonce := make([]byte, 16)
	_, _ = rand.Read(nonce) // never fails: crypto/rand ends the program instead
	r.Nonce, r.Months = hex.EncodeToString(nonce), monthsOf(r.From, r.Until)
	text, err := r.text()
	if err != nil {
		return nil, err
	}
	return &Document{Text: text}, nil
}

func monthsOf(from, until time.Time) []string {
	var out []string
	from, until = from.UTC(), until.UTC()
	for m := time.Date(from.Year(), from.Month(), 1, 0, 0, 0, 0, time.UTC); m.Before(until) && len(out) <= maxMonths; m = m.AddDate(0, 1, 0) {
		out = append(out, m.Format("2006-01"))
	}
	return out
}

// maxMonths is the most months of one grant: a grant that needs more is no grant
// for a case.
const maxMonths = 24

func (r *Request) text() (string, error) {
	if !r.From.Before(r.Until) || len(r.Months) == 0 || len(r.Months) > maxMonths || !slices.Equal(r.Months, monthsOf(r.From, r.Until)) {
		return "", fmt.Errorf("%w: the span is empty, longer than %d months, or not that of the months", ErrText, maxMonths)
	}
	if r.Transforms < 1 || r.PerHour < 1 {
		return "", fmt.Errorf("%w: transforms and per-hour are at least 1", ErrText)
	}
	l := lines{kind: requestKind}
	stamp := func(t time.Time) string { return t.UTC().Truncate(time.Second).Format(time.RFC3339) }
	for i, v := range []string{r.Reader, r.Class, strings.Join(r.Months, " "), stamp(r.From), stamp(r.Until), r.Purpose, r.Ground, r.Ticket, stamp(r.Ends),
		strconv.Itoa(r.Transforms), strconv.Itoa(r.PerHour), r.Nonce} {
		l.add(requestFields[i], v)
	}
	return l.text()
}

// ParseRequest reads the text of a request and accepts exactly what NewRequest
// makes.
func ParseRequest(text string) (*Request, error) {
	f, err := parseLines(text, requestKind, requestFields...)
	if err != nil {
		return nil, err
	}
	r := &Request{Reader: f["reader"], Class: f["class"], Months: strings.Fields(f["months"]), Purpose: f["purpose"], Ground: f["ground"],
		Ticket: f["ticket"], Nonce: f["nonce"]}
	for name, to := range map[string]*time.Time{"from": &r.From, "until": &r.Until, "ends": &r.Ends} {
		if *to, err = time.Parse(time.RFC3339, f[name]); err != nil {
			return nil, fmt.Errorf("%w: %s is no time", ErrText, name)
		}
	}
	for name, to := range map[string]*int{"transforms": &r.Transforms, "per-hour": &r.PerHour} {
		if *to, err = strconv.Atoi(f[name]); err != nil {
			return nil, fmt.Errorf("%w: %s is no number", ErrText, name)
		}
	}
	if nonce, err := hex.DecodeString(r.Nonce); err != nil || len(nonce) != 16 {
		return nil, fmt.Errorf("%w: nonce is not 32 hex digits", ErrText)
	}
	again, err := r.text()
	if err != nil {
		return nil, err
	}
	if again != text {
		return nil, fmt.Errorf("%w: not in its one form", ErrText)
	}
	return r, nil
}

// CheckRequest checks that one pinned person made a request, and returns it with
// the name.
func (p *Pins) CheckRequest(d *Document) (*Request, string, error) {
	r, err := ParseRequest(d.Text)
	if err != nil {
		return nil, "", err
	}
	by, err := p.signed(d, ActRequest)
	if err != nil {
		return nil, "", err
	}
	if len(by) != 1 {
		return nil, "", ErrRequester
	}
	return r, p.Name(by[0]), nil
}

// CheckApproved checks a request with its reader and approvals, and returns it
// with the card. An approval by the requester or the reader does not count.
func (p *Pins) CheckApproved(d *Document, reader *Reader, now time.Time) (*Request, *Card, error) {
	r, _, err := p.CheckRequest(d)
	if err != nil {
		return nil, nil, err
	}
	card, _, err := p.CheckReader(reader)
	if err != nil {
		return nil, nil, err
	}
	if r.Reader != reader.Fingerprint() {
		return nil, nil, ErrReader
	}
	requester, err := d.by(ActRequest)
	if err != nil {
		return nil, nil, err
	}
	by, err := p.signed(d, ActApprove)
	if err != nil {
		return nil, nil, err
	}
	by = slices.DeleteFunc(by, func(k string) bool { return k == requester[0] || k == KeyText(card.Sign) })
	if len(by) < 2 {
		return nil, nil, ErrApprovals
	}
	if !now.Before(r.Ends) {
		return nil, nil, ErrEnded
	}
	return r, card, nil
}
