package text

import "errors"

// Hint is an error with the next thing to try. The command line prints both on
// two lines: "error: ..." and "hint: ...".
type Hint struct {
	Err  error
	Hint string // a sentence or a command, no final full stop
}

func (h *Hint) Error() string { return h.Err.Error() }
func (h *Hint) Unwrap() error { return h.Err }

// HintOf returns the outermost hint in err's chain, or "".
func HintOf(err error) string {
	var h *Hint
	if errors.As(err, &h) {
		return h.Hint
	}
	return ""
}
