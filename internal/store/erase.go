package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/tallystick/tallystick/audit"
)

// freshTag is what stands in place of a tag. The secret of the job is random and
// goes with it.
const freshTag = "base64URLEncode(substring(SHA256(concat((SELECT any(secret) FROM erasing WHERE job = '%s'), pseudonym, toString(day))), 1, 16))"

// Unlink puts fresh random tags in place of the people's: nothing ties their
// days to them or to each other any more. It returns once the parts of the table
// that hold the old tags are gone, with the fresh tags: who keeps these knows
// the people's days.
func (p *Person) Unlink(ctx context.Context) (fresh []Tag, err error) {
	fill := fmt.Sprintf(freshTag, p.job)
	tags := &table[string]{name: "subject_links", fields: []field[string]{str("fresh", func(s *string) *string { return s })}}
	err = each(ctx, p.s, tags, "FROM (SELECT DISTINCT assumeNotNull("+fill+") AS fresh FROM "+linksOf+")", p.params(), func(tag *string) error {
		fresh = append(fresh, Tag{Tag: *tag, Through: 1<<16 - 1})
		return nil
	})
	if err != nil {
		return nil, err
	}
	through := map[uint16]bool{}
	t := &table[uint16]{name: "erasing", fields: []field[uint16]{u16("through", func(n *uint16) *uint16 { return n })}}
	err = each(ctx, p.s, t, "FROM (SELECT through FROM erasing WHERE job = {job:String} GROUP BY through)", p.params(), func(n *uint16) error {
		through[*n] = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	for day := range through {
		sql := fmt.Sprintf(`ALTER TABLE subject_links UPDATE tag = %s
			WHERE day <= %d AND tag IN (SELECT tag FROM erasing WHERE job = '%s' AND through = %d)`, fill, day, p.job, day)
		if err := p.s.conn.Exec(withSettings(ctx, withMutations()), sql); err != nil {
			return nil, fmt.Errorf("failed to take a person's tags out of the links: %w", err)
		}
	}
	return fresh, p.s.oldPartsGone(ctx, "subject_links")
}

// OriginalRow names a row of originals.
type OriginalRow struct {
	audit.ChunkKey
	Row uint32
}

// destroyAtOnce is how many originals are in the table erasing at a time.
const destroyAtOnce = 100_000

// DestroyOriginals empties originals; their rows stay. It returns how many it
// emptied, once the parts of the table that hold them are gone. Those that are
// empty already cost nothing.
func (s *Store) DestroyOriginals(ctx context.Context, list []OriginalRow) (n uint64, err error) {
	for some := range slices.Chunk(list, destroyAtOnce) {
		emptied, err := s.destroyOriginals(ctx, some)
		if n += emptied; err != nil {
			return n, err
		}
	}
	return n, nil
}

func (s *Store) destroyOriginals(ctx context.Context, list []OriginalRow) (n uint64, err error) {
	rows := make([]doing, len(list))
	for i, r := range list {
		rows[i].key, rows[i].row = r.ChunkKey, r.Row
	}
	err = s.doing(ctx, rows, func(job string) error {
		where := " WHERE sealed != '' AND (chunk, version, `row`) IN (SELECT chunk, version, `row` FROM erasing WHERE job = '" + job + "')"
		if n, err = s.number(ctx, "SELECT count() FROM originals"+where, nil); err != nil || n == 0 {
			return err
		}
		if err := s.conn.Exec(withSettings(ctx, withMutations()), "ALTER TABLE originals UPDATE sealed = ''"+where); err != nil {
			return fmt.Errorf("failed to destroy originals: %w", err)
		}
		return s.oldPartsGone(ctx, "originals")
	})
	return n, err
}

// partsPatience is how long replaced parts may take to go.
const partsPatience = 2 * time.Minute

// oldPartsGone returns when the parts of a table that were replaced by now are
// not on the disk any more.
func (s *Store) oldPartsGone(ctx context.Context, name string) error {
	const inactive = " FROM system.parts WHERE database = currentDatabase() AND table = {t:String} AND NOT active"
	params := clickhouse.Parameters{"t": name}
	t := &table[string]{name: "system.parts", fields: []field[string]{str("name", func(s *string) *string { return s })}}
	var old []string
	if err := each(ctx, s, t, strings.TrimSpace(inactive), params, func(n *string) error { old = append(old, *n); return nil }); err != nil || len(old) == 0 {
		return err
	}
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(partsPatience); ; {
		// The background does it within minutes; dropping nothing does it at once.
		if err := s.conn.Exec(withSettings(ctx, base()), "ALTER TABLE "+name+" DROP PARTITION ID 'none'"); err != nil {
			return fmt.Errorf("failed to remove replaced parts of %s: %w", name, err)
		}
		n, err := s.number(ctx, "SELECT count()"+inactive+" AND name IN ("+literals(old)+")", params)
		if err != nil || n == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-late:
			return fmt.Errorf("failed to see %d replaced parts of %s go: they are still on the disk after %s", n, name, partsPatience)
		case <-tick.C:
		}
	}
}

// SetErased records that the store has been through an erasure.
func (s *Store) SetErased(ctx context.Context, id string) error {
	ctx = withSettings(ctx, insertSettings("erasure-"+id))
	err := s.conn.Exec(clickhouse.Context(ctx, clickhouse.WithParameters(clickhouse.Parameters{"id": id})), "INSERT INTO erasures SELECT {id:String}, now64(3)")
	if err != nil {
		return fmt.Errorf("failed to record an erasure: %w", err)
	}
	return nil
}

// Erased are the erasures that the store has been through.
func (s *Store) Erased(ctx context.Context) (map[string]bool, error) {
	out := map[string]bool{}
	t := &table[string]{name: "erasures", fields: []field[string]{str("id", func(s *string) *string { return s })}}
	err := each(ctx, s, t, "FROM erasures", nil, func(id *string) error {
		out[*id] = true
		return nil
	})
	return out, err
}
