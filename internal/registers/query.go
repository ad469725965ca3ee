package registers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Select answers one SELECT for reports, in a transaction that is always rolled
// back. Parameters are written :name; whole numbers are bound as numbers. Values
// are strings, int64, float64 or nil.
func (d *DB) Select(ctx context.Context, query string, params map[string]string) (columns []string, out [][]any, err error) {
	if first, _, _ := strings.Cut(strings.TrimSpace(query), " "); first != "SELECT" && first != "WITH" {
		return nil, nil, errors.New("failed to query the registers: only SELECT is possible here")
	}
	text, args, err := positional(query, params)
	if err != nil {
		return nil, nil, err
	}
	tx, err := d.sql.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, nil, fmt.Errorf("failed to query the registers: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	rows, err := tx.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, nil, fmt.Errorf("failed to query the registers: %w", err)
	}
	defer func() { _ = rows.Close() }()
	if columns, err = rows.Columns(); err != nil {
		return nil, nil, err
	}
	for rows.Next() {
		row := make([]any, len(columns))
		dest := make([]any, len(columns))
		for i := range row {
			dest[i] = &row[i]
		}
		if err := rows.Scan(dest...); err != nil {
			return nil, nil, fmt.Errorf("failed to query the registers: %w", err)
		}
		for i, v := range row {
			if b, ok := v.([]byte); ok { // how some drivers give text and decimals
				row[i] = string(b)
			}
		}
		out = append(out, row)
	}
	return columns, out, rows.Err()
}

// positional puts a question mark for each :name outside of quotes.
func positional(query string, params map[string]string) (string, []any, error) {
	var b strings.Builder
	var args []any
	quoted := false
	for i := 0; i < len(query); i++ {
		c := query[i]
		if c == '\'' {
			quoted = !quoted
		}
		if c != ':' || quoted {
			b.WriteByte(c)
			continue
		}
		j := i + 1
		for j < len(query) && (query[j] == '_' || query[j] >= 'a' && query[j] <= 'z') {
			j++
		}
		v, ok := params[query[i+1:j]]
		if !ok {
			return "", nil, fmt.Errorf("failed to query the registers: parameter %q is not given", query[i+1:j])
		}
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			args = append(args, n)
		} else {
			args = append(args, v)
		}
		b.WriteByte('?')
		i = j - 1
	}
	return b.String(), args, nil
}
