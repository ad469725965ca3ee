package clickhouse

import (
	"context"
	"io"
)

// Seams for tests.
const MaxKept = maxKept

// Kept is how many connections wait for a statement.
func (e *Engine) Kept() int {
	e.kept.mu.Lock()
	defer e.kept.mu.Unlock()
	return len(e.kept.list)
}

// Late runs a statement that is being killed when it has ended well.
func (e *Engine) Late(ctx context.Context, sql string) (io.ReadCloser, error) {
	if err := e.acquire(ctx); err != nil {
		return nil, err
	}
	return e.execute(ctx, statement{sql: sql, format: "TSV"}, func() bool { return false })
}
