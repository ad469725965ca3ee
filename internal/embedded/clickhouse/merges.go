package clickhouse

import (
	"context"
	"fmt"
)

// Merges stops the merging of parts in the background, or lets it go on. A merge
// that meets a full disk may leave a part that can't be read until the engine
// has started again, so merges stop before the disk is full.
func (e *Engine) Merges(ctx context.Context, on bool) error {
	sql := "SYSTEM STOP MERGES"
	if on {
		sql = "SYSTEM START MERGES"
	}
	if err := e.acquire(ctx); err != nil {
		return err
	}
	defer e.release()
	s, err := e.session(statement{})
	if err != nil {
		return fmt.Errorf("failed to reach the embedded ClickHouse: %w", err)
	}
	defer s.close()
	if _, err := s.run(sql, "Null"); err != nil {
		return fmt.Errorf("failed to stop or start merges: %w", err)
	}
	return nil
}
