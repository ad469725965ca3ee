package clickhouse

// Seams for tests.
const MaxKept = maxKept

// Kept is how many connections wait for a statement.
func (e *Engine) Kept() int {
	e.kept.mu.Lock()
	defer e.kept.mu.Unlock()
	return len(e.kept.list)
}
