package parse

// AllASCII reports whether a line is ASCII without NUL.
func AllASCII(s string) bool { return allASCII(s) }

// StandsAt reports whether text stands in s at an offset.
func StandsAt(text, s string, offset int) bool {
	l := newLiteral(text)
	return l.at(s, offset)
}
