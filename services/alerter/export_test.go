package alerter

import (
	"context"
	"time"

	"github.com/tallystick/tallystick/audit/alert"
)

// Consume is the work on one partition.
func (a *Alerter) Consume(ctx context.Context, p partition) error { return a.consume(ctx, p) }

// DeliverDue sends what is due to a receiver.
func (a *Alerter) DeliverDue(ctx context.Context, r alert.Notifier) (time.Duration, error) {
	return a.deliverDue(ctx, r)
}
