package detect

// isDate reports whether a value is a day between 1900 and 2030.
func isDate(v string) bool {
	if len(v) > 10 && (v[10] == 'T' || v[10] == ' ') {
		v = v[:10]
	}
	var g groups
	n := 0
	for n < len(v) && isDigit(v[n]) {
		n++
	}
	if n == 0 || !only(v, "0123456789-/.") {
		return false
	}
	if n == 8 && len(v) == 8 {
		return isDay(small(v, 0, 4), small(v, 4, 6), small(v, 6, 8))
	}
	g.read(v, 0, n)
	if g.n != 3 || g.end[2] != len(v) || n > 4 {
		return false
	}
	a, b, c := small(v, g.start[0], g.end[0]), small(v, g.start[1], g.end[1]), small(v, g.start[2], g.end[2])
	if n == 4 {
		return isDay(a, b, c)
	}
	return isDay(c, b, a) || isDay(c, a, b)
}

func isDay(year, month, day int) bool {
	return year >= 1900 && year <= 2030 && date(month, day)
}

// bornOn emits a date behind a word for birth.
func (sc *scanner) bornOn(start, end int) bool {
	if !sc.d.on.has(birthDate) || !alone(sc.s, start, end) || !isDate(sc.s[start:end]) || !sc.context(start).kinds.has(birthDate) {
		return false
	}
	return sc.emit(birthDate, start, end, 85, false)
}
