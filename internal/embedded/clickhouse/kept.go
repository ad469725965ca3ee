package clickhouse

import (
	"slices"
	"strconv"
	"strings"
	"sync"
)

// maxKept bounds the connections that wait for another statement. Opening one and
// telling it database and settings costs as much as a small SELECT.
const maxKept = 8

// kept are connections whose statement ended well, each with the database and
// the settings of that kind of statement.
type kept struct {
	mu   sync.Mutex
	list []*session // oldest first
}

// kind names the statements that may follow one another on a connection: those of
// one database with the same settings, but for the values that each has of its
// own. It is "" where nothing may follow: only what reads and what streams data in
// leaves nothing behind, and after readonly = 1 nothing can be set.
func (st *statement) kind() string {
	if st.data == nil && !st.selects() || st.settings["readonly"] == "1" {
		return ""
	}
	names := make([]string, 0, len(st.settings))
	for n := range st.settings {
		names = append(names, n)
	}
	slices.Sort(names)
	var b strings.Builder
	b.WriteString("in " + strconv.Quote(st.database))
	for _, n := range names {
		b.WriteString(" " + n)
		if !ownValue(n) {
			b.WriteString("=" + strconv.Quote(st.settings[n]))
		}
	}
	return b.String()
}

// ownValue says that each statement has a value of its own for a setting.
func ownValue(name string) bool {
	return name == marker || name == "insert_deduplication_token" || strings.HasPrefix(name, "param_")
}

// take returns a connection for a kind of statement, nil if none is kept.
func (k *kept) take(kind string) *session {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, s := range slices.Backward(k.list) {
		if s.kind == kind {
			k.list = slices.Delete(k.list, i, i+1)
			return s
		}
	}
	return nil
}

// put keeps a connection whose statement has ended well; the oldest makes room.
func (k *kept) put(s *session) {
	if s.kind == "" {
		s.close()
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.list) == maxKept {
		k.list[0].close()
		k.list = slices.Delete(k.list, 0, 1)
	}
	k.list = append(k.list, s)
}

// close closes them all. No statement may run any more.
func (k *kept) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.list {
		s.close()
	}
	k.list = nil
}
