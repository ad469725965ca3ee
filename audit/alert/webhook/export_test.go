package webhook

// Seams for tests.
var (
	CheckAddr  = checkAddr
	RetryAfter = retryAfter
	ErrGuard   = errGuard
)
