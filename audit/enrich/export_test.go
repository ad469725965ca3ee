package enrich

import "github.com/tallystick/tallystick/masking/plain"

// Reveal reads a clear value in tests.
func Reveal(t plain.Text) string { return t.Reveal(access) }
