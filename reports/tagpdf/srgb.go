package tagpdf

import (
	"encoding/binary"
	"math"
)

// srgb is an ICC version 2.1 display profile of the sRGB colour space: the
// primaries of IEC 61966-2-1 adapted to D50 and its transfer curve as a table.
// It is made here, so that no profile file has to be licensed or carried.
func srgb() []byte {
	type tag struct {
		name string
		data []byte
	}
	u16 := func(b []byte, v int) []byte { return binary.BigEndian.AppendUint16(b, uint16(v)) }
	u32 := func(b []byte, v int) []byte { return binary.BigEndian.AppendUint32(b, uint32(int32(v))) }
	fixed := func(b []byte, f float64) []byte { return u32(b, int(math.Round(f*65536))) }
	xyz := func(x, y, z float64) []byte {
		b := append([]byte("XYZ "), 0, 0, 0, 0)
		return fixed(fixed(fixed(b, x), y), z)
	}
	const name = "sRGB IEC61966-2.1"
	desc := append([]byte("desc"), 0, 0, 0, 0)
	desc = append(append(u32(desc, len(name)+1), name...), 0)
	desc = append(desc, make([]byte, 4+4+2+1+67)...) // no Unicode and no Macintosh name
	cprt := append(append([]byte("text"), 0, 0, 0, 0), "No copyright, use freely\x00"...)
	const steps = 1024
	curve := append([]byte("curv"), 0, 0, 0, 0)
	curve = u32(curve, steps)
	for i := range steps {
		v := float64(i) / (steps - 1)
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		curve = u16(curve, int(math.Round(v*65535)))
	}
	tags := []tag{
		{"desc", desc}, {"cprt", cprt}, {"wtpt", xyz(0.9642, 1, 0.82491)},
		{"rXYZ", xyz(0.43607, 0.22249, 0.01392)}, {"gXYZ", xyz(0.38515, 0.71687, 0.09708)}, {"bXYZ", xyz(0.14307, 0.06061, 0.7141)},
		{"rTRC", curve}, {"gTRC", curve}, {"bTRC", curve},
	}
	table := u32(nil, len(tags))
	var body []byte
	start := 128 + 4 + 12*len(tags)
	shared := map[string]int{}
	for _, t := range tags {
		off, ok := shared[string(t.data)]
		if !ok {
			for len(body)%4 != 0 {
				body = append(body, 0)
			}
			off = start + len(body)
			shared[string(t.data)] = off
			body = append(body, t.data...)
		}
		table = u32(u32(append(table, t.name...), off), len(t.data))
	}
	h := u32(nil, start+len(body))
	h = append(h, 0, 0, 0, 0)
	h = u32(h, 0x02100000)
	h = append(h, "mntrRGB XYZ "...)
	for _, v := range []int{2026, 1, 1, 0, 0, 0} {
		h = u16(h, v)
	}
	h = append(h, "acsp"...)
	h = append(h, make([]byte, 4*7)...) // platform, flags, device, attributes, intent
	h = fixed(fixed(fixed(h, 0.9642), 1), 0.82491)
	h = append(h, make([]byte, 128-len(h))...)
	return append(append(h, table...), body...)
}
