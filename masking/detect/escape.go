package detect

import (
	bits64 "math/bits"
	"unicode/utf8"
	"unsafe"
)

// Decode is a value that was found without its escapes, however often they were
// put around it. What stands within base64 is left as it is. A value with escapes
// is decoded in buf: the text that is returned lasts until the buffer, which is
// returned too, is used again.
func Decode(buf []byte, s string) (string, []byte) {
	for range maxLevels {
		i := mayEscape(s, 0)
		if i == len(s) {
			break
		}
		var sp spread
		buf, sp = decode(buf[:0], s, i) // in its place from the second level on: it does not grow
		s = unsafe.String(unsafe.SliceData(buf), len(buf))
		if !sp.again {
			break
		}
	}
	return s, buf
}

// mayEscape is the offset of the first byte from i on that can begin an escape,
// len(s) if there is none.
func mayEscape(s string, i int) int {
	const ones, sevens, highs = 0x0101010101010101, 0x7f7f7f7f7f7f7f7f, 0x8080808080808080
	for ; i < len(s); i += 8 {
		var w uint64
		if i+8 <= len(s) {
			w = eight(s, i)
		} else {
			w = word(s, i)
		}
		x := w & sevens // with 0x7f on top every byte of it but zero has the high bit
		percent, slash := (x^'%'*ones)+sevens, (x^'\\'*ones)+sevens
		if hit := ^(percent&slash | w) & highs; hit != 0 {
			return i + bits64.TrailingZeros64(hit)>>3
		}
	}
	return len(s)
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

// decode appends s without one level of escapes. The first that may be one is at
// offset i.
func decode(dst []byte, s string, i int) ([]byte, spread) {
	base, done, sp := len(dst), 0, spread{s: s}
	for ; i < len(s); i = mayEscape(s, i) {
		n := escaped(s, i)
		if n == 0 {
			sp.again = true // what follows may make it one
			i++
			continue
		}
		if done == 0 {
			sp.first = i
		}
		dst = appendEscape(append(dst, s[done:i]...), s, i, n)
		c := dst[len(dst)-1]
		sp.again = sp.again || c == '%' || c == '\\'
		i += n
		done = i
	}
	if done == 0 {
		sp.first = len(s)
	}
	sp.last = len(dst) - base
	sp.more = done - sp.last
	return append(dst, s[done:]...), sp
}

// spread maps offsets in decoded text back to offsets in the text. Offsets that
// grow cost one walk over the escapes together.
type spread struct {
	s     string
	first int  // offset in s of the first escape, len(s) if there is none
	last  int  // offset in s decoded behind the last escape
	more  int  // how much longer s is up to there
	again bool // there may be escapes in s decoded

	raw, decoded int // where the walk is
}

// at is the offset in s of what stands at offset n of s decoded.
func (sp *spread) at(n int) int {
	switch {
	case n <= sp.first:
		return n
	case n >= sp.last:
		return n + sp.more
	}
	if n < sp.decoded || sp.raw < sp.first {
		sp.raw, sp.decoded = sp.first, sp.first
	}
	for sp.decoded < n {
		if c := sp.s[sp.raw]; c == '%' || c == '\\' {
			if k := escaped(sp.s, sp.raw); k > 0 {
				var b [utf8.UTFMax]byte
				sp.decoded += len(appendEscape(b[:0], sp.s, sp.raw, k))
				sp.raw += k
				continue
			}
		}
		sp.raw++
		sp.decoded++
	}
	return sp.raw
}
