// Package detect finds personal data in text: e-mail addresses, IP addresses
// and payment card numbers, also where they are percent-encoded once or twice.
//
// One pass over the bytes looks only for what can begin or hold a value (an at
// sign, a digit, a colon); the detector of that byte then reads around it. A
// detector is one file, a trigger below and its lines in the kinds table. The
// package neither stores nor masks what it finds; a Match is only a place. The
// stages classify and mask call it, and the command detect.
package detect

import "unsafe"

// Kind is what a match is. Kinds are stored and shown.
type Kind string

// The kinds.
const (
	Email Kind = "email"
	IPv4  Kind = "ipv4"
	IPv6  Kind = "ipv6"
	Card  Kind = "card"
)

// Category is the fideslang data category of the kind.
func (k Kind) Category() string {
	switch k {
	case Email:
		return "user.contact.email"
	case IPv4, IPv6:
		return "user.device.ip_address"
	case Card:
		return "user.financial.credit_card"
	}
	return "user"
}

// Match is one value that was found: s[Start:End] of what was scanned.
type Match struct {
	Kind       Kind
	Start, End int
	// Confidence is how sure the detector is, in percent.
	Confidence uint8
	// Validated says that more than the shape was checked: a checksum and the
	// issuer's range, or that the address parses.
	Validated bool
}

// trigger is what a byte can be the sign of.
type trigger uint8

const (
	none trigger = iota
	at
	digit
	colon
	percent
)

// triggers has the trigger of each byte.
var triggers = func() (t [256]trigger) {
	for c := '0'; c <= '9'; c++ {
		t[c] = digit
	}
	t['@'], t[':'], t['%'] = at, colon, percent
	return t
}()

// maxDecode bounds the decoded text that is kept on the stack; longer text is
// decoded on the heap.
const maxDecode = 2048

// Scan appends the matches in s to dst, in the order of levels of encoding and
// then of their places. It keeps no reference to s.
func Scan(dst []Match, s string) []Match {
	base := len(dst)
	dst, encoded := scan(dst, s)
	if !encoded {
		return dst
	}
	var buf [maxDecode]byte
	out := buf[:0]
	if len(s) > maxDecode {
		out = make([]byte, 0, len(s))
	}
	out = appendDecoded(out, s)
	once := unsafe.String(unsafe.SliceData(out), len(out))
	first := len(dst)
	dst, encoded = scan(dst, once)
	outer := walker{s: s}
	for i := first; i < len(dst); i++ {
		dst[i].Start, dst[i].End = outer.to(dst[i].Start), outer.to(dst[i].End)
	}
	second := len(dst)
	if encoded {
		twice := string(appendDecoded(nil, once))
		dst, _ = scan(dst, twice)
		inner := walker{s: once}
		for i := second; i < len(dst); i++ {
			dst[i].Start = outer.to(inner.to(dst[i].Start))
			dst[i].End = outer.to(inner.to(dst[i].End))
		}
	}
	return dedupe(dst, base, first, second)
}

// Any reports whether s holds any personal data.
func Any(s string) bool {
	var buf [8]Match
	return len(Scan(buf[:0], s)) > 0
}

// scan is one pass over one level of encoding. encoded reports that there is
// percent-encoding in s.
func scan(dst []Match, s string) (_ []Match, encoded bool) {
	end := 0 // of the last match, which later ones do not enter
	for i := 0; i < len(s); {
		switch triggers[s[i]] {
		case none:
			i++
			continue
		case at:
			if m, ok := email(s, i); ok && m.Start >= end {
				dst, end = append(dst, m), m.End
				i = m.End
				continue
			}
			i++
		case percent:
			encoded = encoded || escape(s, i)
			i++
		case colon:
			m, next, ok := ipv6(s, i)
			if ok && m.Start >= end {
				dst, end = append(dst, m), m.End
			}
			i = next
		case digit:
			run := i + 1
			for run < len(s) && s[run]-'0' <= 9 {
				run++
			}
			if m, ok := number(s, i, run); ok && m.Start >= end {
				dst, end = append(dst, m), m.End
				run = m.End
			}
			i = run
		}
	}
	return dst, encoded
}

// number asks the detectors of values that begin with the run of digits
// s[i:run].
func number(s string, i, run int) (Match, bool) {
	n := run - i
	if n <= 3 {
		if run+1 < len(s) && s[run] == '.' && s[run+1]-'0' <= 9 {
			return ipv4(s, i, run)
		}
		return Match{}, false
	}
	if n == 4 || n >= minCard && n <= maxCard {
		return card(s, i, run)
	}
	return Match{}, false
}

// dedupe drops matches of a deeper level of encoding that overlap one of the
// same kind at a level above: the same value, whose match grows to cover both.
// m[base:first], m[first:second] and m[second:] are the levels, each in order.
func dedupe(m []Match, base, first, second int) []Match {
	keep := m[:first]
	raw := level{from: base, to: first}
	for _, n := range m[first:second] {
		if !raw.absorbs(keep, n) {
			keep = append(keep, n)
		}
	}
	raw, once := level{from: base, to: first}, level{from: first, to: len(keep)}
	for _, n := range m[second:] {
		if !raw.absorbs(keep, n) && !once.absorbs(keep, n) {
			keep = append(keep, n)
		}
	}
	return keep
}

// level walks over the matches of one level, in order.
type level struct{ from, to int }

// absorbs reports whether a match of the level overlaps n, which comes after
// the n of the call before, and lets it grow over n.
func (l *level) absorbs(m []Match, n Match) bool {
	for l.from < l.to && m[l.from].End <= n.Start {
		l.from++
	}
	for i := l.from; i < l.to && m[i].Start < n.End; i++ {
		if o := &m[i]; o.Kind == n.Kind {
			o.Start, o.End = min(o.Start, n.Start), max(o.End, n.End)
			return true
		}
	}
	return false
}

func isAlnum(c byte) bool {
	return c-'0' <= 9 || c|0x20 >= 'a' && c|0x20 <= 'z'
}

func isHex(c byte) bool {
	return c-'0' <= 9 || c|0x20 >= 'a' && c|0x20 <= 'f'
}
