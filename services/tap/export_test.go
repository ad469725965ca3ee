package tap

import "time"

// NewPace returns what pauses a source: by whether a run had few lines, and when
// it came.
func NewPace() func(few bool, now time.Time) time.Duration { return new(pace).after }
