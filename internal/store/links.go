package store

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/tallystick/tallystick/audit"
)

// link is a row of subject_links.
type link struct {
	audit.Link
	at time.Time // when it was written
}

func linksTable() *table[link] {
	type L = link
	return &table[L]{name: "subject_links", fields: []field[L]{
		str("tag", func(l *L) *string { return &l.Tag }),
		u16("day", func(l *L) *uint16 { return &l.Day }),
		str("pseudonym", func(l *L) *string { return &l.Pseudonym }),
		at("at", func(l *L) *time.Time { return &l.at }),
	}}
}

// InsertLinks writes links. One that was written before stays one; a chunk that
// is redone may bring others than its first try, so no insert counts for the
// next.
func (s *Store) InsertLinks(ctx context.Context, links []audit.Link) error {
	b := newBlock(s.links)
	now := s.now().UTC()
	for i := range links {
		if err := b.append(&link{links[i], now}); err != nil {
			return err
		}
	}
	return insert(ctx, s, b, "")
}

// EachTag calls fn for each tag of a link that was written at or after a time,
// by the clocks of those who wrote; of every link if it is zero.
func (s *Store) EachTag(ctx context.Context, since time.Time, fn func(tag string) error) error {
	where := ""
	if !since.IsZero() {
		where = " WHERE at >= toDateTime({since:UInt32}, 'UTC')"
	}
	t := &table[string]{name: "subject_links", fields: []field[string]{str("tag", func(s *string) *string { return s })}}
	return each(ctx, s, t, "FROM (SELECT tag FROM subject_links"+where+" GROUP BY tag)", clickhouse.Parameters{"since": fmt.Sprint(max(since.Unix(), 0))},
		func(tag *string) error { return fn(*tag) })
}

// SetSwept records that the links written up to a time were looked through for
// people who were erased.
func (s *Store) SetSwept(ctx context.Context, upTo time.Time) error {
	ctx = withSettings(ctx, insertSettings(""))
	params := clickhouse.Parameters{"at": fmt.Sprint(upTo.UnixMilli())}
	err := s.conn.Exec(clickhouse.Context(ctx, clickhouse.WithParameters(params)), "INSERT INTO sweeps SELECT fromUnixTimestamp64Milli({at:Int64}, 'UTC')")
	if err != nil {
		return fmt.Errorf("failed to record a sweep: %w", err)
	}
	return nil
}

// Swept is up to when links were looked through, zero if they never were.
func (s *Store) Swept(ctx context.Context) (time.Time, error) {
	n, err := s.number(ctx, "SELECT toUInt64(if(count() = 0, 0, toUnixTimestamp64Milli(max(at)))) FROM sweeps", nil)
	if err != nil || n == 0 {
		return time.Time{}, err
	}
	return time.UnixMilli(int64(n)).UTC(), nil
}
