package file

import (
	"path/filepath"
	"strconv"
	"strings"
)

// BasePath is path without what rotation adds to it: .1, .old, -20261121,
// .2026-11-21-08, -1795000000 and .gz, also before the extension
// (shop-20261121.log). Files of one base path are generations of one log.
func BasePath(path string) string {
	dir, name := filepath.Split(path)
	for _, ext := range []string{".gz", ".zst", ".bz2", ".xz"} {
		if s, ok := strings.CutSuffix(name, ext); ok && s != "" {
			name = s
			break
		}
	}
	if s := trimRotation(name); s != name {
		return dir + s
	}
	if ext := filepath.Ext(name); len(ext) > 1 && strings.Trim(ext[1:], "0123456789") != "" {
		name = trimRotation(strings.TrimSuffix(name, ext)) + ext
	}
	return dir + name
}

// trimRotation cuts a rotation suffix off name; a name that would be left
// empty stays as it is.
func trimRotation(name string) string {
	if s, ok := strings.CutSuffix(name, ".old"); ok && s != "" {
		return s
	}
	i := len(name)
	for i > 0 && (isDigit(name[i-1]) || (name[i-1] == '-' || name[i-1] == '_' || name[i-1] == 'T') && i < len(name) && isDigit(name[i])) {
		i--
	}
	// name[i:] begins with a digit or with a separator before one.
	digits := name[i:]
	sep := byte(0)
	switch {
	case digits == "":
		return name
	case !isDigit(digits[0]):
		sep, digits = digits[0], digits[1:]
	case i > 0 && name[i-1] == '.':
		i--
		sep = '.'
	}
	if i == 0 || sep == 0 || sep == 'T' {
		return name
	}
	compact := strings.NewReplacer("-", "", "_", "", "T", "").Replace(digits)
	number := compact == digits && len(digits) <= 4
	switch {
	case sep == '.' && number: // .1 to .9999
		return name[:i]
	case number: // shop-2.log is a log of its own
		return name
	case looksLikeDate(compact), len(compact) == 10 && compact[0] == '1':
		return name[:i]
	}
	return name
}

// olderName orders rotated files of the same age by name: .2 before .1, and
// dates as they are.
func olderName(a, b string) bool {
	na, nb := rotation(a), rotation(b)
	if na > 0 && nb > 0 && na != nb {
		return na > nb
	}
	return a < b
}

// rotation is the number in shop.log.3.gz, 0 if there is none.
func rotation(path string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(filepath.Ext(strings.TrimSuffix(path, ".gz")), "."))
	if err != nil || n > 9999 {
		return 0
	}
	return n
}

// looksLikeDate accepts YYYYMMDD with up to six digits of time behind it.
func looksLikeDate(s string) bool {
	if len(s) < 8 || len(s) > 14 {
		return false
	}
	month, day := s[4:6], s[6:8]
	return (s[:2] == "19" || s[:2] == "20") && month >= "01" && month <= "12" && day >= "01" && day <= "31"
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
