package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/tallystick/tallystick/audit"
)

// How much of a person's originals is read at a time: whole chunks, as many as
// hold about so many originals.
const (
	originalsAtOnce      = 20_000
	originalChunksAtOnce = 200
)

// Chunks are the versions of chunks that have sealed originals and lines of the
// people, in groups of a bounded size. The versions of a chunk are in one group.
func (p *Person) Chunks(ctx context.Context) (groups [][]audit.ChunkKey, err error) {
	if p.names, err = p.Names(ctx); err != nil || len(p.names) == 0 {
		return nil, err
	}
	type row struct {
		audit.ChunkKey
		originals uint64
	}
	t := &table[row]{name: "originals", fields: []field[row]{
		str("chunk", func(r *row) *string { return &r.ID }),
		u16("version", func(r *row) *uint16 { return &r.Version }),
		u64("originals", func(r *row) *uint64 { return &r.originals }),
	}}
	const from = "FROM (SELECT CAST(o.chunk, 'String') AS chunk, version, count() AS originals FROM originals AS o WHERE sealed != '' AND o.chunk IN (SELECT chunk FROM entries_all WHERE " +
		aboutThem + ") GROUP BY chunk, version) ORDER BY chunk, version"
	chunks, originals, last := 0, uint64(0), ""
	err = each(ctx, p.s, t, from, p.params(), func(r *row) error {
		if r.ID != last {
			if len(groups) == 0 || chunks == originalChunksAtOnce || originals >= originalsAtOnce {
				groups, chunks, originals = append(groups, nil), 0, 0
			}
			last = r.ID
			chunks++
		}
		originals += r.originals
		g := &groups[len(groups)-1]
		*g = append(*g, r.ChunkKey)
		return nil
	})
	return groups, err
}

// Originals calls fn for each sealed original that is theirs, of every version
// of a chunk: of the fields that name them, of a target or referer in which they
// may stand, and, of lines whose principal they are, of every field that is
// not another subject.
func (p *Person) Originals(ctx context.Context, fn func(*audit.Original) error) error {
	groups, err := p.Chunks(ctx)
	for _, g := range groups {
		if err = p.OriginalsOf(ctx, g, fn); err != nil {
			break
		}
	}
	return err
}

// lineOf is what an entry says about the people.
type lineOf struct {
	origin    audit.Origin
	version   uint16
	principal string
	subjects  []string
}

// OriginalsOf is Originals of one group of Chunks, by chunk, version and row.
func (p *Person) OriginalsOf(ctx context.Context, group []audit.ChunkKey, fn func(*audit.Original) error) error {
	ids := make([]string, len(group))
	for i, k := range group {
		ids[i] = k.ID
	}
	in := "chunk IN (" + literals(ids) + ") AND "
	lines := map[audit.Origin]map[uint16]lineOf{}
	t := &table[lineOf]{name: "entries_all", fields: []field[lineOf]{
		word("stream", func(l *lineOf) *string { return &l.origin.Stream }),
		u32("generation", func(l *lineOf) *uint32 { return &l.origin.Generation }),
		u64("offset", func(l *lineOf) *uint64 { return &l.origin.Offset }),
		u16("version", func(l *lineOf) *uint16 { return &l.version }),
		str("principal_id", func(l *lineOf) *string { return &l.principal }),
		strs("subjects", func(l *lineOf) *[]string { return &l.subjects }),
	}}
	const line = "(stream, generation, `offset`) IN (SELECT stream, generation, `offset` FROM "
	err := each(ctx, p.s, t, "FROM entries_all WHERE "+in+aboutThem+" AND "+line+"originals WHERE "+in+"sealed != '')", p.params(), func(l *lineOf) error {
		if lines[l.origin] == nil {
			lines[l.origin] = map[uint16]lineOf{}
		}
		lines[l.origin][l.version] = *l
		return nil
	})
	if err != nil || len(lines) == 0 {
		return err
	}
	of := "FROM originals WHERE " + in + "sealed != '' AND " + line + "entries_all WHERE " + in + aboutThem + ") ORDER BY chunk, version, `row`"
	return each(ctx, p.s, p.s.originals, of, p.params(), func(o *original) error {
		if !theirs(o.Field, p.names, lines[o.Origin], o.Version) {
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
