package ledger

import (
	"bytes"
	"context"
	"fmt"

	"github.com/tallystick/tallystick/audit"
)

type chunkKey = audit.ChunkKey

// chunk is a chunk of a group on its way through verify.
type chunk struct {
	key    chunkKey
	leaf   Leaf
	gone   absent
	erased Gone // originals with a tombstone of their own
	hasher rowHasher
	rows   placed // of the table that is being read
}

// placed are the hashes of the stored rows of a table of a chunk, at the numbers
// that the rows have.
type placed struct {
	limit  uint64 // rows that the leaf counts
	hashes []Hash // as far as rows came
	have   []bool
	count  uint64 // places that are taken
	// extra is the lowest number of a row beyond limit or of a second row with
	// its number; extras counts such rows.
	extra  uint64
	extras uint64
}

// add puts the hash of a row where its number says.
func (p *placed) add(r *row, h *rowHasher, erased Gone) {
	n := uint64(r.n)
	if n >= p.limit || n < uint64(len(p.have)) && p.have[n] {
		if p.extras == 0 || n < p.extra {
			p.extra = n
		}
		p.extras++
		return
	}
	p.grow(n)
	p.hashes[n], p.have[n] = rowHash(r, h, erased), true
	p.count++
}

// grow makes room for row n.
func (p *placed) grow(n uint64) {
	for uint64(len(p.have)) <= n {
		p.have, p.hashes = append(p.have, false), append(p.hashes, Hash{})
	}
}

// rowHash is the hash of a row; of an original that was erased, the one that its
// tombstone has.
func rowHash(r *row, h *rowHasher, erased Gone) Hash {
	if r.empty {
		if hash, ok := erased[r.n]; ok {
			return hash
		}
	}
	return h.hash(uint64(r.n), r.canonical)
}

// gives reports whether all rows are there and give the root.
func (p *placed) gives(root []byte) bool {
	if p.extras > 0 || p.count != p.limit {
		return false
	}
	var t tree
	for i := range p.hashes {
		t.add(p.hashes[i])
	}
	h := t.root()
	return root == nil && p.limit == 0 || bytes.Equal(h[:], root)
}

// fault finds the first row that is missing, does not fit its mark or is one too
// many. Without marks changed rows are passed over. gone: rows may be missing.
func (p *placed) fault(marks []byte, gone bool) (kind ProblemKind, row uint64) {
	if uint64(len(marks)) != p.limit*MarkSize {
		marks = nil
	}
	for n := range p.limit {
		switch missing := n >= uint64(len(p.have)) || !p.have[n]; {
		case p.extras > 0 && p.extra == n:
			return RowAdded, n
		case missing && !gone:
			return RowRemoved, n
		case !missing && marks != nil && !p.fits(n, marks):
			return RowChanged, n
		}
	}
	if p.extras > 0 {
		return RowAdded, p.extra
	}
	if gone && p.count < p.limit {
		return "", 0 // what is left of the table fits
	}
	return TableDiffers, 0
}

func (p *placed) fits(n uint64, marks []byte) bool {
	return bytes.Equal(p.hashes[n][:MarkSize], markAt(marks, n))
}

func markAt(marks []byte, n uint64) []byte { return marks[n*MarkSize : (n+1)*MarkSize] }

// faults are the problems of a table in chunks whose rows are placed: of each
// chunk the first.
func (v *verification) faults(ctx context.Context, table string, chunks []*chunk) ([]Problem, error) {
	var bad []*chunk
	var keys []chunkKey
	for _, c := range chunks {
		if !c.rows.gives(c.leaf.Tables[table].Root) && (!c.gone.of(table) || c.rows.count+c.rows.extras > 0) {
			bad, keys = append(bad, c), append(keys, c.key)
		}
	}
	if len(bad) == 0 {
		return nil, nil
	}
	marks, err := v.log.Marks(table, keys)
	if err != nil {
		return nil, err
	}
	var out []Problem
	var names []string
	wrong := map[chunkKey]*naming{}
	for _, c := range bad {
		kind, n := c.rows.fault(marks[c.key], c.gone.of(table))
		if kind == "" {
			continue
		}
		out = append(out, Problem{Kind: kind, Chunk: c.key.ID, Version: c.key.Version, Table: table, Row: n})
		wrong[c.key] = &naming{at: len(out) - 1, hasher: &c.hasher, erased: c.erased, marks: marks[c.key]}
		names = append(names, c.key.ID)
	}
	if len(names) == 0 {
		return nil, nil
	}
	err = eachRow(ctx, v.src, table, names, func(r *row) error {
		if w := wrong[r.chunk]; w != nil {
			w.see(&out[w.at], r)
		}
		return nil
	})
	if err != nil {
		return out, fmt.Errorf("failed to name the %s that differ: %w", table, err)
	}
	return out, nil
}

// naming looks for the id of the row that a problem is about.
type naming struct {
	at     int
	hasher *rowHasher
	erased map[uint32]Hash
	marks  []byte
	strong bool // the id found is of a row that does not fit its mark
}

// see is given each row of the problem's table.
func (w *naming) see(p *Problem, r *row) {
	n := uint64(r.n)
	switch p.Kind {
	case RowRemoved:
		if n+1 == p.Row {
			p.EntryID = r.id()
		}
	case RowChanged, RowAdded:
		if n != p.Row || w.strong {
			return
		}
		h := rowHash(r, w.hasher, w.erased)
		w.strong = (n+1)*MarkSize > uint64(len(w.marks)) || !bytes.Equal(h[:MarkSize], markAt(w.marks, n))
		if w.strong || p.EntryID == "" {
			p.EntryID = r.id()
		}
	}
}
