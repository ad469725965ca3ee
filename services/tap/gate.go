package tap

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/tallystick/tallystick/internal/broker"
)

// MaxUnread is how many bytes of lines.v1 may wait for the auditor.
const MaxUnread = 160 << 20

// Backlog measures what a consumer group has not read of a topic.
// *broker.Client does.
type Backlog interface {
	Backlog(ctx context.Context, group, topic string) (broker.Backlog, error)
}

// Room is a Gate that closes when the auditor is MaxUnread bytes behind and
// opens when it is four fifths of that. It measures at most five times a second, so
// what taps send meanwhile can exceed the limit by some batches; once a second
// while less than half of it is unread, and every three seconds while that is a
// sixteenth: the fastest tap sends some 45 MB a second.
type Room struct {
	backlog Backlog
	group   string
	limit   int64
	every   time.Duration // between measurements while much is unread
	logger  *slog.Logger

	mu       sync.Mutex
	measured time.Time
	pause    time.Duration // until the next measurement
	closed   bool
}

var _ Gate = (*Room)(nil)

// NewRoom returns the gate of the auditors' consumer group.
func NewRoom(b Backlog, group string, logger *slog.Logger) *Room {
	return &Room{backlog: b, group: group, limit: MaxUnread, every: 200 * time.Millisecond, logger: logger}
}

// Wait returns when there is room, or with ctx's error. When Kafka can't tell,
// it returns: producing then blocks by itself.
func (r *Room) Wait(ctx context.Context) error {
	for {
		if r.open(ctx) {
			return nil
		}
		if err := sleep(ctx, r.every); err != nil {
			return err
		}
	}
}

func (r *Room) open(ctx context.Context) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.measured) < r.pause {
		return !r.closed
	}
	b, err := r.backlog.Backlog(ctx, r.group, broker.Lines)
	r.measured, r.pause = time.Now(), r.every
	if err != nil {
		return true
	}
	switch {
	case b.Bytes < r.limit/16:
		r.pause = 15 * r.every
	case b.Bytes < r.limit/2:
		r.pause = 5 * r.every
	}
	was := r.closed
	r.closed = b.Bytes > r.limit || r.closed && b.Bytes > r.limit/5*4
	switch {
	case r.closed && !was:
		r.logger.Warn("reading waits: the auditor is behind", "unread", fmt.Sprintf("%d MB", b.Bytes>>20), "hint", "nothing is lost: files wait; look at the auditor's log if this lasts")
	case was && !r.closed:
		r.logger.Info("reading goes on: the auditor has caught up")
	}
	return !r.closed
}
