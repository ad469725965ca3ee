package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tallystick/tallystick/audit"
)

// EntryPlace says where an entry is in the record.
type EntryPlace struct {
	audit.ChunkKey
	Row       uint32
	Salt      []byte // of the chunk
	Leaf      uint64 // of the chunk, if Sequenced
	Sequenced bool
}

// placesBatch is how many origins one statement names.
const placesBatch = 1000

// FindEntries looks for the entries of origins as readers see them. Those that
// there are not are left out.
func (s *Store) FindEntries(ctx context.Context, origins []audit.Origin) (map[audit.Origin]*EntryPlace, error) {
	found, ofChunks := map[audit.Origin]*EntryPlace{}, map[audit.ChunkKey][]*EntryPlace{}
	for some := range slices.Chunk(origins, placesBatch) {
		err := each(ctx, s, entryPlaces(), "FROM entries WHERE "+originsIn(some), nil, func(p *placed) error {
			place := &EntryPlace{ChunkKey: p.ChunkKey, Row: p.row}
			found[p.Origin] = place
			ofChunks[p.ChunkKey] = append(ofChunks[p.ChunkKey], place)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	for chunk, places := range ofChunks {
		if err := s.provable(ctx, chunk, places); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// provable adds what proofs of the entries of one chunk need.
func (s *Store) provable(ctx context.Context, k audit.ChunkKey, places []*EntryPlace) error {
	salts := &table[chunk]{name: "chunks", fields: []field[chunk]{str("salt", func(c *chunk) *string { return &c.salt })}}
	err := each(ctx, s, salts, "FROM chunks WHERE id = {chunk:String} AND version = {version:UInt16} AND state = 'closed'", ofChunk(k.ID, k.Version), func(c *chunk) error {
		for _, p := range places {
			p.Salt = []byte(c.salt)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return each(ctx, s, s.leaves, "FROM leaves WHERE chunk = {chunk:String} AND version = {version:UInt16}", ofChunk(k.ID, k.Version), func(l *leaf) error {
		for _, p := range places {
			p.Leaf, p.Sequenced = l.index, true
		}
		return nil
	})
}

// placed is an entry's origin and place.
type placed struct {
	audit.Origin
	audit.ChunkKey
	row uint32
}

func entryPlaces() *table[placed] {
	type P = placed
	return &table[P]{name: "entries", fields: []field[P]{
		word("stream", func(p *P) *string { return &p.Stream }),
		u32("generation", func(p *P) *uint32 { return &p.Generation }),
		u64("offset", func(p *P) *uint64 { return &p.Offset }),
		word("chunk", func(p *P) *string { return &p.ID }),
		u16("version", func(p *P) *uint16 { return &p.Version }),
		u32("row", func(p *P) *uint32 { return &p.row }),
	}}
}

// originsIn is a condition for rows of origins, in the columns of the order of
// entries, so that the index is used.
func originsIn(origins []audit.Origin) string {
	var b strings.Builder
	for i, o := range origins {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "(%s,%d,%d)", literals([]string{o.Stream}), o.Generation, o.Offset)
	}
	return "(stream, generation, `offset`) IN (" + b.String() + ")"
}
