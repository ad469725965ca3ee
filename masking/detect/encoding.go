package detect

// escape reports whether s[i:] begins with a percent-encoded byte.
func escape(s string, i int) bool {
	return i+2 < len(s) && s[i] == '%' && isHex(s[i+1]) && isHex(s[i+2])
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// appendDecoded decodes percent-encoding once.
func appendDecoded(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if escape(s, i) {
			dst = append(dst, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
			continue
		}
		dst = append(dst, s[i])
	}
	return dst
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
	for ; w.at < n && w.raw < len(w.s); w.at++ {
		if escape(w.s, w.raw) {
			w.raw += 2
		}
		w.raw++
	}
	return w.raw
}
