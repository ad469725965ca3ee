package parse

import (
	"fmt"
	"strings"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/text"
)

// assemble makes the slots of the pieces.
func (l *layout) assemble(pieces []piece) error {
	before, k := "", 0
	for ; k < len(pieces) && pieces[k].slot == nil; k++ {
		l.head += pieces[k].literal
	}
	before = l.head
	for k < len(pieces) {
		s := *pieces[k].slot
		for k++; k < len(pieces) && pieces[k].slot == nil; k++ {
			s.until += pieces[k].literal
		}
		if s.until == "" && k < len(pieces) && s.width == 0 {
			return fmt.Errorf("%s: %s%s is followed at once by another variable: put a character between them", l.what, l.sigil, s.name)
		}
		s.anchor = rarest(s.until)
		if s.shape == shapeTimeLocal {
			s.width = localTimeLen
		}
		s.raw = s.raw || l.escape == escapeNone && s.client
		s.quoted = !s.raw && l.escape != escapeNone && l.escape != escapeQuote && strings.HasSuffix(before, `"`) && strings.HasPrefix(s.until, `"`)
		before = s.until
		s.decide(l.escape)
		if n := len(l.slots) - 1; n >= 0 && s.counter() && l.slots[n].counter() {
			l.slots[n].also += l.slots[n].until
			l.slots[n].until, l.slots[n].anchor = s.until, s.anchor
			l.slots[n].ends = endsOther
			continue
		}
		l.slots = append(l.slots, s)
	}
	if len(l.slots) > maxVars {
		return fmt.Errorf("%s: more than %d variables", l.what, maxVars)
	}
	l.request = -1
	l.quotes = strings.Count(l.head, `"`)
	for k := range l.slots {
		l.slots[k].after = newLiteral(l.slots[k].until)
		if l.slots[k].field != fIgnored {
			l.told = append(l.told, k)
		}
		if k > 0 && l.slots[k-1].host() && l.slots[k].ends == endsDigits && l.slots[k].until[0] == ' ' {
			l.slots[k-1].ends = endsPort
		}
		l.quotes += strings.Count(l.slots[k].until, `"`)
		if f := l.slots[k].field; l.request < 0 && (f == fRequest || f == fRequestURI || f == fURI) {
			l.request = k
		}
		if v := &l.slots[k]; !v.quoted && v.ends != endsDigits && v.shape != shapeTimeLocal {
			l.bare = append(l.bare, k)
		}
		if v := &l.slots[k]; v.client && !v.quoted && v.until != "" && v.shape == shapeAny {
			l.loose = append(l.loose, k)
		}
	}
	return nil
}

// decide works out how the end of a value is found.
func (v *slot) decide(e escape) {
	if v.until != "" && v.width == 0 && !v.quoted {
		switch first := v.until[0]; v.shape {
		case shapeNumber, shapeSigned, shapeSeconds:
			v.run = first != '.' && first != '+' && first != '-' && (first < '0' || first > '9')
		case shapeToken, shapeAddr:
			v.blank = first == ' '
		}
	}
	switch {
	case v.padded || v.until == "" || v.shape == shapeBlock:
		v.ends = endsOther
	case v.width > 0:
		v.ends = endsWide
	case v.run && v.shape == shapeNumber:
		v.ends = endsDigits
	case v.blank:
		v.ends = endsBlank
	case v.quoted && (e == escapeHex || e == escapeHash):
		v.ends = endsQuote
	case !v.run && !v.quoted && v.shape == shapeAny:
		v.ends = endsSign
	}
}

// host reports whether the slot may be a host with a port after it.
func (v *slot) host() bool {
	return v.until == ":" && (v.shape == shapeAddr || v.shape == shapeAny) && !v.padded && !v.quoted && v.width == 0
}

// counter reports whether the slot is a number that says nothing about an
// access, and one byte follows it. Slots of such numbers in a row become one.
func (v *slot) counter() bool {
	return v.run && v.field == fIgnored && len(v.until) == 1
}

// rarest is the offset of the byte of a literal that a line has least often: no
// space, and rather a sign than a letter or digit.
func rarest(lit string) int {
	best, score := 0, 0
	for i := 0; i < len(lit); i++ {
		n := 2
		switch c := lit[i]; {
		case c == ' ':
			n = 1
		case strings.IndexByte(`[]"{}|<>`, c) >= 0:
			n = 3
		}
		if n > score {
			best, score = i, n
		}
	}
	return best
}

// check refuses a format string without a time and works out what it can show.
func (l *layout) check(o options, hint string) error {
	var fields [numFields]bool
	has := map[string]bool{}
	for i := range l.slots {
		v := &l.slots[i]
		fields[v.field] = true
		has[v.fieldName] = true
		for _, n := range captureNames {
			has[n] = has[n] || v.field == fCaptures // which there are, its configuration says
		}
		if v.field == fTimeStrf && !v.strf.whole() {
			return fmt.Errorf("%s: the time pattern of %s%s has no full date and clock", l.what, l.sigil, v.name)
		}
	}
	if !fields[fTimeLocal] && !fields[fTimeISO] && !fields[fMsec] && !fields[fTimeClock] && !fields[fTimeStrf] && !fields[fEpoch] && !fields[fTimeAny] {
		return &text.Hint{Err: fmt.Errorf("%s: it has no time", l.what), Hint: hint}
	}
	l.loc = o.loc
	l.carries = carriesOf(o, &fields, has)
	return nil
}

// carriesOf says what a format with these fields shows.
func carriesOf(o options, fields *[numFields]bool, has map[string]bool) audit.Carries {
	c := audit.Carries{
		TLS:     fields[fTLSVersion],
		Target:  fields[fRequest] || fields[fRequestURI] || fields[fURI] || fields[fResourceName],
		Outcome: fields[fStatus] || fields[fTermination] || fields[fDenied] || fields[fAllowed],
		Purpose: o.purpose != "" && has[locatorField(o.purpose)],
	}
	for _, p := range o.principals {
		switch p {
		case "remote_user":
			c.Principal = c.Principal || fields[fUser]
		case "client_subject":
			c.Principal = c.Principal || fields[fCertSubject]
		case "client_san":
			c.Principal = c.Principal || fields[fCertSAN]
		default:
			c.Principal = c.Principal || has[locatorField(p)]
		}
	}
	return c
}

// locatorField is the name that an Event's field has for a locator of the
// configuration: field:NAME or header:NAME.
func locatorField(locator string) string {
	if h, ok := strings.CutPrefix(locator, "header:"); ok {
		return "header:" + strings.ToLower(h)
	}
	return strings.TrimPrefix(locator, "field:")
}
