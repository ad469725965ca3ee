package parse

import "strings"

// piece is a literal or a variable of a format string, as a server's own lexer
// splits it.
type piece struct {
	literal string // when variable is nil
	slot    *slot
}

// percentPieces splits a format in which a percent sign begins a variable and
// two of them are one. variable reads one after its sign and returns the rest.
func percentPieces(s string, variable func(string) ([]piece, string, error)) ([]piece, error) {
	var pieces []piece
	for s != "" {
		literal, rest, ok := strings.Cut(s, "%")
		pieces = append(pieces, piece{literal: literal})
		if !ok {
			break
		}
		if s, ok = strings.CutPrefix(rest, "%"); ok {
			pieces = append(pieces, piece{literal: "%"})
			continue
		}
		p, rest, err := variable(rest)
		if err != nil {
			return nil, err
		}
		pieces, s = append(pieces, p...), rest
	}
	return pieces, nil
}
