package registers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// ErasureLeaf is a leaf for the ledger: of the act of an erasure, or of
// originals of a chunk.
type ErasureLeaf struct {
	ID      int64
	Erasure string // of an act; else empty
	Chunk   string // of originals; empty of an act, and of leaves of before this was kept
	Leaf    []byte
	At      int64 // index in the log; -1 before
	Gone    bool  // the originals are destroyed
}

// AddErasureLeaves leaves the tombstones of originals to the ledger.
func (d *DB) AddErasureLeaves(ctx context.Context, leaves []ErasureLeaf) error {
	err := d.tx(ctx, func(tx *sql.Tx) error {
		for _, l := range leaves {
			if err := addErasureLeaf(ctx, tx, ErasureLeaf{Chunk: l.Chunk, Leaf: l.Leaf}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("failed to record what is to be erased: %w", err)
	}
	return nil
}

func addErasureLeaf(ctx context.Context, tx *sql.Tx, l ErasureLeaf) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO erasure_leaves (id, erasure, chunk, leaf, at, gone)
		SELECT COALESCE(MAX(id), 0) + 1, ?, ?, ?, -1, 0 FROM erasure_leaves WHERE true ON CONFLICT DO NOTHING`, l.Erasure, l.Chunk, string(l.Leaf))
	return err
}

// ErasureLeavesWaiting are the first leaves that the ledger has not taken yet.
func (d *DB) ErasureLeavesWaiting(ctx context.Context, limit int) ([]ErasureLeaf, error) {
	return d.erasureLeaves(ctx, `WHERE at < 0 ORDER BY id LIMIT ?`, limit)
}

// ErasureLeavesOf are the leaves of originals of a chunk. Leaves of which the
// chunk was not kept are among them.
func (d *DB) ErasureLeavesOf(ctx context.Context, chunk string) ([]ErasureLeaf, error) {
	return d.erasureLeaves(ctx, `WHERE chunk IN (?, '') AND erasure = '' ORDER BY id`, chunk)
}

// ErasureLeavesDue are the first leaves after one, by its number, that the
// ledger has and whose originals are to be destroyed; with all, also those whose
// originals were.
func (d *DB) ErasureLeavesDue(ctx context.Context, after int64, all bool, limit int) ([]ErasureLeaf, error) {
	gone := 0
	if all {
		gone = 1
	}
	return d.erasureLeaves(ctx, `WHERE gone <= ? AND id > ? AND at >= 0 AND erasure = '' ORDER BY id LIMIT ?`, gone, after, limit)
}

func (d *DB) erasureLeaves(ctx context.Context, rest string, args ...any) ([]ErasureLeaf, error) {
	rows, err := d.sql.QueryContext(ctx, `SELECT id, erasure, chunk, leaf, at, gone FROM erasure_leaves `+rest, args...)
	if err != nil {
		return nil, fmt.Errorf("failed to read the leaves of erasures: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []ErasureLeaf
	for rows.Next() {
		var l ErasureLeaf
		var leaf string
		var gone int64
		if err := rows.Scan(&l.ID, &l.Erasure, &l.Chunk, &leaf, &l.At, &gone); err != nil {
			return nil, fmt.Errorf("failed to read the leaves of erasures: %w", err)
		}
		l.Leaf, l.Gone = []byte(leaf), gone == 1
		out = append(out, l)
	}
	return out, rows.Err()
}

// ErasureLeafAt is the index in the log of the leaf of an act, -1 while there is
// none.
func (d *DB) ErasureLeafAt(ctx context.Context, erasure string) (int64, error) {
	at := int64(-1)
	err := d.sql.QueryRowContext(ctx, `SELECT at FROM erasure_leaves WHERE erasure = ?`, erasure).Scan(&at)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return -1, fmt.Errorf("failed to read the leaf of an erasure: %w", err)
	}
	return at, nil
}

// SetErasureLeaf records that the ledger has a leaf.
func (d *DB) SetErasureLeaf(ctx context.Context, id int64, index uint64) error {
	if _, err := d.sql.ExecContext(ctx, `UPDATE erasure_leaves SET at = ? WHERE id = ?`, int64(index), id); err != nil {
		return fmt.Errorf("failed to record the leaf of an erasure: %w", err)
	}
	return nil
}

// SetOriginalsGone records that the originals that some leaves name are destroyed.
func (d *DB) SetOriginalsGone(ctx context.Context, ids []int64) error {
	err := d.tx(ctx, func(tx *sql.Tx) error {
		for _, id := range ids {
			if _, err := tx.ExecContext(ctx, `UPDATE erasure_leaves SET gone = 1 WHERE id = ?`, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("failed to record that originals were destroyed: %w", err)
	}
	return nil
}
