package detect

import (
	"encoding/base64"
	bits64 "math/bits"
	"slices"
	"strings"
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
		var sp spread
		b[level], sp = decode(b[level][:0], sc.s[from:to], mayEscape(sc.s[from:to], 0))
		first := len(sc.dst)
		d.within(sc, b, level)
		for i := first; i < len(sc.dst); i++ {
			m := &sc.dst[i]
			m.Start, m.End = from+sp.at(m.Start), from+sp.at(m.End)
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
	var in scanner
	in.begin(d, "", unsafe.String(unsafe.SliceData(b[level]), len(b[level])), sc.dst)
	first := len(in.dst)
	in.all()
	if in.encoded || in.packed > 0 {
		d.deeper(&in, first, b, level+1)
	}
	sc.dst = in.dst
}

// window is the part of a text that its escapes are in: the parameters of a
// query with percent-encoding, or what is within reach of an escape of JSON.
func (sc *scanner) window() (from, to int) {
	s := sc.s
	if !sc.slashed {
		return parameterStart(s, sc.first), parameterEnd(s, sc.last)
	}
	from, to = max(0, sc.first-reach), min(len(s), sc.last+reach)
	from = strings.LastIndexByte(s[:from], ' ') + 1
	if n := strings.IndexByte(s[to:], ' '); n >= 0 {
		return from, to + n
	}
	return from, len(s)
}

// parameterStart is the offset behind the last byte before s[i] that ends a
// parameter.
func parameterStart(s string, i int) int {
	for ; i >= 8; i -= 8 {
		if ends := parameterEnds(eight(s, i-8)); ends != 0 {
			return i - bits64.LeadingZeros64(ends)>>3
		}
	}
	for i > 0 && parameterEnds(uint64(s[i-1])) == 0 {
		i--
	}
	return i
}

// parameterEnd is the offset of the first byte from s[i] on that ends a parameter.
func parameterEnd(s string, i int) int {
	for ; i < len(s); i += 8 {
		if ends := parameterEnds(word(s, i)); ends != 0 {
			return i + bits64.TrailingZeros64(ends)>>3
		}
	}
	return len(s)
}

// parameterEnds has the high bit of each byte of x that ends a parameter of a
// query: space, quote, &, ; and ?.
func parameterEnds(x uint64) uint64 {
	const ones, sevens, highs = 0x0101010101010101, 0x7f7f7f7f7f7f7f7f, 0x8080808080808080
	// With 0x7f on top every byte but zero has the high bit. Space and quote differ
	// in one bit, which is left out, and so do ; and ?.
	w := x & sevens
	none := (w&^(0x02*ones) ^ ' '*ones + sevens) & (w&^(0x04*ones) ^ ';'*ones + sevens) & (w ^ '&'*ones + sevens)
	return ^(none | x) & highs
}

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
	keep, from := first, 0
next:
	for k := range deeper {
		n := &deeper[k]
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
		if keep != first+k {
			m[keep] = *n
		}
		keep++
	}
	return m[:keep]
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
