package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tallystick/tallystick/audit"
)

// Gone are the hashes of rows that left a table of a chunk while others stayed,
// by the rows' numbers. With them the rows that stayed still give the leaf's
// root, and still can be proved. A hash says nothing of its row: it is blinded.
//
// They are kept beside the row marks, under the table's name with ".gone", each
// record in the place of the one before. The tombstone commits to the record;
// it is written before the record, and the record before the rows go.
type Gone map[uint32]Hash

// goneTable is the name of the record of a table's gone rows.
func goneTable(table string) string { return table + ".gone" }

const goneRow = 4 + sha256.Size

// Marshal writes the numbers of rows (32 bits, big-endian) with their hashes, in
// the order of the numbers.
func (g Gone) Marshal() []byte {
	b := make([]byte, 0, len(g)*goneRow)
	for _, n := range slices.Sorted(maps.Keys(g)) {
		h := g[n]
		b = append(binary.BigEndian.AppendUint32(b, n), h[:]...)
	}
	return b
}

// ParseGone reads exactly what Marshal writes.
func ParseGone(b []byte) (Gone, error) {
	if len(b)%goneRow != 0 {
		return nil, errGone
	}
	g := make(Gone, len(b)/goneRow)
	last := int64(-1)
	for ; len(b) > 0; b = b[goneRow:] {
		n := binary.BigEndian.Uint32(b)
		if int64(n) <= last {
			return nil, errGone
		}
		g[n], last = Hash(b[4:goneRow]), int64(n)
	}
	return g, nil
}

var errGone = errors.New("not a list of rows that are gone")

// Tombstone says that tables of a chunk may be gone, or all of them if none is
// named.
func Tombstone(k audit.ChunkKey, now time.Time, tables ...string) Leaf {
	l := Leaf{Type: LeafTombstone, Chunk: k.ID, Version: k.Version, Time: now.UTC()}
	for _, t := range tables {
		if l.Tables == nil {
			l.Tables = map[string]TableRoot{}
		}
		l.Tables[t] = TableRoot{}
	}
	return l
}

// Tombstone says that exactly these rows of a table may be gone.
func (g Gone) Tombstone(k audit.ChunkKey, table string, now time.Time) Leaf {
	sum := sha256.Sum256(g.Marshal())
	l := Tombstone(k, now, table)
	l.Tables[table] = TableRoot{Count: uint64(len(g)), Root: sum[:]}
	return l
}

// Gone returns which rows of tables of chunks are gone, as far as any are. What
// it returns is not checked against a tombstone.
func (r *Reader) Gone(table string, chunks ...audit.ChunkKey) (map[audit.ChunkKey]Gone, error) {
	raw, err := r.Marks(goneTable(table), chunks)
	if err != nil {
		return nil, err
	}
	out := make(map[audit.ChunkKey]Gone, len(raw))
	for k, b := range raw {
		if out[k], err = ParseGone(b); err != nil {
			return nil, fmt.Errorf("failed to read which %s of chunk %s are gone: %w", table, k.ID, err)
		}
	}
	return out, nil
}

// Erased returns which originals of chunks were erased, by the tombstones under
// checkpoint cp. It reads the whole log.
func (r *Reader) Erased(ctx context.Context, cp Checkpoint, chunks ...audit.ChunkKey) (map[audit.ChunkKey]Gone, error) {
	v := &verification{erased: map[chunkKey]Gone{}}
	asked := make(map[chunkKey]bool, len(chunks))
	for _, k := range chunks {
		asked[k] = true
	}
	err := r.ReadLeaves(ctx, 0, cp.Size, func(_ uint64, raw []byte) error {
		leaf, err := ParseLeaf(raw)
		k := audit.ChunkKey{ID: leaf.Chunk, Version: leaf.Version}
		if err == nil && len(leaf.Rows) > 0 && asked[k] {
			v.noteErased(k, leaf)
		}
		return err
	})
	return v.erased, err
}

// WriteGone keeps which rows of a chunk's table are gone, durably.
func (l *Log) WriteGone(k audit.ChunkKey, table string, g Gone) error {
	return l.WriteMarks(k.ID, k.Version, map[string][]byte{goneTable(table): g.Marshal()})
}

// Going takes rows out of a table. Its zero value is no use; NewGoing makes one.
type Going struct {
	rows   placed
	hasher rowHasher
	gone   Gone
	erased Gone
}

// NewGoing begins with the originals of a chunk of that salt, whose leaf says
// root, of which before is gone already and erased has been emptied.
func NewGoing(salt []byte, root TableRoot, before, erased Gone) *Going {
	g := &Going{rows: placed{limit: root.Count}, hasher: newRowHasher(salt), gone: Gone{}, erased: erased}
	maps.Copy(g.gone, before)
	return g
}

// Add adds an original that the store holds; goes says that it is to go. All of
// the chunk have to come, in any order.
func (g *Going) Add(o *audit.Original, goes bool) {
	g.rows.add(&row{n: o.Row, canonical: AppendOriginal(nil, o), empty: len(o.Sealed) == 0}, &g.hasher, g.erased)
	if goes && uint64(o.Row) < g.rows.limit {
		g.gone[o.Row] = g.rows.hashes[o.Row]
	}
}

// Gone returns all rows that are gone then. It fails with ErrChanged if the rows
// do not give the root of their leaf: a removal must not hide a change.
func (g *Going) Gone(root TableRoot) (Gone, error) {
	g.rows.fill(g.gone)
	if !g.rows.gives(root.Root) {
		return nil, ErrChanged
	}
	return g.gone, nil
}

// fill puts hashes of rows that are gone where rows are missing.
func (p *placed) fill(gone Gone) {
	for n, h := range gone {
		if uint64(n) >= p.limit || uint64(n) < uint64(len(p.have)) && p.have[n] {
			continue
		}
		p.grow(uint64(n))
		p.hashes[n], p.have[n] = h, true
		p.count++
	}
}

// absent are the tables of a chunk that tombstones allow to be gone.
type absent map[string]*allowance

// allowance is what tombstones allow of one table.
type allowance struct {
	all     bool
	digests [][]byte // of records of gone rows
}

// of reports whether the whole table may be gone.
func (a absent) of(table string) bool { return a[table] != nil && a[table].all }

// whole reports whether all tables may be gone.
func (a absent) whole() bool {
	for _, t := range Tables {
		if !a.of(t) {
			return false
		}
	}
	return true
}

// note adds what a tombstone says.
func (a absent) note(l Leaf) {
	for _, t := range Tables {
		root, named := l.Tables[t]
		if !named && len(l.Tables) > 0 {
			continue
		}
		if a[t] == nil {
			a[t] = &allowance{}
		}
		if len(root.Root) == 0 {
			a[t].all = true
		} else {
			a[t].digests = append(a[t].digests, root.Root)
		}
	}
}

// rows reads a record of gone rows if a tombstone commits to it.
func (a *allowance) rows(record []byte) Gone {
	sum := sha256.Sum256(record)
	if a == nil || !slices.ContainsFunc(a.digests, func(d []byte) bool { return bytes.Equal(d, sum[:]) }) {
		return nil
	}
	g, err := ParseGone(record)
	if err != nil {
		return nil
	}
	return g
}
