package clickhouse

import (
	"io"
	"sort"
	"strings"
	"sync"
	"unsafe"
)

// statement is one statement of a request.
type statement struct {
	sql      string
	format   string            // output format, or the data's for an insert
	database string            // "" for default
	settings map[string]string // settings and param_*
	data     *guarded          // what an insert streams, nil if there is none
}

// selects reports whether the statement only reads and may take long.
func (st *statement) selects() bool {
	return st.data == nil && (hasPrefixFold(st.sql, "SELECT") || hasPrefixFold(st.sql, "WITH"))
}

// session is a connection with the database and the settings of a statement.
type session struct {
	lib  *library
	conn uintptr
	kind string // of the statements that it can be used for
}

// session returns a connection for st: one that is kept for its kind, or a new one.
func (e *Engine) session(st statement) (*session, error) {
	kind := st.kind()
	if kind != "" {
		if s := e.kept.take(kind); s != nil {
			own := map[string]string{}
			for n, v := range st.settings {
				if ownValue(n) {
					own[n] = v
				}
			}
			if s, err := s.set(setSQL(own)); err == nil {
				return s, nil
			}
		}
	}
	c, err := e.lib.open(e.args)
	if err != nil {
		return nil, err
	}
	return (&session{lib: e.lib, conn: c, kind: kind}).set(useSQL(st.database), setSQL(st.settings))
}

// set prepares a connection for its next statement, or closes it.
func (s *session) set(statements ...string) (*session, error) {
	for _, sql := range statements {
		if sql == "" {
			continue
		}
		if _, err := s.run(sql, "Null"); err != nil {
			s.close()
			return nil, err
		}
	}
	return s, nil
}

func useSQL(database string) string {
	if database == "" {
		return ""
	}
	return "USE `" + strings.NewReplacer("\\", "\\\\", "`", "\\`").Replace(database) + "`"
}

// setSQL is one SET of everything, so that readonly does not forbid the rest.
func setSQL(settings map[string]string) string {
	if len(settings) == 0 {
		return ""
	}
	names := make([]string, 0, len(settings))
	for n := range settings {
		names = append(names, n)
	}
	sort.Strings(names)
	quote := strings.NewReplacer("\\", "\\\\", "'", "\\'")
	var b strings.Builder
	b.WriteString("SET ")
	for i, n := range names {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(n)
		b.WriteString(" = '")
		b.WriteString(quote.Replace(settings[n]))
		b.WriteString("'")
	}
	return b.String()
}

func (s *session) close() { s.lib.close(s.conn) }

// run executes a statement and returns its whole output.
func (s *session) run(sql, format string) ([]byte, error) {
	r := s.lib.query(handle(s.conn), sql, uintptr(len(sql)), format, uintptr(len(format)))
	defer s.destroy(r)
	if err := s.lib.failure(r); err != nil {
		return nil, err
	}
	return s.lib.bytes(r), nil
}

func (s *session) destroy(r uintptr) {
	if r != 0 {
		s.lib.destroy(r)
	}
}

// chunkSize is how much of an insert is handed over at once.
const chunkSize = 1 << 20

// chunks are buffers of chunkSize.
var chunks = sync.Pool{New: func() any { b := make([]byte, chunkSize); return &b }}

// insert streams data into an INSERT without FORMAT clause.
func (s *session) insert(sql, format string, data *guarded) error {
	st := s.lib.insert(handle(s.conn), sql, uintptr(len(sql)), format, uintptr(len(format)))
	defer s.lib.destroyInsert(st)
	if e := s.lib.insertError(st); e != "" {
		return exception(e)
	}
	kept := chunks.Get().(*[]byte)
	defer chunks.Put(kept)
	buf := *kept
	for {
		n, err := data.fill(buf)
		if n > 0 && s.lib.appendChunk(st, unsafe.Pointer(&buf[0]), uintptr(n)) != 0 {
			return exception(s.lib.insertError(st))
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			s.lib.cancelInsert(st)
			return err
		}
	}
	r := s.lib.done(st)
	defer s.destroy(r)
	return s.lib.failure(r)
}

// guarded is the body of an insert, read by the statement's goroutine until
// stop. After stop has returned no read begins, so that the caller may use the
// memory behind it again while the statement ends in the background.
type guarded struct {
	mu  sync.Mutex
	r   io.Reader
	err error // set by stop
}

// fill reads until buf is full or the data ends.
func (g *guarded) fill(buf []byte) (int, error) {
	n := 0
	for n < len(buf) {
		g.mu.Lock()
		if g.err != nil {
			g.mu.Unlock()
			return 0, g.err
		}
		m, err := g.r.Read(buf[n:])
		g.mu.Unlock()
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func (g *guarded) stop(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err == nil {
		g.err = err
	}
}
