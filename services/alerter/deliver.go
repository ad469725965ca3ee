package alerter

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/tallystick/tallystick/audit/alert"
	"github.com/tallystick/tallystick/internal/registers"
)

const (
	deliverPoll  = time.Second // how often the outbox is looked at without a wake
	deliverBatch = 20
	maxPause     = time.Minute // of a receiver after a failed try
)

// deliver sends what is due to one receiver until ctx ends.
func (a *Alerter) deliver(ctx context.Context, r alert.Notifier) {
	for {
		pause, err := a.deliverDue(ctx, r)
		if err != nil && ctx.Err() == nil {
			a.m.errors.Inc()
			a.deps.Logger.Error("the outbox cannot be worked off and is tried again", "receiver", r.Name(), "error", err)
		}
		timer := time.NewTimer(max(pause, deliverPoll))
		wake := a.wake[r.Name()]
		if pause > 0 {
			wake = nil // it failed a moment ago
		}
		select {
		case <-ctx.Done():
		case <-wake:
		case <-timer.C:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// deliverDue sends what is due. It stops at the first failure and says how long
// to leave the receiver alone.
func (a *Alerter) deliverDue(ctx context.Context, r alert.Notifier) (pause time.Duration, err error) {
	if gone, err := a.deps.Outbox.ReceiverDisabled(ctx, r.Name(), r.Target()); err != nil || gone {
		return maxPause, err
	}
	for {
		due, err := a.deps.Outbox.DueMessages(ctx, r.Name(), a.deps.Now(), deliverBatch)
		if err != nil || len(due) == 0 {
			return 0, err
		}
		for _, m := range due {
			retryable, sendErr := r.Notify(ctx, m.MessageID, m.Body)
			if sendErr != nil && ctx.Err() != nil {
				return 0, ctx.Err() // the try was cut off: it does not count
			}
			if errors.Is(sendErr, alert.ErrGone) {
				a.deps.Logger.Error("a receiver is gone and gets no more notices; change its url to enable it", "receiver", r.Name())
				a.m.deliveries.WithLabelValues("gone").Inc()
				return maxPause, a.deps.Outbox.DisableReceiver(ctx, r.Name(), r.Target())
			}
			if err := a.deps.Outbox.SettleMessage(ctx, a.outcome(r, m, retryable, sendErr)); err != nil {
				return 0, err
			}
			if sendErr != nil && retryable {
				return min(a.cfg.Retry[0], maxPause), nil
			}
		}
	}
}

// outcome is the message after a try.
func (a *Alerter) outcome(r alert.Notifier, m registers.OutboxMessage, retryable bool, err error) registers.OutboxMessage {
	now := a.deps.Now().UTC()
	m.Tries++
	switch {
	case err == nil:
		m.State, m.Done, m.Reason = registers.OutboxSent, now, ""
		a.m.deliveries.WithLabelValues("sent").Inc()
	case !retryable || m.Tries > len(a.cfg.Retry):
		m.State, m.Done, m.Reason = registers.OutboxFailed, now, err.Error()
		a.m.deliveries.WithLabelValues("given-up").Inc()
		a.deps.Logger.Error("a notice was given up", "receiver", r.Name(), "message", m.MessageID, "tries", m.Tries, "error", err)
	default:
		m.NextTry, m.Reason = now.Add(a.backoff(m.Tries, err)), err.Error()
		a.m.deliveries.WithLabelValues("retry").Inc()
		a.deps.Logger.Warn("a notice could not be delivered and is tried again", "receiver", r.Name(), "message", m.MessageID, "tries", m.Tries, "next", m.NextTry, "error", err)
	}
	return m
}

// backoff is the pause after try number tries, up to a fifth longer so that
// notices do not come in step, or what the receiver asked for if that is more.
func (a *Alerter) backoff(tries int, err error) time.Duration {
	d := a.cfg.Retry[tries-1]
	d += time.Duration(rand.Int64N(int64(d)/5 + 1))
	var w *alert.WaitError
	if errors.As(err, &w) {
		d = max(d, w.Wait)
	}
	return d
}
