package reencrypt

// The encoding is MessagePack: arrays of a fixed length, byte strings of bin 8
// and booleans, as the peers of the scheme write them. There is one encoding
// of each thing: a decoder refuses every other.

const (
	msgArray = 0x90
	msgBin8  = 0xc4
	msgFalse = 0xc2
	msgTrue  = 0xc3
)

func appendArray(b []byte, n int) []byte { return append(b, msgArray|byte(n)) }

func appendBin(b, v []byte) []byte {
	return append(append(b, msgBin8, byte(len(v))), v...)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, msgTrue)
	}
	return append(b, msgFalse)
}

// decoder reads an encoding. After the first error everything reads as nothing.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

func (d *decoder) next(n int) []byte {
	if d.err != nil || len(d.b) < n {
		d.fail(ErrEncoding)
		return nil
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) array(n int) {
	if v := d.next(1); v != nil && v[0] != msgArray|byte(n) {
		d.fail(ErrEncoding)
	}
}

// bin reads a byte string of whatever length it has.
func (d *decoder) bin() []byte {
	v := d.next(2)
	if v == nil || v[0] != msgBin8 {
		d.fail(ErrEncoding)
		return nil
	}
	return d.next(int(v[1]))
}

// exactly reads a byte string of a length into dst.
func (d *decoder) exactly(dst []byte) {
	v := d.bin()
	if d.err == nil && len(v) != len(dst) {
		d.fail(ErrEncoding)
	}
	copy(dst, v)
}

func (d *decoder) bool() bool {
	v := d.next(1)
	if v == nil || v[0] != msgTrue && v[0] != msgFalse {
		d.fail(ErrEncoding)
		return false
	}
	return v[0] == msgTrue
}

func (d *decoder) point(dst *point) {
	b := d.bin()
	if d.err != nil {
		return
	}
	p, err := parsePoint(b)
	if err != nil {
		d.fail(err)
	}
	*dst = p
}

// generator reads a point that should be U, without the square root if it is.
func (d *decoder) generator(dst *point) {
	if u := generatorU(); len(d.b) >= 2+pointSize && d.b[0] == msgBin8 && d.b[1] == pointSize && [pointSize]byte(d.b[2:2+pointSize]) == u.enc {
		d.next(2 + pointSize)
		*dst = u.point
		return
	}
	d.point(dst)
}

// end returns the first error, or ErrTrailing.
func (d *decoder) end() error {
	if d.err == nil && len(d.b) > 0 {
		d.err = ErrTrailing
	}
	return d.err
}
