package console

import (
	"strconv"
	"time"

	"github.com/tallystick/tallystick/internal/store"
)

// spans are how far back a page is looked for, one after the other: the table is
// ordered by source and hour, so the newest entries of a long period are found
// only by reading all of it.
var spans = []time.Duration{time.Hour, 24 * time.Hour}

// entries reads one page, newest first, and the cursor of the next page.
func (s *Console) entries(r *request, f entryFilter, columns string, limit int) ([]record, string, error) {
	after, ok, err := r.cursor()
	if err != nil {
		return nil, "", err
	}
	newest := f.Period.Until
	if ok {
		newest = time.Unix(0, after.nanos)
	} else if state, err := r.pulseBefore(); err != nil {
		return nil, "", err
	} else if end := state.Newest.Add(time.Hour); end.Before(newest) {
		newest = end
	}
	for _, span := range spans {
		recent := f
		if recent.Period.From = newest.Add(-span); !recent.Period.From.After(f.Period.From) {
			break
		}
		rows, next, err := s.entriesOf(r, recent, after, columns, limit)
		if err != nil || next != "" {
			return rows, next, err
		}
	}
	return s.entriesOf(r, f, after, columns, limit)
}

// entriesOf reads one page of a period, after a place if that is not the zero
// cursor.
func (s *Console) entriesOf(r *request, f entryFilter, after cursor, columns string, limit int) ([]record, string, error) {
	c := f.conditions()
	if after != (cursor{}) {
		o, valid := origin(after.id)
		if !valid {
			return nil, "", errBadInput
		}
		c.parts = append(c.parts, "event_time <= fromUnixTimestamp64Nano({after:Int64}, 'UTC')",
			`(toUnixTimestamp64Nano(event_time), stream, generation, "offset") < ({after:Int64}, {stream:String}, {generation:UInt32}, {offset:UInt64})`)
		c.args = append(c.args, store.Named("after", after.nanos), store.Named("stream", o.Stream), store.Named("generation", int64(o.Generation)), store.Named("offset", strconv.FormatUint(o.Offset, 10)))
	}
	args := append(c.args, store.Named("limit", int64(limit+1)), store.MaxRows(limit+1))
	rows, err := s.query(r.Request.Context(), columns+c.where()+` ORDER BY event_time DESC, stream DESC, generation DESC, "offset" DESC LIMIT {limit:UInt32}`, args...)
	if err != nil || len(rows) <= limit {
		return rows, "", err
	}
	last := rows[limit-1]
	return rows[:limit], cursor{last.Time("event_time").UnixNano(), last.Str("event_id")}.String(), nil
}
