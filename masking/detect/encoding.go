package detect

import (
	"encoding/base64"
	"slices"
	"sync"
	"unicode/utf8"
	"unsafe"
)

// maxLevels is how often a text is decoded: a query in a JSON text in base64 in
// a query.
const maxLevels = 4

// reach is how far before and behind the escapes of JSON the text is decoded
// too, so that names and whole values are seen. It ends at the next space.
const reach = 96

// buffers hold decoded text, one for each level.
type buffers [maxLevels][]byte

var pool = sync.Pool{New: func() any { return new(buffers) }}

// inner scans what is encoded in a text that sc has scanned. Its matches are
// sc.dst[base:].
func (d *Detector) inner(sc *scanner, base int) []Match {
	b := pool.Get().(*buffers)
	d.deeper(sc, base, b, 0)
	pool.Put(b)
	return sc.dst
}

// deeper decodes what sc saw encoded, scans it and maps the places back to the
// text of sc.
func (d *Detector) deeper(sc *scanner, base int, b *buffers, level int) {
	if level == maxLevels {
		return
	}
	if sc.encoded {
		from, to := sc.window()
		b[level] = appendDecoded(b[level][:0], sc.s[from:to])
		first := len(sc.dst)
		d.within(sc, b, level)
		w := walker{s: sc.s[from:to]}
		for i := first; i < len(sc.dst); i++ {
			m := &sc.dst[i]
			m.Start, m.End = from+w.to(m.Start), from+w.to(m.End)
		}
		sc.dst = merge(sc.dst, base, first)
	}
	for _, p := range sc.words[:sc.packed] {
		var ok bool
		if b[level], ok = unpack(b[level][:0], sc.s[p.start:p.end]); !ok {
			continue
		}
		first := len(sc.dst)
		d.within(sc, b, level)
		for i := first; i < len(sc.dst); i++ {
			m := &sc.dst[i]
			m.Start, m.End = p.start+m.Start*4/3, min(p.start+(m.End*4+2)/3, p.end)
		}
		sc.dst = merge(sc.dst, base, first)
	}
}

// within scans the text in b[level] and what is encoded in it; it appends to
// sc.dst with places in that text.
func (d *Detector) within(sc *scanner, b *buffers, level int) {
	in := scanner{d: d, s: unsafe.String(unsafe.SliceData(b[level]), len(b[level])), dst: sc.dst}
	first := len(in.dst)
	in.all()
	d.deeper(&in, first, b, level+1)
	sc.dst = in.dst
}

// window is the part of a text that its escapes are in: the parameters of a
// query with percent-encoding, or what is within reach of an escape of JSON.
func (sc *scanner) window() (from, to int) {
	s := sc.s
	from, to = sc.first, sc.last
	stops := &parameterEnds
	if sc.slashed {
		from, to = max(0, from-reach), min(len(s), to+reach)
		stops = &wordEnds
	}
	for from > 0 && !stops[s[from-1]] {
		from--
	}
	for to < len(s) && !stops[s[to]] {
		to++
	}
	return from, to
}

// The bytes that a window ends at.
var (
	parameterEnds = [256]bool{' ': true, '&': true, '?': true, '"': true, ';': true}
	wordEnds      = [256]bool{' ': true}
)

// merge drops matches of a deeper level, m[first:], that overlap one of the same
// kind of the levels above, m[base:first]: the same value, whose match grows to
// cover both. A deeper match that lies within another kind is a part of that.
func merge(m []Match, base, first int) []Match {
	above, deeper := m[base:first], m[first:]
	if len(deeper) == 0 {
		return m
	}
	Sort(above)
	Sort(deeper)
	keep, from := m[:first], 0
next:
	for _, n := range deeper {
		for from < len(above) && above[from].End <= n.Start {
			from++
		}
		for i := from; i < len(above) && above[i].Start < n.End; i++ {
			o := &above[i]
			if o.End <= n.Start {
				continue
			}
			if o.Kind == n.Kind {
				o.Start, o.End = min(o.Start, n.Start), max(o.End, n.End)
				o.Validated = o.Validated || n.Validated
				continue next
			}
			if o.Start <= n.Start && n.End <= o.End {
				continue next
			}
		}
		keep = append(keep, n)
	}
	return keep
}

// few is how many matches are put in order by moving each to its place: those of
// one level are nearly in order.
const few = 12

// Sort puts matches in the order of their places.
func Sort(m []Match) {
	if len(m) > few {
		slices.SortFunc(m, byPlace)
		return
	}
	for i := 1; i < len(m); i++ {
		k := i
		for k > 0 && before(&m[i], &m[k-1]) {
			k--
		}
		if k < i {
			moved := m[i]
			copy(m[k+1:i+1], m[k:i])
			m[k] = moved
		}
	}
}

// Decode is a value that was found without its escapes, however often they were
// put around it. What stands within base64 is left as it is.
func Decode(s string) string {
	for range maxLevels {
		i := mayEscape(s, 0)
		for i < len(s) && escaped(s, i) == 0 {
			i = mayEscape(s, i+1)
		}
		if i == len(s) {
			break
		}
		s = string(appendDecoded(make([]byte, 0, len(s)), s))
	}
	return s
}

func byPlace(a, b Match) int {
	switch {
	case before(&a, &b):
		return -1
	case before(&b, &a):
		return 1
	}
	return 0
}

func before(a, b *Match) bool { return a.Start < b.Start || a.Start == b.Start && a.End < b.End }

// mayEscape is the offset of the first byte from i on that can begin an escape,
// len(s) if there is none.
func mayEscape(s string, i int) int {
	for i < len(s) && s[i] != '%' && s[i] != '\\' {
		i++
	}
	return i
}

// escaped is the length of the escape that s[i:] begins with, 0 if it begins
// with none: %41, \u0041, \x41, and the short ones of JSON.
func escaped(s string, i int) int {
	if s[i] == '%' {
		if i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			return 3
		}
		return 0
	}
	if i+1 == len(s) {
		return 0
	}
	switch s[i+1] {
	case 'u':
		if i+5 < len(s) && isHex(s[i+2]) && isHex(s[i+3]) && isHex(s[i+4]) && isHex(s[i+5]) {
			return 6
		}
	case 'x':
		if i+3 < len(s) && isHex(s[i+2]) && isHex(s[i+3]) {
			return 4
		}
	case '"', '/', '\\', 'n', 't', 'r':
		return 2
	}
	return 0
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// appendEscape decodes the escape s[i:i+n].
func appendEscape(dst []byte, s string, i, n int) []byte {
	switch n {
	case 3, 4:
		return append(dst, unhex(s[i+n-2])<<4|unhex(s[i+n-1]))
	case 6:
		r := rune(unhex(s[i+2]))<<12 | rune(unhex(s[i+3]))<<8 | rune(unhex(s[i+4]))<<4 | rune(unhex(s[i+5]))
		return utf8.AppendRune(dst, r)
	}
	switch c := s[i+1]; c {
	case 'n', 't', 'r':
		return append(dst, ' ')
	default:
		return append(dst, c)
	}
}

// appendDecoded decodes one level of escapes.
func appendDecoded(dst []byte, s string) []byte {
	done := 0
	for i := mayEscape(s, 0); i < len(s); i = mayEscape(s, i) {
		n := escaped(s, i)
		if n == 0 {
			i++
			continue
		}
		dst = appendEscape(append(dst, s[done:i]...), s, i, n)
		i += n
		done = i
	}
	return append(dst, s[done:]...)
}

// walker maps offsets in decoded text back to offsets in the text. Offsets that
// grow cost one walk over the text together.
type walker struct {
	s       string
	raw, at int // offset in s, and in s decoded
}

// to is the offset in s of what stands at offset n of s decoded.
func (w *walker) to(n int) int {
	if n < w.at {
		w.raw, w.at = 0, 0
	}
	for w.at < n && w.raw < len(w.s) {
		if c := w.s[w.raw]; c == '%' || c == '\\' {
			if k := escaped(w.s, w.raw); k > 0 {
				var b [utf8.UTFMax]byte
				w.at += len(appendEscape(b[:0], w.s, w.raw, k))
				w.raw += k
				continue
			}
		}
		w.raw++
		w.at++
	}
	return w.raw
}

// unpack decodes base64 in its usual or URL alphabet. ok is false if it is no
// text.
func unpack(dst []byte, s string) ([]byte, bool) {
	enc := base64.RawStdEncoding
	for len(s) > 0 && s[len(s)-1] == '=' {
		s = s[:len(s)-1]
	}
	for i := range len(s) {
		if s[i] == '-' || s[i] == '_' {
			enc = base64.RawURLEncoding
		}
	}
	n := enc.DecodedLen(len(s))
	if cap(dst) < n {
		dst = make([]byte, 0, n+n/2)
	}
	n, err := enc.Decode(dst[:n], unsafe.Slice(unsafe.StringData(s), len(s)))
	if err != nil || !isText(dst[:n]) {
		return dst[:0], false
	}
	return dst[:n], true
}

// isText reports whether b is UTF-8 without control characters.
func isText(b []byte) bool {
	for _, c := range b {
		if c < 0x20 && c != '\n' && c != '\t' && c != '\r' || c == 0x7f {
			return false
		}
	}
	return utf8.Valid(b)
}
