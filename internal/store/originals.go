package store

import (
	"context"
	"time"

	"github.com/tallystick/tallystick/audit"
)

// capsule is a row of capsules.
type capsule struct {
	audit.Capsule
	delegator, bytes string
}

func capsulesTable() *table[capsule] {
	type C = capsule
	return &table[C]{name: "capsules", fields: []field[C]{
		str("id", func(c *C) *string { return &c.ID }),
		word("class", func(c *C) *string { return &c.Class }),
		word("month", func(c *C) *string { return &c.Month }),
		str("delegator", func(c *C) *string { return &c.delegator }),
		word("key_id", func(c *C) *string { return &c.KeyID }),
		str("capsule", func(c *C) *string { return &c.bytes }),
		at("first", func(c *C) *time.Time { return &c.First }),
		at("last", func(c *C) *time.Time { return &c.Last }),
		u32("originals", func(c *C) *uint32 { return &c.Originals }),
		str("chunk", func(c *C) *string { return &c.Chunk }),
		u16("version", func(c *C) *uint16 { return &c.Version }),
	}}
}

// original is a row of originals.
type original struct {
	audit.Original
	sealed string
}

func originalsTable() *table[original] {
	type O = original
	return &table[O]{name: "originals", fields: []field[O]{
		word("stream", func(o *O) *string { return &o.Origin.Stream }),
		u32("generation", func(o *O) *uint32 { return &o.Origin.Generation }),
		u64("offset", func(o *O) *uint64 { return &o.Origin.Offset }),
		word("class", func(o *O) *string { return &o.Class }),
		word("month", func(o *O) *string { return &o.Month }),
		word("field", func(o *O) *string { return &o.Field }),
		word("capsule", func(o *O) *string { return &o.Capsule }),
		str("sealed", func(o *O) *string { return &o.sealed }),
		word("chunk", func(o *O) *string { return &o.Chunk }),
		u16("version", func(o *O) *uint16 { return &o.Version }),
		u32("row", func(o *O) *uint32 { return &o.Row }),
	}}
}

func (o *original) toAudit() *audit.Original {
	o.Sealed = []byte(o.sealed)
	return &o.Original
}

// InsertCapsules writes capsules of chunk c. A chunk that is redone has new
// ones; those of before stay, because originals may be sealed under them.
func (s *Store) InsertCapsules(ctx context.Context, c *audit.Chunk, cs []audit.Capsule) error {
	for i := range cs {
		b := newBlock(s.capsules)
		r := capsule{Capsule: cs[i], delegator: string(cs[i].Delegator), bytes: string(cs[i].Bytes)}
		if err := b.append(&r); err != nil {
			return err
		}
		if err := insert(ctx, s, b, token(c.ID, c.Version, "capsule-"+cs[i].ID)); err != nil {
			return err
		}
	}
	return nil
}

// InsertOriginalsBut writes the originals of chunk c in their order, once: the
// first stay. Those that are kept are left out.
func (s *Store) InsertOriginalsBut(ctx context.Context, c *audit.Chunk, os []audit.Original, kept *Kept) error {
	b := newBlock(s.originals)
	for i := range os {
		if kept.original(&os[i]) {
			continue
		}
		r := original{Original: os[i], sealed: string(os[i].Sealed)}
		if err := b.append(&r); err != nil {
			return err
		}
	}
	return insert(ctx, s, b, token(c.ID, c.Version, "originals"))
}

// EachCapsule calls fn for each capsule of a chunk that originals name, in the
// order of class, month and id. Others are what a try left behind whose
// originals did not win.
func (s *Store) EachCapsule(ctx context.Context, chunk string, version uint16, fn func(*audit.Capsule) error) error {
	return s.CapsulesOf(ctx, []string{chunk}, func(k audit.ChunkKey, _ uint32, c *audit.Capsule) error {
		if k.Version != version {
			return nil
		}
		return fn(c)
	})
}

// EachOriginal is EachEntry for originals.
func (s *Store) EachOriginal(ctx context.Context, chunk string, version uint16, fn func(*audit.Original) error) error {
	return each(ctx, s, s.originals, "FROM originals"+whereChunk, ofChunk(chunk, version), func(o *original) error {
		return fn(o.toAudit())
	})
}

// CapsulesOf calls fn for each capsule of some chunks that originals name, with
// its chunk and number there.
func (s *Store) CapsulesOf(ctx context.Context, chunks []string, fn func(audit.ChunkKey, uint32, *audit.Capsule) error) error {
	var at audit.ChunkKey
	n := uint32(0)
	of := "chunk IN (" + literals(chunks) + ")"
	return each(ctx, s, s.capsules, "FROM capsules WHERE "+of+" AND (chunk, version, id) IN (SELECT chunk, version, capsule FROM originals WHERE "+of+
		" UNION ALL SELECT chunk, version, id FROM kept_capsules WHERE "+of+
		") ORDER BY chunk, version, class, month, id", nil, func(c *capsule) error {
		k := audit.ChunkKey{ID: c.Chunk, Version: c.Version}
		if k != at {
			at, n = k, 0
		}
		c.Delegator, c.Bytes = []byte(c.delegator), []byte(c.bytes)
		n++
		return fn(k, n-1, &c.Capsule)
	})
}

// OriginalsOf calls fn for each original of some chunks, in any order.
func (s *Store) OriginalsOf(ctx context.Context, chunks []string, fn func(audit.ChunkKey, uint32, *audit.Original) error) error {
	return rowsOf(ctx, s, s.originals, chunks, func(o *original) error {
		return fn(audit.ChunkKey{ID: o.Chunk, Version: o.Version}, o.Row, o.toAudit())
	})
}
