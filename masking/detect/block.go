package detect

import (
	"encoding/binary"
	"unsafe"
)

// blockSize is how many bytes are looked over at once for those that may trigger
// something: J, %, the backslash, and 0 to @, which are the digits and their
// neighbours.
const blockSize = 64

// triggersFrom has a bit for each of the block of bytes from s[i] on that may
// trigger something: s[i]'s is the lowest.
func triggersFrom(s string, i int) uint64 {
	rest := len(s) - i
	switch {
	case rest >= 16:
		return triggers(s, i, min(rest, blockSize))
	case len(s) >= 16:
		return triggers(s, len(s)-16, 16) >> (16 - rest)
	}
	return triggersByWords(s, i, rest)
}

// triggersByWords is triggers with eight bytes at a time, for any n up to 64.
func triggersByWords(s string, i, n int) (hits uint64) {
	for k := 0; k < n; k += 8 {
		hits |= triggersOf(word(s[:i+n], i+k)) << k
	}
	return hits
}

// word is the eight bytes from s[i] on, zeros behind the last.
func word(s string, i int) (w uint64) {
	if i+8 <= len(s) {
		return eight(s, i)
	}
	if len(s) >= 8 {
		return eight(s, len(s)-8) >> (8 * uint(i+8-len(s)))
	}
	for k := len(s) - 1; k >= i; k-- {
		w = w<<8 | uint64(s[k])
	}
	return w
}

// eight is the eight bytes from s[i] on, which the caller knows to be there: a
// slice of them would be checked again.
func eight(s string, i int) uint64 {
	return binary.LittleEndian.Uint64((*[8]byte)(unsafe.Add(unsafe.Pointer(unsafe.StringData(s)), i))[:])
}

// triggersOf has a bit for each byte of x.
func triggersOf(x uint64) uint64 {
	const ones, sevens, highs = 0x0101010101010101, 0x7f7f7f7f7f7f7f7f, 0x8080808080808080
	// Seven bits of each byte leave room for a sum: with 0x7f on top every byte
	// but zero has the high bit, with 0x80 - c those from c on.
	w := x & sevens
	within := (w + (0x80-'0')*ones) &^ (w + (0x80-'A')*ones)
	others := (w ^ 'J'*ones + sevens) & (w ^ '%'*ones + sevens) & (w ^ '\\'*ones + sevens)
	high := (within | ^others) &^ x & highs
	return high >> 7 * 0x0102040810204080 >> 56 // the factor brings them together in the highest byte
}
