package datamap

import (
	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/plainaccess"
)

// RevealForTest reads a clear value in tests.
func RevealForTest(t plain.Text) string { return t.Reveal(plainaccess.Token{}) }

// CommonWords is the closed list of words.
const CommonWords = commonWords
