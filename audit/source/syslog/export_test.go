package syslog

import "io"

// Frames takes all frames off a stream.
func Frames(r io.Reader, each func(frame []byte, length int)) error {
	f := newFrames(r)
	for {
		b, n, err := f.next()
		if err != nil {
			return err
		}
		each(b, n)
	}
}

// ErrFraming is errFraming.
var ErrFraming = errFraming
