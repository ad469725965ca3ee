package detect

// maxGroups is the most groups that a number is written in.
const maxGroups = 8

// groups is a number as it is written: runs of digits between single
// separators. shape packs the length of each run and the separator after it
// into a byte, first run lowest, so that a way of writing is one constant.
type groups struct {
	n     int
	shape uint64 // of the first eight groups
	start [maxGroups]int
	end   [maxGroups]int
}

// The separators' codes in a shape.
const (
	dot   = 1
	dash  = 2
	slash = 3
	space = 4
)

// separators has the code of each separator; a plus is a space in a query.
var separators = [256]uint8{'.': dot, '-': dash, '/': slash, ' ': space, '+': space}

// read reads the groups of the number that begins with the run s[i:e].
func (g *groups) read(s string, i, e int) {
	for g.n, g.shape = 0, 0; ; {
		g.start[g.n], g.end[g.n] = i, e
		b := uint64(min(e-i, 15)) << 4
		if e+1 >= len(s) || g.n == maxGroups-1 || !isDigit(s[e+1]) || separators[s[e]] == 0 {
			g.shape |= b << (8 * g.n)
			g.n++
			return
		}
		g.shape |= (b | uint64(separators[s[e]])) << (8 * g.n)
		g.n++
		i = e + 1
		e = digitsEnd(s, i)
	}
}

// cut leaves the last group away, if only a space stands before it.
func (g *groups) cut() bool {
	if g.n < 2 || g.separator(g.n-2) != space {
		return false
	}
	g.n--
	g.shape &= uint64(1)<<(8*g.n) - 1
	g.shape &^= 0x0f << (8 * (g.n - 1))
	return true
}

// dotted reports whether a dot stands behind each of the first three groups: no
// number that is looked for is written so but an address.
func (g *groups) dotted() bool { return g.shape&0x0f0f0f == dot<<16|dot<<8|dot }

// separator is the one after group k.
func (g *groups) separator(k int) uint64 { return g.shape >> (8 * k) & 0x0f }

// way is a way of writing that says what a number can be.
type way uint8

const (
	_ way = iota
	wayCPF
	wayCNPJ
	wayPIS
	wayRijksregister
	wayNIR
	waySteuerID
	waySSN
	waySSNSpaced
	wayEIN
	wayRG
	wayNHS
	wayIMEI
	wayNIF
	wayCard
	wayDate
)

// wayTable has the ways by their shape, in open addressing.
type wayTable [64]struct {
	shape uint64
	way   way
}

var ways = func() (t wayTable) {
	t.add(wayCPF, 3, dot, 3, dot, 3, dash, 2)
	t.add(wayCNPJ, 2, dot, 3, dot, 3, slash, 4, dash, 2)
	t.add(wayPIS, 3, dot, 5, dot, 2, dash, 1)
	t.add(wayRijksregister, 2, dot, 2, dot, 2, dash, 3, dot, 2)
	t.add(wayNIR, 1, space, 2, space, 2, space, 2, space, 3, space, 3, space, 2)
	t.add(waySteuerID, 2, space, 3, space, 3, space, 3)
	t.add(waySSN, 3, dash, 2, dash, 4)
	t.add(waySSNSpaced, 3, space, 2, space, 4)
	t.add(wayEIN, 2, dash, 7)
	t.add(wayRG, 2, dot, 3, dot, 3, dash, 1)
	t.add(wayNHS, 3, space, 3, space, 4)
	t.add(wayNHS, 3, dash, 3, dash, 4)
	t.add(wayIMEI, 2, dash, 6, dash, 6, dash, 1)
	t.add(wayNIF, 3, space, 3, space, 3)
	for _, sep := range []uint64{space, dash} {
		t.add(wayCard, 4, sep, 4, sep, 4, sep, 4)
		t.add(wayCard, 4, sep, 6, sep, 5)
		t.add(wayCard, 4, sep, 6, sep, 4)
	}
	t.add(wayDate, 4, dash, 2, dash, 2)
	t.add(wayDate, 4, slash, 2, slash, 2)
	for _, sep := range []uint64{slash, dot, dash} {
		t.add(wayDate, 2, sep, 2, sep, 4)
	}
	return t
}()

// add enters lengths with the separators between them: 3, dot, 3, dash, 2.
func (t *wayTable) add(w way, parts ...uint64) {
	shape := uint64(0)
	for i := 0; i < len(parts); i += 2 {
		b := parts[i] << 4
		if i+1 < len(parts) {
			b |= parts[i+1]
		}
		shape |= b << (4 * i)
	}
	i := slotOf(shape)
	for t[i].way != 0 {
		i = (i + 1) % uint64(len(t))
	}
	t[i].shape, t[i].way = shape, w
}

func slotOf(shape uint64) uint64 { return shape * 0x9e3779b97f4a7c15 >> 58 }

func (t *wayTable) of(shape uint64) way {
	for i := slotOf(shape); t[i].way != 0; i = (i + 1) % uint64(len(t)) {
		if t[i].shape == shape {
			return t[i].way
		}
	}
	return 0
}
