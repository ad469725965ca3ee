package store

import (
	"context"

	"github.com/tallystick/tallystick/audit"
)

func linksTable() *table[audit.Link] {
	type L = audit.Link
	return &table[L]{name: "subject_links", fields: []field[L]{
		str("tag", func(l *L) *string { return &l.Tag }),
		u16("day", func(l *L) *uint16 { return &l.Day }),
		str("pseudonym", func(l *L) *string { return &l.Pseudonym }),
	}}
}

// InsertLinks writes links. One that was written before stays one; a chunk that
// is redone may bring others than its first try, so no insert counts for the
// next.
func (s *Store) InsertLinks(ctx context.Context, links []audit.Link) error {
	b := newBlock(s.links)
	for i := range links {
		if err := b.append(&links[i]); err != nil {
			return err
		}
	}
	return insert(ctx, s, b, "")
}

// EachTag calls fn for each tag of a link.
func (s *Store) EachTag(ctx context.Context, fn func(tag string) error) error {
	t := &table[string]{name: "subject_links", fields: []field[string]{str("tag", func(s *string) *string { return s })}}
	return each(ctx, s, t, "FROM (SELECT tag FROM subject_links GROUP BY tag)", nil, func(tag *string) error { return fn(*tag) })
}
