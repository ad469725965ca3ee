package detect

// TriggersFrom and TriggersByWords are what the block of a text from an offset on
// has, as the pass asks for it and with eight bytes at a time.
var (
	TriggersFrom    = triggersFrom
	TriggersByWords = triggersByWords
)

// BlockSize is how many bytes are looked over at once.
const BlockSize = blockSize

// Triggers reports whether a byte triggers anything when all kinds are on.
func Triggers(c byte) bool { return Default().class[c]&trigger != 0 }

// DigitsEnd is where a run of digits ends.
var DigitsEnd = digitsEnd

// MayEscape is where the next byte stands that can begin an escape.
var MayEscape = mayEscape

// ValidLuhn is the Luhn check of a number in a text.
func ValidLuhn(s string) bool {
	var d [maxDigits]byte
	return validLuhn(&d, digits(&d, s, 0, len(s)))
}
