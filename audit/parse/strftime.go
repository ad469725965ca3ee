package parse

import (
	"fmt"
	"strings"
	"time"
)

// strftime is a time pattern of C's strftime whose every part has a fixed
// width, so that the value's end is known whatever follows it.
type strftime struct {
	parts []strfPart
	width int
}

// strfPart is a directive, or the literal byte c when directive is 0.
type strfPart struct{ directive, c byte }

// strfWidths are the widths of the directives that are understood.
var strfWidths = map[byte]int{'Y': 4, 'm': 2, 'd': 2, 'H': 2, 'M': 2, 'S': 2, 'b': 3, 'h': 3, 'a': 3, 'z': 5, 'y': 2, 'e': 2, 's': 10}

// newStrftime compiles a pattern.
func newStrftime(pattern string) (*strftime, error) {
	pattern = strings.NewReplacer("%T", "%H:%M:%S", "%F", "%Y-%m-%d", "%D", "%m/%d/%y", "%R", "%H:%M", "%%", "%").Replace(pattern)
	f := &strftime{}
	for i := 0; i < len(pattern); i++ {
		if pattern[i] != '%' {
			f.parts = append(f.parts, strfPart{c: pattern[i]})
			f.width++
			continue
		}
		if i++; i == len(pattern) {
			return nil, fmt.Errorf("the time pattern ends with a percent sign")
		}
		w, ok := strfWidths[pattern[i]]
		if !ok {
			return nil, fmt.Errorf("the time pattern has %%%c, which has no fixed width: use %%Y %%m %%d %%H %%M %%S %%b %%z %%s", pattern[i])
		}
		f.parts = append(f.parts, strfPart{directive: pattern[i]})
		f.width += w
	}
	return f, nil
}

// whole reports whether the pattern gives a date and a clock, or a number of
// seconds.
func (f *strftime) whole() bool {
	var has [256]bool
	for _, p := range f.parts {
		has[p.directive] = true
	}
	return has['s'] || (has['Y'] || has['y']) && (has['m'] || has['b'] || has['h']) && (has['d'] || has['e']) && has['H'] && has['M'] && has['S']
}

// zoneOnly reports whether the pattern is %z alone.
func (f *strftime) zoneOnly() bool {
	return len(f.parts) == 1 && f.parts[0].directive == 'z'
}

// parse reads a value.
func (f *strftime) parse(s string, loc *time.Location) (t time.Time, zoned, ok bool) {
	if len(s) != f.width {
		return time.Time{}, false, false
	}
	year, month, day, hour, minute, second, zone, pos := 1, 1, 1, 0, 0, 0, 0, 0
	for _, p := range f.parts {
		if p.directive == 0 {
			if s[pos] != p.c {
				return time.Time{}, false, false
			}
			pos++
			continue
		}
		w := strfWidths[p.directive]
		v := s[pos : pos+w]
		pos += w
		switch p.directive {
		case 'Y':
			year = digits(v, 0, 4)
		case 'y':
			year = 2000 + digits(v, 0, 2)
		case 'm':
			month = digits(v, 0, 2)
		case 'b', 'h':
			month = monthOf(v)
		case 'd':
			day = digits(v, 0, 2)
		case 'e':
			day = digits(strings.Replace(v, " ", "0", 1), 0, 2)
		case 'H':
			hour = digits(v, 0, 2)
		case 'M':
			minute = digits(v, 0, 2)
		case 'S':
			second = digits(v, 0, 2)
		case 'z':
			var n int
			if n, zone = zoneLen(v); n != w {
				return time.Time{}, false, false
			}
			zoned = true
		case 's':
			n, isInt := parseUint(v)
			return time.Unix(int64(n), 0).UTC(), true, isInt
		}
	}
	if t, ok = civil(year, month, day, hour, minute, second, 0); !ok {
		return time.Time{}, false, false
	}
	if zoned {
		return t.Add(-time.Duration(zone) * time.Second), true, true
	}
	return inZone(t, loc), false, true
}
