package alert

import (
	"context"
	"errors"
	"time"
)

// Notifier sends notices to one receiver.
type Notifier interface {
	// Name is the receiver's, unique among receivers.
	Name() string
	// Target identifies where it sends to; a changed target is another receiver.
	Target() string
	// Notify sends body under an id that stays the same over all tries. An error
	// says what happened without a value of body. retryable tells whether
	// another try can help; ErrGone means that the receiver wants no more.
	Notify(ctx context.Context, id string, body []byte) (retryable bool, err error)
}

// ErrGone is returned by a Notifier whose receiver is gone for good.
var ErrGone = errors.New("the receiver is gone")

// WaitError is a failed try whose receiver said how long to wait.
type WaitError struct {
	Wait time.Duration
	Err  error
}

func (e *WaitError) Error() string { return e.Err.Error() }
func (e *WaitError) Unwrap() error { return e.Err }
