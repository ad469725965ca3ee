package store

import (
	"context"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/retention"
)

// Due is a class of a chunk whose newest line is older than it is kept.
type Due struct {
	audit.ChunkKey
	Parts []DuePart // by source
}

// DuePart are the rows of one source; "" for originals, which name none.
type DuePart struct {
	Source      string
	First, Last time.Time
	Rows        uint64
}

// Span is from the first to the last line, and Sources are whose they are.
func (d *Due) Span() (first, last time.Time, sources []string) {
	for i, p := range d.Parts {
		if i == 0 || p.First.Before(first) {
			first = p.First
		}
		if p.Last.After(last) {
			last = p.Last
		}
		if p.Source != "" {
			sources = append(sources, p.Source)
		}
	}
	return first, last, sources
}

// dueRow is a row of the answers of Due.
type dueRow struct {
	audit.ChunkKey
	DuePart
}

func dueTable(name string) *table[dueRow] {
	type R = dueRow
	return &table[R]{name: name, fields: []field[R]{
		str("chunk", func(r *R) *string { return &r.ID }),
		u16("version", func(r *R) *uint16 { return &r.Version }),
		str("source", func(r *R) *string { return &r.Source }),
		at("first", func(r *R) *time.Time { return &r.First }),
		at("last", func(r *R) *time.Time { return &r.Last }),
		u64("rows", func(r *R) *uint64 { return &r.Rows }),
	}}
}

// dated are the tables of classes with the column by which their rows age.
// Rejections age from their receipt: their own time may not be readable.
var dated = map[retention.Class]struct{ table, column string }{
	retention.Entries:    {"entries_all", "event_time"},
	retention.Findings:   {"findings_all", "time"},
	retention.Rejections: {"rejections_all", "received"},
}

// Due returns the chunks of which rows of a class are there and the newest is
// older than before. Only what is old is looked at: what was due before is gone.
func (s *Store) Due(ctx context.Context, class retention.Class, before time.Time) ([]Due, error) {
	params := clickhouse.Parameters{"before": sqlTime(before), "class": class.Vault(), "month": before.UTC().Format("2006-01")}
	var from string
	if t, ok := dated[class]; ok {
		from = fmt.Sprintf(`FROM (SELECT CAST(t.chunk, 'String') AS chunk, version, CAST(t.source, 'String') AS source, min(t.%[2]s) AS first, max(t.%[2]s) AS last, count() AS rows
			FROM %[1]s AS t WHERE t.chunk IN (SELECT chunk FROM %[1]s WHERE chunk != '' AND %[2]s < {before:DateTime64(9, 'UTC')}) GROUP BY chunk, version, source)
			ORDER BY chunk, version, source`, t.table, t.column)
	} else {
		from = `FROM (SELECT c.chunk AS chunk, version, '' AS source, min(c.first) AS first, max(c.last) AS last, sum(c.originals) AS rows
			FROM capsules AS c WHERE class = {class:String} AND month <= {month:String}
				AND (chunk, version) IN (SELECT chunk, version FROM originals WHERE class = {class:String} AND month <= {month:String})
			GROUP BY chunk, version) ORDER BY chunk, version`
	}
	var out []Due
	err := each(ctx, s, dueTable("what is due of "+string(class)), from, params, func(r *dueRow) error {
		if n := len(out); n == 0 || out[n-1].ChunkKey != r.ChunkKey {
			out = append(out, Due{ChunkKey: r.ChunkKey})
		}
		last := &out[len(out)-1]
		last.Parts = append(last.Parts, r.DuePart)
		return nil
	})
	return slices.DeleteFunc(out, func(d Due) bool {
		_, last, _ := d.Span()
		return !last.Before(before)
	}), err
}

// VaultClasses returns the vault classes of which originals were ever kept and
// capsules are there, sorted.
func (s *Store) VaultClasses(ctx context.Context) ([]string, error) {
	var out []string
	t := &table[string]{name: "capsules", fields: []field[string]{str("class", func(v *string) *string { return v })}}
	err := each(ctx, s, t, "FROM (SELECT DISTINCT CAST(c.class, 'String') AS class FROM capsules AS c) ORDER BY class", nil, func(class *string) error {
		out = append(out, *class)
		return nil
	})
	return out, err
}

// VaultClassesOf returns of which vault classes chunks have originals.
func (s *Store) VaultClassesOf(ctx context.Context, keys []audit.ChunkKey) (map[audit.ChunkKey][]string, error) {
	type row struct {
		audit.ChunkKey
		classes []string
	}
	t := &table[row]{name: "originals", fields: []field[row]{
		str("chunk", func(r *row) *string { return &r.ID }),
		u16("version", func(r *row) *uint16 { return &r.Version }),
		strs("classes", func(r *row) *[]string { return &r.classes }),
	}}
	out := map[audit.ChunkKey][]string{}
	for some := range slices.Chunk(keys, removeAtOnce) {
		from := "FROM (SELECT CAST(o.chunk, 'String') AS chunk, o.version AS version, groupUniqArray(CAST(o.class, 'String')) AS classes FROM originals AS o WHERE " +
			keysIn("o.chunk", some) + " GROUP BY chunk, version)"
		if err := each(ctx, s, t, from, nil, func(r *row) error {
			out[r.ChunkKey] = slices.Clone(r.classes)
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// removeAtOnce is how many chunks one statement names.
const removeAtOnce = 1000

// namesAtOnce is how many pseudonyms one statement looks for.
const namesAtOnce = 10_000

// WithSubjects returns in which of some chunks there are lines of some
// pseudonyms, as subject or as principal, and of which. A statement has their
// CRC-32 alone, so that it stays small and names nobody.
func (s *Store) WithSubjects(ctx context.Context, chunks, pseudonyms []string) (map[string][]string, error) {
	wanted := make(map[string]bool, len(pseudonyms))
	for _, p := range pseudonyms {
		wanted[p] = true
	}
	type row struct{ chunk, name string }
	t := &table[row]{name: "the subjects of chunks", fields: []field[row]{
		str("chunk", func(r *row) *string { return &r.chunk }),
		str("name", func(r *row) *string { return &r.name }),
	}}
	out := map[string][]string{}
	for names := range slices.Chunk(slices.Collect(maps.Keys(wanted)), namesAtOnce) {
		sums := make([]string, len(names))
		for i, n := range names {
			sums[i] = strconv.FormatUint(uint64(crc32.ChecksumIEEE([]byte(n))), 10)
		}
		for some := range slices.Chunk(chunks, removeAtOnce) {
			for _, q := range []struct{ table, principal string }{{"entries_all", "principal_id"}, {"findings_all", "principal"}} {
				from := fmt.Sprintf(`FROM (SELECT CAST(t.chunk, 'String') AS chunk, arrayJoin(arrayPushBack(subjects, %s)) AS name FROM %s AS t WHERE t.chunk IN (%s))
					WHERE CRC32(name) IN (%s) GROUP BY chunk, name`, q.principal, q.table, literals(some), strings.Join(sums, ","))
				err := each(ctx, s, t, from, nil, func(r *row) error {
					if wanted[r.name] && !slices.Contains(out[r.chunk], r.name) {
						out[r.chunk] = append(out[r.chunk], r.name)
					}
					return nil
				})
				if err != nil {
					return nil, err
				}
			}
		}
	}
	return out, nil
}

// Remove takes rows of a class out of the store for good, after it has noted in
// expired what they were. It returns when the parts without them are written.
// Done again it does no harm.
func (s *Store) Remove(ctx context.Context, class retention.Class, due []Due) error {
	for some := range slices.Chunk(due, removeAtOnce) {
		if err := s.noteExpired(ctx, class, some); err != nil {
			return err
		}
		keys := keysOf(some)
		where := ""
		if v := class.Vault(); v != "" {
			where = " AND class = '" + v + "'" // of letters, digits and dashes
		}
		name := class.Table()
		if t, ok := dated[class]; ok {
			name = t.table
		}
		if err := s.removeRows(ctx, name, keys, where); err != nil {
			return err
		}
	}
	return nil
}

// RemoveCapsules takes all capsules of chunks out of the store.
func (s *Store) RemoveCapsules(ctx context.Context, chunks []audit.ChunkKey) error {
	for some := range slices.Chunk(chunks, removeAtOnce) {
		if err := s.removeRows(ctx, "capsules", some, ""); err != nil {
			return err
		}
	}
	return nil
}

func keysOf(due []Due) []audit.ChunkKey {
	out := make([]audit.ChunkKey, len(due))
	for i := range due {
		out[i] = due[i].ChunkKey
	}
	return out
}

// removeRows deletes, partition by partition: the others are not touched.
func (s *Store) removeRows(ctx context.Context, name string, keys []audit.ChunkKey, where string) error {
	if len(keys) == 0 {
		return nil
	}
	of := keysIn("chunk", keys) + where
	var partitions []string
	t := &table[string]{name: name, fields: []field[string]{str("_partition_id", func(v *string) *string { return v })}}
	err := each(ctx, s, t, "FROM (SELECT DISTINCT CAST(_partition_id, 'String') AS _partition_id FROM "+name+" WHERE "+of+") ORDER BY _partition_id", nil, func(id *string) error {
		partitions = append(partitions, *id)
		return nil
	})
	if err != nil {
		return err
	}
	for _, p := range partitions {
		if err := s.mutate(ctx, s.layout.alter(name)+" DELETE IN PARTITION ID '"+p+"' WHERE "+of); err != nil {
			return fmt.Errorf("failed to remove rows of %d chunks from %s: %w", len(keys), name, err)
		}
	}
	return nil
}

// mutate runs a statement that rewrites parts, and waits for it.
func (s *Store) mutate(ctx context.Context, sql string) error {
	set := withMutations()
	set["max_query_size"] = 16 << 20 // the names of chunks
	return s.conn.Exec(clickhouse.Context(ctx, clickhouse.WithSettings(set)), sql)
}

// keysIn is a condition for rows of versions of chunks; the first part is what
// the index over names of chunks understands.
func keysIn(column string, keys []audit.ChunkKey) string {
	var b strings.Builder
	ids := make([]string, len(keys))
	for i, k := range keys {
		ids[i] = k.ID
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "(%s,%d)", literals(ids[i:i+1]), k.Version)
	}
	return column + " IN (" + literals(ids) + ") AND (" + column + ", version) IN (" + b.String() + ")"
}

// expired is a row of expired_all.
type expired struct {
	dueRow
	class string
	at    time.Time
}

func (s *Store) noteExpired(ctx context.Context, class retention.Class, due []Due) error {
	type R = expired
	b := newBlock(&table[R]{name: "expired_all", fields: []field[R]{
		word("class", func(r *R) *string { return &r.class }),
		str("chunk", func(r *R) *string { return &r.ID }),
		u16("version", func(r *R) *uint16 { return &r.Version }),
		word("source", func(r *R) *string { return &r.Source }),
		at("first", func(r *R) *time.Time { return &r.First }),
		at("last", func(r *R) *time.Time { return &r.Last }),
		u64("rows", func(r *R) *uint64 { return &r.Rows }),
		at("at", func(r *R) *time.Time { return &r.at }),
	}})
	for _, d := range due {
		for _, p := range d.Parts {
			if err := b.append(&expired{dueRow{d.ChunkKey, p}, string(class), s.now().UTC()}); err != nil {
				return err
			}
		}
	}
	return insert(ctx, s, b, "")
}
