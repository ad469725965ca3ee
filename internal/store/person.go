package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/text"
)

// Tag is a tag of a person of a long epoch, up to and with a day.
type Tag struct {
	Tag     string
	Through uint16 // days since 1970-01-01
}

// Person are tags of one or several people, as far as they are to be seen. What
// it asks and changes goes through a memory table: no statement names a tag.
type Person struct {
	s     *Store
	job   string
	names map[string]bool // as Chunks saw them last
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
	return s.doing(ctx, rows, func(job string) error { return fn(&Person{s: s, job: job}) })
}

// abandoned is the age in seconds of rows of the table erasing that a process
// left when it was killed: no job takes as long.
const abandoned = 24 * 3600

// doing keeps rows in the table erasing while fn runs. Each has one secret that
// nobody else has. The name of a job begins with its time.
func (s *Store) doing(ctx context.Context, rows []doing, fn func(job string) error) (err error) {
	if s.layout.cluster != "" { // the table is in the memory of one node
		return &text.Hint{Err: errors.New("people can't be looked for or erased on a cluster of ClickHouse yet"), Hint: "use one server: clickhouse without cluster"}
	}
	now := s.now().Unix()
	job, secret := fmt.Sprintf("%012d-%s", now, rand.Text()), rand.Text()+rand.Text()
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
		sql := fmt.Sprintf("ALTER TABLE erasing DELETE WHERE job = '%s' OR job < '%012d'", job, now-abandoned)
		if gone := s.conn.Exec(withSettings(ctx, withMutations()), sql); gone != nil {
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

// Left is what of the people an erasure takes away.
func (p *Person) Left(ctx context.Context) (links, originals uint64, err error) {
	links, err = p.s.number(ctx, "SELECT uniqExact(day, pseudonym) FROM "+linksOf, p.params())
	if err != nil || links == 0 {
		return 0, 0, err
	}
	err = p.Originals(ctx, func(*audit.Original) error { originals++; return nil })
	return links, originals, err
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

// SubjectKinds returns the kinds of subject that entries have, sorted: also those
// that no data map names any more.
func (s *Store) SubjectKinds(ctx context.Context) ([]string, error) {
	var out []string
	t := &table[string]{name: "entries_all", fields: []field[string]{str("kind", func(k *string) *string { return k })}}
	err := each(ctx, s, t, "FROM (SELECT DISTINCT CAST(arrayJoin(subject_kinds), 'String') AS kind FROM entries_all WHERE notEmpty(subject_kinds)) ORDER BY kind", nil, func(k *string) error {
		out = append(out, *k)
		return nil
	})
	return out, err
}
