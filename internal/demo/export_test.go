package demo

import "time"

// Violations appends each kind of live violation to the logs in dir once.
func Violations(dir string, at time.Time) error {
	l, err := openLive(dir)
	if err != nil {
		return err
	}
	defer l.close()
	for range 5 {
		if err := l.violation(at); err != nil {
			return err
		}
	}
	return nil
}
