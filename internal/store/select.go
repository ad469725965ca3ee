package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tallystick/tallystick/internal/text"
)

// Limits of Select.
const (
	DefaultRows = 10_000
	selectTime  = 30 * time.Second
)

// Result is the answer to a Select. Values have Go's types: string, bool,
// numbers, time.Time (UTC), slices and maps of them, nil for NULL.
type Result struct {
	Columns []Column
	Rows    [][]any
	// Cut says that there are more rows than the limit.
	Cut bool
}

// Column is a column of a Result with its type in ClickHouse.
type Column struct{ Name, Type string }

// MaxRows is an argument of Select that replaces DefaultRows.
type MaxRows int

// RowsOnly is an argument of Select: an answer without rows may have no columns,
// which would be asked for with a statement of their own.
type RowsOnly struct{}

// Named is an argument of Select: the value of {name:Type} in the statement.
func Named(name string, value any) any { return clickhouse.Named(name, value) }

// Select runs one read-only statement: SELECT, WITH, SHOW, DESCRIBE or EXPLAIN.
// Arguments are values by name, of Named or database/sql's Named, MaxRows and RowsOnly. The statement can change nothing,
// reaches no file and no other machine, and ends after 30 seconds.
func (s *Store) Select(ctx context.Context, query string, args ...any) (*Result, error) {
	limit, describe := DefaultRows, true
	var named []any
	for _, a := range args {
		switch a := a.(type) {
		case MaxRows:
			limit = int(a)
		case RowsOnly:
			describe = false
		case driver.NamedValue:
			named = append(named, a)
		case sql.NamedArg:
			named = append(named, clickhouse.Named(a.Name, a.Value))
		default:
			return nil, fmt.Errorf("failed to select: an argument is a %T, not a named value", a)
		}
	}
	query, err := readOnly(query)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, selectTime)
	defer cancel()
	set := base()
	set["readonly"] = 1
	set["max_execution_time"] = int(selectTime / time.Second)
	set["max_result_rows"] = limit + 1
	set["result_overflow_mode"] = "break"
	run := func(query string) (*Result, error) {
		rows, err := s.reads.Query(clickhouse.Context(ctx, clickhouse.WithSettings(set)), query, named...)
		if err != nil {
			return nil, selectError(err)
		}
		defer func() { _ = rows.Close() }()
		return collect(rows, limit)
	}
	res, err := run(query)
	if err != nil || len(res.Columns) > 0 || !describe || !selects(query) {
		return res, err
	}
	// No rows come without columns, so they are asked for.
	d, err := run("DESCRIBE TABLE (" + query + "\n)")
	if err != nil {
		return nil, err
	}
	for _, r := range d.Rows {
		res.Columns = append(res.Columns, Column{r[0].(string), r[1].(string)})
	}
	return res, nil
}

func collect(rows driver.Rows, limit int) (*Result, error) {
	res := &Result{}
	types := rows.ColumnTypes()
	for _, t := range types {
		res.Columns = append(res.Columns, Column{t.Name(), t.DatabaseTypeName()})
	}
	for rows.Next() {
		if len(res.Rows) == limit {
			res.Cut = true
			break
		}
		into := make([]any, len(types))
		for i, t := range types {
			into[i] = reflect.New(t.ScanType()).Interface()
		}
		if err := rows.Scan(into...); err != nil {
			return nil, fmt.Errorf("failed to read the answer: %w", err)
		}
		for i, p := range into {
			into[i] = value(reflect.ValueOf(p).Elem())
		}
		res.Rows = append(res.Rows, into)
	}
	if err := rows.Err(); err != nil {
		return nil, selectError(err)
	}
	return res, nil
}

// value takes pointers off: a NULL is nil.
func value(v reflect.Value) any {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	if t, ok := v.Interface().(time.Time); ok {
		return t.UTC()
	}
	return v.Interface()
}

// selectError adds what to do next where the statement itself is at fault, and
// leaves the address out: it holds the parameters.
func selectError(err error) error {
	if at := (*url.Error)(nil); errors.As(err, &at) {
		err = at.Err
	}
	err = fmt.Errorf("failed to select: %w", err)
	switch Code(err) {
	case 164: // READONLY
		return &text.Hint{Err: err, Hint: "only reading is possible here"}
	case 159, 160: // TIMEOUT_EXCEEDED, TOO_SLOW
		return &text.Hint{Err: err, Hint: "restrict the statement by event_time and source, by which entries are ordered"}
	case 47, 60: // UNKNOWN_IDENTIFIER, UNKNOWN_TABLE
		return &text.Hint{Err: err, Hint: "SHOW TABLES lists the tables, DESCRIBE entries the columns"}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return &text.Hint{Err: err, Hint: "restrict the statement by event_time and source, by which entries are ordered"}
	}
	return err
}
