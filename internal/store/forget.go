package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/tallystick/tallystick/audit"
)

// KeepCapsules notes which capsules of chunks their originals name, before the
// last of them goes: a leaf commits to them all.
func (s *Store) KeepCapsules(ctx context.Context, chunks []string) error {
	for some := range slices.Chunk(chunks, removeAtOnce) {
		of := "chunk IN (" + literals(some) + ")"
		set := insertSettings("")
		set["max_query_size"] = 16 << 20
		err := s.conn.Exec(withSettings(ctx, set), "INSERT INTO kept_capsules SELECT DISTINCT chunk, version, capsule FROM originals WHERE "+of+
			" AND (chunk, version, capsule) NOT IN (SELECT chunk, version, id FROM kept_capsules WHERE "+of+")")
		if err != nil {
			return fmt.Errorf("failed to keep the capsules of %d chunks: %w", len(some), err)
		}
	}
	return nil
}

// ForgetSalts destroys the salts of those versions of chunks of which no table
// has a row left: nothing can be compared with their hashes any more.
func (s *Store) ForgetSalts(ctx context.Context, keys []audit.ChunkKey) error {
	for some := range slices.Chunk(keys, removeAtOnce) {
		left := map[audit.ChunkKey]bool{}
		for _, name := range []string{s.entries.name, s.rejections.name, s.findings.name, s.originals.name} {
			from := "FROM (SELECT CAST(t.chunk, 'String') AS chunk, version, count() AS rows FROM " + name + " AS t WHERE " + keysIn("t.chunk", some) + " GROUP BY chunk, version)"
			if err := each(ctx, s, keysTable(name), from, nil, func(k *keyRow) error { left[k.ChunkKey] = true; return nil }); err != nil {
				return err
			}
		}
		empty := slices.DeleteFunc(slices.Clone(some), func(k audit.ChunkKey) bool { return left[k] })
		if len(empty) == 0 {
			continue
		}
		if err := s.mutate(ctx, s.layout.alter("chunks")+" UPDATE salt = '' WHERE salt != '' AND "+keysIn("id", empty)); err != nil {
			return fmt.Errorf("failed to destroy the salts of %d chunks: %w", len(empty), err)
		}
	}
	return nil
}

// ExpiredWithSalt returns the versions of chunks of which something was removed
// by its age and whose salts are there.
func (s *Store) ExpiredWithSalt(ctx context.Context) (out []audit.ChunkKey, err error) {
	err = s.eachKey(ctx, "(SELECT chunk, version FROM expired_all WHERE (chunk, version) IN (SELECT id, version FROM chunks WHERE state = 'closed' AND salt != ''))",
		func(k audit.ChunkKey) error { out = append(out, k); return nil })
	return out, err
}

// SaltsOf returns the salts of closed chunks.
func (s *Store) SaltsOf(ctx context.Context, keys []audit.ChunkKey) (map[audit.ChunkKey][]byte, error) {
	type R = chunk
	t := &table[R]{name: "chunks", fields: []field[R]{
		str("id", func(c *R) *string { return &c.c.ID }),
		u16("version", func(c *R) *uint16 { return &c.c.Version }),
		str("salt", func(c *R) *string { return &c.salt }),
	}}
	out := map[audit.ChunkKey][]byte{}
	for some := range slices.Chunk(keys, removeAtOnce) {
		if err := each(ctx, s, t, "FROM chunks WHERE state = 'closed' AND "+keysIn("id", some), nil, func(c *R) error {
			out[c.c.Key()] = []byte(c.salt)
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return out, nil
}
