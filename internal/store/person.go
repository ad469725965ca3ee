package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/tallystick/tallystick/audit"
)

// Tag is a tag of a person of a long epoch, up to and with a day.
type Tag struct {
	Tag     string
	Through uint16 // days since 1970-01-01
}

// Person are tags of one or several people, as far as they are to be seen. What
// it asks and changes goes through a memory table: no statement names a tag.
type Person struct {
	s   *Store
	job string
}

// doing is a row of the table erasing.
type doing struct {
	job    string
	tag    Tag
	secret string
	key    audit.ChunkKey
	row    uint32
}

func doingTable() *table[doing] {
	type D = doing
	return &table[D]{name: "erasing", fields: []field[D]{
		str("job", func(d *D) *string { return &d.job }),
		str("tag", func(d *D) *string { return &d.tag.Tag }),
		u16("through", func(d *D) *uint16 { return &d.tag.Through }),
		str("secret", func(d *D) *string { return &d.secret }),
		str("chunk", func(d *D) *string { return &d.key.ID }),
		u16("version", func(d *D) *uint16 { return &d.key.Version }),
		u32("row", func(d *D) *uint32 { return &d.row }),
	}}
}

// WithPerson calls fn with the people of some tags.
func (s *Store) WithPerson(ctx context.Context, tags []Tag, fn func(*Person) error) error {
	rows := make([]doing, len(tags))
	for i, t := range tags {
		rows[i].tag = t
	}
	return s.doing(ctx, rows, func(job string) error { return fn(&Person{s, job}) })
}

// doing keeps rows in the table erasing while fn runs. Each has one secret that
// nobody else has.
func (s *Store) doing(ctx context.Context, rows []doing, fn func(job string) error) (err error) {
	job, secret := rand.Text(), rand.Text()+rand.Text()
	b := newBlock(doingTable())
	for i := range rows {
		rows[i].job, rows[i].secret = job, secret
		if err := b.append(&rows[i]); err != nil {
			return err
		}
	}
	if err := insert(ctx, s, b, ""); err != nil {
		return err
	}
	defer func() {
		// Also when ctx has ended: what it holds must not stay.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if gone := s.conn.Exec(withSettings(ctx, withMutations()), "ALTER TABLE erasing DELETE WHERE job = '"+job+"'"); gone != nil {
			err = errors.Join(err, fmt.Errorf("failed to empty the table of erasures under way: %w", gone))
		}
	}()
	return fn(job)
}

func (p *Person) params() clickhouse.Parameters { return clickhouse.Parameters{"job": p.job} }

// The links of the people of a job, and what the record has about them.
const (
	linksOf = `(SELECT l.tag AS tag, l.day AS day, l.pseudonym AS pseudonym FROM subject_links AS l
		INNER JOIN (SELECT tag, max(through) AS through FROM erasing WHERE job = {job:String} GROUP BY tag) AS x ON l.tag = x.tag
		WHERE l.tag IN (SELECT tag FROM erasing WHERE job = {job:String}) AND l.day <= x.through)`
	namesOf   = "(SELECT pseudonym FROM " + linksOf + ")"
	manyOf    = "(SELECT groupUniqArray(pseudonym) FROM " + linksOf + ")"
	aboutThem = "(hasAny(subjects, " + manyOf + ") OR principal_id IN " + namesOf + ")"
)

// About is how much the record has about people.
type About struct {
	Links                        uint64 // pseudonyms of a day
	First, Last                  uint16 // days of these, since 1970-01-01
	Entries, Findings, Originals uint64
}

// About counts.
func (p *Person) About(ctx context.Context) (About, error) {
	var a About
	for _, q := range []struct {
		sql  string
		into *uint64
	}{
		{"SELECT uniqExact(day, pseudonym) FROM " + linksOf, &a.Links},
		{"SELECT count() FROM entries WHERE " + aboutThem, &a.Entries},
		{"SELECT count() FROM findings WHERE hasAny(subjects, " + manyOf + ") OR principal IN " + namesOf, &a.Findings},
	} {
		n, err := p.s.number(ctx, q.sql, p.params())
		if err != nil {
			return a, fmt.Errorf("failed to count what the record has about a person: %w", err)
		}
		if *q.into = n; q.into == &a.Links && n == 0 {
			return a, nil
		}
	}
	days, err := p.s.number(ctx, "SELECT min(day) * 65536 + toUInt64(max(day)) FROM "+linksOf, p.params())
	if err != nil {
		return a, fmt.Errorf("failed to read the days of a person: %w", err)
	}
	a.First, a.Last = uint16(days>>16), uint16(days&0xffff)
	err = p.Originals(ctx, func(*audit.Original) error { a.Originals++; return nil })
	return a, err
}

// Names are the people's pseudonyms.
func (p *Person) Names(ctx context.Context) (map[string]bool, error) {
	out := map[string]bool{}
	t := &table[string]{name: "subject_links", fields: []field[string]{str("pseudonym", func(s *string) *string { return s })}}
	err := each(ctx, p.s, t, "FROM "+linksOf, p.params(), func(n *string) error {
		out[*n] = true
		return nil
	})
	return out, err
}

// lineOf is what an entry says about the people.
type lineOf struct {
	origin    audit.Origin
	version   uint16
	principal string
	subjects  []string
}

// Originals calls fn for each sealed original that is theirs, of every version
// of a chunk: of the fields that name them, of a target or referer in which they
// may stand, and, of lines whose principal they are, of every field that is
// not another subject.
func (p *Person) Originals(ctx context.Context, fn func(*audit.Original) error) error {
	names, err := p.Names(ctx)
	if err != nil || len(names) == 0 {
		return err
	}
	lines := map[audit.Origin]map[uint16]lineOf{}
	t := &table[lineOf]{name: "entries_all", fields: []field[lineOf]{
		word("stream", func(l *lineOf) *string { return &l.origin.Stream }),
		u32("generation", func(l *lineOf) *uint32 { return &l.origin.Generation }),
		u64("offset", func(l *lineOf) *uint64 { return &l.origin.Offset }),
		u16("version", func(l *lineOf) *uint16 { return &l.version }),
		str("principal_id", func(l *lineOf) *string { return &l.principal }),
		strs("subjects", func(l *lineOf) *[]string { return &l.subjects }),
	}}
	const withOriginals = " AND (stream, generation, `offset`) IN (SELECT stream, generation, `offset` FROM originals WHERE sealed != '')"
	err = each(ctx, p.s, t, "FROM entries_all WHERE "+aboutThem+withOriginals, p.params(), func(l *lineOf) error {
		if lines[l.origin] == nil {
			lines[l.origin] = map[uint16]lineOf{}
		}
		lines[l.origin][l.version] = *l
		return nil
	})
	if err != nil || len(lines) == 0 {
		return err
	}
	const of = "FROM originals WHERE sealed != '' AND (stream, generation, `offset`) IN (SELECT stream, generation, `offset` FROM entries_all WHERE " + aboutThem + ")"
	return each(ctx, p.s, p.s.originals, of, p.params(), func(o *original) error {
		if !theirs(o.Field, names, lines[o.Origin], o.Version) {
			return nil
		}
		return fn(o.toAudit())
	})
}

// theirs reports whether the original of a field is about one of names, by what
// the versions of its line say.
func theirs(field string, names map[string]bool, versions map[uint16]lineOf, version uint16) bool {
	if field == "target" || field == "referer" {
		return len(versions) > 0
	}
	l, ok := versions[version]
	if !ok {
		return false
	}
	if n, list := strings.CutPrefix(field, "subjects."); list {
		var i int
		_, err := fmt.Sscan(n, &i)
		return err == nil && i < len(l.subjects) && names[l.subjects[i]]
	}
	return names[l.principal]
}

// Unlink puts fresh random tags in place of the people's: nothing ties their
// days to them or to each other any more. It returns once the parts of the table
// that hold the old tags are gone.
func (p *Person) Unlink(ctx context.Context) error {
	through := map[uint16]bool{}
	t := &table[uint16]{name: "erasing", fields: []field[uint16]{u16("through", func(n *uint16) *uint16 { return n })}}
	err := each(ctx, p.s, t, "FROM (SELECT through FROM erasing WHERE job = {job:String} GROUP BY through)", p.params(), func(n *uint16) error {
		through[*n] = true
		return nil
	})
	if err != nil {
		return err
	}
	for day := range through {
		// The secret of the job is random and goes with it.
		sql := fmt.Sprintf(`ALTER TABLE subject_links UPDATE tag = base64URLEncode(substring(SHA256(concat(
			(SELECT any(secret) FROM erasing WHERE job = '%s'), pseudonym, toString(day))), 1, 16))
			WHERE day <= %d AND tag IN (SELECT tag FROM erasing WHERE job = '%s' AND through = %d)`, p.job, day, p.job, day)
		if err := p.s.conn.Exec(withSettings(ctx, withMutations()), sql); err != nil {
			return fmt.Errorf("failed to take a person's tags out of the links: %w", err)
		}
	}
	return p.s.oldPartsGone(ctx, "subject_links")
}

// OriginalRow names a row of originals.
type OriginalRow struct {
	audit.ChunkKey
	Row uint32
}

// DestroyOriginals empties originals; their rows stay. It returns how many it
// emptied, once the parts of the table that hold them are gone. Those that are
// empty already cost nothing.
func (s *Store) DestroyOriginals(ctx context.Context, list []OriginalRow) (n uint64, err error) {
	if len(list) == 0 {
		return 0, nil
	}
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

// Salts are the salts of closed chunks.
func (s *Store) Salts(ctx context.Context, chunks []string) (map[audit.ChunkKey][]byte, error) {
	out := map[audit.ChunkKey][]byte{}
	if len(chunks) == 0 {
		return out, nil
	}
	t := &table[chunk]{name: "chunks", fields: []field[chunk]{
		str("id", func(c *chunk) *string { return &c.c.ID }), u16("version", func(c *chunk) *uint16 { return &c.c.Version }),
		str("salt", func(c *chunk) *string { return &c.salt }),
	}}
	err := each(ctx, s, t, "FROM chunks WHERE state = 'closed' AND id IN ("+literals(chunks)+")", nil, func(c *chunk) error {
		out[c.c.Key()] = []byte(c.salt)
		return nil
	})
	return out, err
}
