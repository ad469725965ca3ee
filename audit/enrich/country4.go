package enrich

import "net/netip"

// run are networks of 24 bits that follow each other under the same 16 and have
// one country: from the third byte first on, until the next run.
type run struct {
	first byte
	code  uint16
}

// of4 returns the code of an IPv4 network of 24 bits. What lies under its first
// 16 bits is read from the table once: a walk from the top for each address
// waits for memory twenty times.
func (t *Country) of4(a, b, c byte) uint16 {
	slot := &t.v4[uint16(a)<<8|uint16(b)]
	p := slot.Load()
	if p == nil {
		runs := t.runs(a, b)
		if p = &runs; len(runs) == 1 {
			p = &t.whole[runs[0].code]
		}
		slot.Store(p)
	}
	runs := *p
	from, until := 0, len(runs)
	for until-from > 1 {
		if at := (from + until) / 2; runs[at].first <= c {
			from = at
		} else {
			until = at
		}
	}
	return runs[from].code
}

// runs reads the networks under 16 bits. Where one of 24 is divided further, the
// country of its first address counts. The first run begins at 0.
func (t *Country) runs(a, b byte) []run {
	var codes [256]uint16
	for r := range t.reader.NetworksWithin(netip.PrefixFrom(netip.AddrFrom4([4]byte{a, b}), 16)) {
		p := r.Prefix()
		if r.Err() != nil || !p.Addr().Is4() {
			continue
		}
		at := p.Addr().As4()
		first, last := int(at[2]), int(at[2])
		switch bits := p.Bits(); {
		case bits <= 16:
			first, last = 0, 255
		case bits < 24:
			last = first + 1<<(24-bits) - 1
		case at[3] != 0:
			continue
		}
		code := t.find(r)
		for i := first; i <= last; i++ {
			codes[i] = code
		}
	}
	n := 1
	for i := 1; i < len(codes); i++ {
		if codes[i] != codes[i-1] {
			n++
		}
	}
	runs := make([]run, 1, n)
	runs[0] = run{0, codes[0]}
	for i := 1; i < len(codes); i++ {
		if codes[i] != codes[i-1] {
			runs = append(runs, run{byte(i), codes[i]})
		}
	}
	return runs
}
