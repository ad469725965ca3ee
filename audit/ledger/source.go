package ledger

import (
	"context"

	"github.com/tallystick/tallystick/audit"
)

// Source reads what the store holds. Rows of several chunks come in any order,
// each with its chunk and the number that it has there, from 0. f must not keep
// what it is given.
type Source interface {
	// EachState calls f with what the register of chunks says, all versions,
	// superseded ones too. A chunk may come several times.
	EachState(ctx context.Context, f func(audit.ChunkState) error) error
	// EachSuperseded calls f with each version that readers no longer see.
	EachSuperseded(ctx context.Context, f func(audit.ChunkKey) error) error
	// EachReplayed calls f with each chunk of replayed rejections that readers see
	// and that does not hold exactly the lines which it hides as rejections:
	// strange are those that it hides and does not hold, shown those that it
	// holds and does not hide.
	EachReplayed(ctx context.Context, f func(chunk string, strange, shown uint64) error) error
	// EachStored calls f with each version of which a table has rows.
	EachStored(ctx context.Context, f func(audit.ChunkKey) error) error
	EntriesOf(ctx context.Context, chunks []string, f func(audit.ChunkKey, uint32, *audit.Entry) error) error
	RejectionsOf(ctx context.Context, chunks []string, f func(audit.ChunkKey, uint32, *audit.Rejection) error) error
	FindingsOf(ctx context.Context, chunks []string, f func(audit.ChunkKey, uint32, *audit.Finding) error) error
	CapsulesOf(ctx context.Context, chunks []string, f func(audit.ChunkKey, uint32, *audit.Capsule) error) error
	OriginalsOf(ctx context.Context, chunks []string, f func(audit.ChunkKey, uint32, *audit.Original) error) error
}

// LogReader reads the files of the log. Reader is the one over a folder.
type LogReader interface {
	// ReadCheckpoint returns the newest checkpoint, unchecked.
	ReadCheckpoint(ctx context.Context) ([]byte, error)
	// ReadLeaves calls f with the leaves from index from up to size, in order.
	ReadLeaves(ctx context.Context, from, size uint64, f func(index uint64, raw []byte) error) error
	// Marks returns the row marks of a table of some chunks, as far as there are
	// any.
	Marks(table string, chunks []audit.ChunkKey) (map[audit.ChunkKey][]byte, error)
}

// row is a stored row on its way through verify.
type row struct {
	chunk     audit.ChunkKey
	n         uint32 // its number in the table of the chunk
	canonical []byte // valid until the next row
	empty     bool   // an original without its ciphertext
	id        func() string
}

// eachRow calls f with each row of a table of some chunks, in any order.
func eachRow(ctx context.Context, src Source, table string, chunks []string, f func(*row) error) error {
	var buf []byte
	r := &row{}
	see := func(k audit.ChunkKey, n uint32, canonical []byte) error {
		buf = canonical
		r.chunk, r.n, r.canonical = k, n, canonical
		return f(r)
	}
	switch table {
	case TableEntries:
		var at *audit.Entry
		r.id = func() string { return at.EntryID() }
		return src.EntriesOf(ctx, chunks, func(k audit.ChunkKey, n uint32, e *audit.Entry) error {
			at = e
			return see(k, n, AppendEntry(buf[:0], e))
		})
	case TableRejections:
		var at *audit.Rejection
		r.id = func() string { return at.Origin.EntryID() }
		return src.RejectionsOf(ctx, chunks, func(k audit.ChunkKey, n uint32, e *audit.Rejection) error {
			at = e
			return see(k, n, AppendRejection(buf[:0], e))
		})
	case TableCapsules:
		var at *audit.Capsule
		r.id = func() string { return at.ID }
		return src.CapsulesOf(ctx, chunks, func(k audit.ChunkKey, n uint32, e *audit.Capsule) error {
			at = e
			return see(k, n, AppendCapsule(buf[:0], e))
		})
	case TableOriginals:
		var at *audit.Original
		r.id = func() string { return at.Origin.EntryID() }
		return src.OriginalsOf(ctx, chunks, func(k audit.ChunkKey, n uint32, e *audit.Original) error {
			at, r.empty = e, len(e.Sealed) == 0
			return see(k, n, AppendOriginal(buf[:0], e))
		})
	default:
		var at *audit.Finding
		r.id = func() string { return at.ID }
		return src.FindingsOf(ctx, chunks, func(k audit.ChunkKey, n uint32, e *audit.Finding) error {
			at = e
			return see(k, n, AppendFinding(buf[:0], e))
		})
	}
}
