package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/tallystick/tallystick/audit"
)

// row is a row of the store on its way through verify.
type row struct {
	canonical []byte // valid until the next row
	entry     *audit.Entry
	rejection *audit.Rejection
	finding   *audit.Finding
}

func (r row) id() string {
	switch {
	case r.entry != nil:
		return r.entry.EntryID()
	case r.rejection != nil:
		return r.rejection.Origin.EntryID()
	default:
		return r.finding.ID
	}
}

// checkChunk compares the tables of one chunk with its leaf. The first row that
// does not fit is named per table.
func (v *verification) checkChunk(ctx context.Context, c chunk, done *atomic.Uint64) ([]Problem, error) {
	var out []Problem
	for _, table := range Tables {
		want, listed := c.leaf.Tables[table]
		if v.gone[c.key][table] {
			continue
		}
		t := NewTable(c.salt)
		if err := v.eachRow(ctx, c.key, table, func(r row) error {
			t.Add(r.canonical)
			if t.Count()&1023 == 0 {
				done.Add(1024)
			}
			return nil
		}); err != nil {
			return out, err
		}
		done.Add(t.Count() & 1023)
		if !listed && t.Count() == 0 || t.Count() == want.Count && bytes.Equal(t.Root(), want.Root) {
			continue
		}
		p, err := v.nameRow(ctx, c, table, want.Count, t.Marks())
		if err != nil {
			return out, err
		}
		out = append(out, p)
	}
	return out, nil
}

// eachRow calls f with each row of a table of a chunk.
func (v *verification) eachRow(ctx context.Context, k chunkKey, table string, f func(row) error) error {
	var buf []byte
	var err error
	switch table {
	case TableEntries:
		err = v.src.EachEntry(ctx, k.id, k.version, func(e *audit.Entry) error {
			buf = AppendEntry(buf[:0], e)
			return f(row{canonical: buf, entry: e})
		})
	case TableRejections:
		err = v.src.EachRejection(ctx, k.id, k.version, func(r *audit.Rejection) error {
			buf = AppendRejection(buf[:0], r)
			return f(row{canonical: buf, rejection: r})
		})
	case TableFindings:
		err = v.src.EachFinding(ctx, k.id, k.version, func(d *audit.Finding) error {
			buf = AppendFinding(buf[:0], d)
			return f(row{canonical: buf, finding: d})
		})
	}
	if err != nil && !errors.Is(err, errStop) {
		return fmt.Errorf("failed to read the %s of chunk %s: %w", table, k.id, err)
	}
	return nil
}

// errStop ends a walk over rows early.
var errStop = errors.New("stop")

// nameRow finds the first row that differs from the marks. got are the marks of
// the stored rows, numbered as they came.
func (v *verification) nameRow(ctx context.Context, c chunk, table string, want uint64, got []byte) (Problem, error) {
	p := Problem{Kind: TableDiffers, Chunk: c.key.id, Version: c.key.version, Table: table}
	marks, err := v.log.Marks(c.key.id, c.key.version, table)
	if err != nil {
		return p, err
	}
	if uint64(len(marks)) != want*MarkSize {
		return p, nil
	}
	first := 0
	for first < min(len(got), len(marks)) && bytes.Equal(markAt(got, first), markAt(marks, first)) {
		first += MarkSize
	}
	if first == len(got) && first == len(marks) {
		return p, nil // the marks were changed with the row
	}
	p.Row, p.Kind = uint64(first/MarkSize), RowChanged
	switch {
	case first >= len(got):
		p.Kind = RowRemoved
	case first >= len(marks):
		p.Kind = RowAdded
	}
	w := namer{p: &p, marks: marks, hasher: newRowHasher(c.salt)}
	return p, v.eachRow(ctx, c.key, table, w.see)
}

func markAt(marks []byte, at int) []byte { return marks[at : at+MarkSize] }

// namer walks the rows again and says whether the row of p was changed, whether
// rows are gone from there or whether rows came in.
type namer struct {
	p      *Problem
	marks  []byte
	hasher rowHasher
	n      uint64
	before string
}

func (w *namer) see(r row) error {
	n := w.n
	w.n++
	switch {
	case n < w.p.Row:
		w.before = r.id()
		if w.p.Kind == RowRemoved {
			w.p.EntryID = w.before
		}
		return nil
	case n == w.p.Row:
		w.p.EntryID = r.id()
		if w.p.Kind != RowChanged {
			return errStop
		}
		for other := n + 1; other < uint64(len(w.marks)/MarkSize); other++ {
			if w.fits(other, r.canonical) {
				w.p.Kind, w.p.EntryID = RowRemoved, w.before
				return errStop
			}
		}
		return nil
	default:
		if w.fits(w.p.Row, r.canonical) {
			w.p.Kind = RowAdded
			return errStop
		}
		return nil
	}
}

// fits reports whether a row is the one that once had number n.
func (w *namer) fits(n uint64, canonical []byte) bool {
	h := w.hasher.hash(n, canonical)
	return bytes.Equal(h[:MarkSize], markAt(w.marks, int(n)*MarkSize))
}
