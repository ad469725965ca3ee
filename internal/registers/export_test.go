package registers

import "time"

// SetClock replaces the clock of d.
func SetClock(d *DB, now func() time.Time) { d.now = now }
