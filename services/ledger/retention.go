package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/internal/store"
)

// Rejections hold sealed lines and leave the store 30 days after their receipt
// (the TTL of the table rejections_all). The tombstone comes a day before, so that
// verify never meets a table that is half gone.
const (
	retentionPoll    = time.Hour
	rejectionsExpire = `SELECT id, version FROM chunks WHERE state = 'closed' AND rejections > 0 AND (
	  (id, version) IN (SELECT chunk, version FROM rejections_all WHERE received < {before:DateTime64(9, 'UTC')})
	  OR at < {before:DateTime64(9, 'UTC')} AND (id, version) NOT IN (SELECT chunk, version FROM rejections_all))
	ORDER BY at, id`
	rejectionsKeep = 29 * 24 * time.Hour
	sqlTime        = "2006-01-02 15:04:05.000000000"
)

// Reader runs read-only SQL. store.Store is the one.
type Reader interface {
	Select(ctx context.Context, sql string, args ...any) (*store.Result, error)
}

// Expire writes tombstones for the rejections that are about to leave the store
// by their age. Run calls it once an hour.
func (s *Ledger) Expire(ctx context.Context) error {
	if s.deps.Reader == nil {
		return nil
	}
	now := s.deps.Now().UTC()
	res, err := s.deps.Reader.Select(ctx, rejectionsExpire, store.Named("before", now.Add(-rejectionsKeep).Format(sqlTime)), store.MaxRows(1_000_000))
	if err != nil {
		return fmt.Errorf("failed to look for expired rejections: %w", err)
	}
	leaves := make([]ledger.Leaf, 0, len(res.Rows))
	for _, r := range res.Rows {
		id, _ := r[0].(string)
		version, _ := r[1].(uint16)
		leaves = append(leaves, ledger.Leaf{
			Type: ledger.LeafTombstone, Chunk: id, Version: version, Tables: map[string]ledger.TableRoot{ledger.TableRejections: {}}, Time: now,
		})
	}
	if len(leaves) == 0 {
		return nil
	}
	if _, err := s.log.Append(ctx, leaves...); err != nil {
		return err
	}
	s.appended()
	return nil
}
