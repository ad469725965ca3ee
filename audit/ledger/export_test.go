package ledger

// Seams for tests.
var (
	ScanMarks    = scanMarks
	SplitBundle  = splitBundle
	AppendBundle = appendBundle
	AppendMarks  = appendMarks
)
