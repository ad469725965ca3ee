package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/tallystick/tallystick/internal/embedded/clickhouse"
	"github.com/tallystick/tallystick/internal/store"
)

// engine is the embedded ClickHouse, asked as its HTTP interface is.
type engine struct{ e *clickhouse.Engine }

// threads of a statement: as many as the product is measured with.
const threads = 2

func open(dir string) (*engine, error) {
	e, err := clickhouse.Open(dir, clickhouse.Options{Threads: threads, Memory: 6 << 30})
	if err != nil {
		return nil, err
	}
	return &engine{e}, nil
}

func (e *engine) close() { _ = e.e.Close() }

// migrate makes the product's tables in a database.
func (e *engine) migrate(ctx context.Context, database string) error {
	s, err := store.Open(ctx, store.Config{Database: database}, store.Deps{Transport: e.e.Transport()})
	if err != nil {
		return err
	}
	return s.Close()
}

// answer is what a statement gave, and what it cost.
type answer struct {
	Data       [][]any
	Statistics struct {
		Elapsed  float64 // seconds
		RowsRead uint64  `json:"rows_read"`
	}
}

// ask runs a statement in a database; params are its {name:Type} values and
// settings.
func (e *engine) ask(database, sql string, params map[string]string) (*answer, error) {
	q := url.Values{"default_format": {"JSONCompact"}, "database": {database}}
	for k, v := range params {
		q.Set(k, v)
	}
	// A statement that begins like a read is answered in pieces, each with its own
	// statistics: the comment has it answered as a whole.
	req, err := http.NewRequest(http.MethodPost, "http://embedded/?"+q.Encode(), strings.NewReader("/* whole */ "+sql))
	if err != nil {
		return nil, err
	}
	res, err := e.e.Transport().RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%.200s: %s", sql, b)
	}
	a := &answer{}
	if len(b) == 0 {
		return a, nil
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber() // times in nanoseconds are beyond what a float holds
	return a, d.Decode(a)
}

func (e *engine) exec(sql string) error {
	_, err := e.ask("", sql, nil)
	return err
}

// number is the one number that a statement answers.
func (e *engine) number(database, sql string) (float64, error) {
	a, err := e.ask(database, sql, nil)
	if err != nil {
		return 0, err
	}
	return number(a.Data[0][0]), nil
}

// number reads a count, which JSON has as text, or a share.
func number(v any) float64 {
	var f float64
	_, _ = fmt.Sscan(fmt.Sprint(v), &f)
	return f
}

// cpu is the processor time of this process, the engine's threads included.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
