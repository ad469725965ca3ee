package console

import (
	"context"
	"encoding/base64"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/tallystick/tallystick/internal/store"
)

// record is one row by column name. It reads the types that drivers give.
type record map[string]any

// Str reads a column as text.
func (r record) Str(column string) string {
	switch v := r[column].(type) {
	case nil:
		return ""
	case string:
		return v
	case []byte:
		return string(v)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case []string:
		return strings.Join(v, ", ")
	default:
		return fmt.Sprint(v)
	}
}

// Uint reads a column as a count.
func (r record) Uint(column string) uint64 {
	switch v := r[column].(type) {
	case uint64:
		return v
	case int64:
		return uint64(max(v, 0))
	case float64:
		return uint64(max(v, 0))
	default:
		n, _ := strconv.ParseUint(r.Str(column), 10, 64)
		return n
	}
}

// Int reads a column as a number that may be below zero.
func (r record) Int(column string) int64 {
	if v, ok := r[column].(int64); ok {
		return v
	}
	n, _ := strconv.ParseInt(r.Str(column), 10, 64)
	return n
}

// Bool reads a column as yes or no.
func (r record) Bool(column string) bool {
	s := r.Str(column)
	return s == "true" || s == "1"
}

// Strs reads a column as a list.
func (r record) Strs(column string) []string {
	switch v := r[column].(type) {
	case []string:
		return v
	case []any:
		out := make([]string, len(v))
		for i, x := range v {
			out[i] = fmt.Sprint(x)
		}
		return out
	}
	return nil
}

// Map reads a column as named texts.
func (r record) Map(column string) map[string]string {
	switch v := r[column].(type) {
	case map[string]string:
		return v
	case map[string]any:
		out := map[string]string{}
		for k, x := range v {
			out[k] = fmt.Sprint(x)
		}
		return out
	}
	return nil
}

// Time reads a column as a time, UTC.
func (r record) Time(column string) time.Time {
	switch v := r[column].(type) {
	case time.Time:
		if v.Unix() <= 0 {
			return time.Time{}
		}
		return v.UTC()
	case string:
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999"} {
			if t, err := time.Parse(layout, v); err == nil {
				return t.UTC()
			}
		}
	}
	return time.Time{}
}

// query runs a read and returns its rows by column name.
func (s *Console) query(ctx context.Context, q string, args ...any) ([]record, error) {
	res, err := s.deps.Store.Select(ctx, q, args...)
	if err != nil {
		return nil, fmt.Errorf("failed to read the store: %w", err)
	}
	out := make([]record, len(res.Rows))
	for i, row := range res.Rows {
		out[i] = record{}
		for j, c := range res.Columns {
			out[i][c.Name] = row[j]
		}
	}
	return out, nil
}

// conditions are the WHERE part of a query: fixed texts with named parameters,
// never a value.
type conditions struct {
	parts []string
	args  []any
}

// add adds a condition whose one parameter is name. A value that is "" adds
// nothing.
func (c *conditions) add(condition, name string, value any) {
	if value == "" {
		return
	}
	c.parts = append(c.parts, condition)
	c.args = append(c.args, store.Named(name, value))
}

func (c *conditions) where() string {
	if len(c.parts) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(c.parts, " AND ")
}

// between adds a period on a time column.
func (c *conditions) between(column string, p period) {
	c.parts = append(c.parts, column+" >= fromUnixTimestamp64Nano({from:Int64}, 'UTC')", column+" < fromUnixTimestamp64Nano({until:Int64}, 'UTC')")
	c.args = append(c.args, store.Named("from", p.From.UnixNano()), store.Named("until", p.Until.UnixNano()))
}

// period is [From, Until).
type period struct {
	From, Until time.Time
	Key         string // 24h, 7d, 30d, 365d or custom
}

var periodDays = map[string]int{"24h": 1, "7d": 7, "30d": 30, "365d": 365}

// Keys are the periods to choose from.
func (period) Keys() []string { return []string{"24h", "7d", "30d", "365d"} }

// FromDay and UntilDay fill date inputs; UntilDay is the last day inside.
func (p period) FromDay() string  { return p.From.Format(time.DateOnly) }
func (p period) UntilDay() string { return p.Until.Add(-time.Nanosecond).Format(time.DateOnly) }

// ofPeriod reads ?from=&to= (days, UTC, both included) or ?period=. It begins and
// ends with an hour.
func (r *request) ofPeriod(fallback string) (period, error) {
	if from, to := r.Query("from"), r.Query("to"); from != "" || to != "" {
		f, err1 := time.Parse(time.DateOnly, from)
		t, err2 := time.Parse(time.DateOnly, to)
		if err1 != nil || err2 != nil || t.Before(f) {
			return period{}, errBadInput
		}
		return period{From: f, Until: t.AddDate(0, 0, 1), Key: "custom"}, nil
	}
	key := r.Query("period")
	if key == "" {
		key = fallback
	}
	days, ok := periodDays[key]
	if !ok {
		return period{}, errBadInput
	}
	// A line may be a little ahead of this clock; whole hours are what rollups know.
	until := r.now().Add(6 * time.Minute).Truncate(time.Hour).Add(time.Hour)
	return period{From: until.AddDate(0, 0, -days), Until: until, Key: key}, nil
}

// newestPeriod moves a default period back to where the newest entry is, so
// that an old log which was just ingested is seen.
func (s *Console) newestPeriod(r *request, p period) (period, error) {
	if r.Query("period") != "" || r.Query("from") != "" {
		return p, nil
	}
	state, err := r.pulseBefore()
	if err != nil || state.Newest.IsZero() || state.Newest.After(p.From) {
		return p, err
	}
	length := p.Until.Sub(p.From)
	p.Until = state.Newest.Truncate(24*time.Hour).AddDate(0, 0, 1)
	p.From, p.Key = p.Until.Add(-length), "custom"
	return p, nil
}

var pseudonymPattern = regexp.MustCompile(`^v1\.[A-Za-z0-9_-]{1,64}\.[A-Za-z0-9_-]{1,64}$`)

// pseudonym reads a query parameter that names a person. Only pseudonyms may
// stand in a URL, so anything else is refused.
func (r *request) pseudonym(name string) (string, error) {
	v := strings.TrimSpace(r.Query(name))
	if v != "" && !pseudonymPattern.MatchString(v) {
		return "", errPseudonym
	}
	return v, nil
}

// limit reads ?limit=, at most most.
func (r *request) limit(fallback, most int) int {
	n, err := strconv.Atoi(r.Query("limit"))
	if err != nil || n < 1 {
		return fallback
	}
	return min(n, most)
}

// cursor is the place after which a page begins: the sort key of the last row.
type cursor struct {
	nanos int64
	id    string
}

func (c cursor) String() string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(c.nanos, 10) + " " + c.id))
}

func (r *request) cursor() (cursor, bool, error) {
	v := r.Query("cursor")
	if v == "" {
		return cursor{}, false, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(v)
	nanos, id, ok := strings.Cut(string(b), " ")
	n, err2 := strconv.ParseInt(nanos, 10, 64)
	if err != nil || err2 != nil || !ok {
		return cursor{}, false, errBadInput
	}
	return cursor{n, id}, true, nil
}

// with returns this page's URL with some query parameters set; "" removes one.
func (r *request) with(pairs ...string) string {
	q := r.Request.URL.Query()
	q.Del("done")
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			q.Del(pairs[i])
		} else {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return r.Request.URL.Path
	}
	return r.Request.URL.Path + "?" + q.Encode()
}
