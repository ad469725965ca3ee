package detect

// triggers has a bit for each of the n bytes from s[i] on, 16 to 64, that may
// trigger something: s[i]'s is the lowest.
//
//go:noescape
func triggers(s string, i, n int) uint64
