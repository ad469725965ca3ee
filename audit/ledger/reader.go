package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"
)

// Reader reads the files of a log: checkpoint, leaves, tiles and row marks. It
// needs no key and may be used while a writer is at work.
type Reader struct{ dir string }

var _ LogReader = (*Reader)(nil)

// OpenReader returns a reader of the log in dir.
func OpenReader(dir string) *Reader { return &Reader{dir: dir} }

// ReadCheckpoint returns the newest signed checkpoint. Its signature is not
// checked here.
func (r *Reader) ReadCheckpoint(context.Context) ([]byte, error) {
	raw, err := os.ReadFile(filepath.Join(r.dir, checkpointFile))
	if err != nil {
		return nil, fmt.Errorf("failed to read the ledger's checkpoint: %w", err)
	}
	return raw, nil
}

// ReadLeaves calls f with the bytes of the leaves from index from up to, not
// including, size, in order. f must not keep the bytes.
func (r *Reader) ReadLeaves(ctx context.Context, from, size uint64, f func(index uint64, raw []byte) error) error {
	for from < size {
		if err := ctx.Err(); err != nil {
			return err
		}
		bundle := from / tileWidth
		width := min(size-bundle*tileWidth, tileWidth)
		leaves, err := r.bundle(bundle, int(width))
		if err != nil {
			return fmt.Errorf("failed to read the ledger's leaves from %d to %d: %w", bundle*tileWidth, bundle*tileWidth+width-1, err)
		}
		for i, leaf := range leaves[from%tileWidth:] {
			if err := f(from+uint64(i), leaf); err != nil {
				return err
			}
		}
		from = bundle*tileWidth + width
	}
	return nil
}

// bundle returns the first width leaves of a bundle.
func (r *Reader) bundle(n uint64, width int) ([][]byte, error) {
	raw, err := r.readTile(tlog.Tile{H: tileHeight, L: -1, N: int64(n), W: width})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fs.ErrNotExist
	}
	if err != nil {
		return nil, err
	}
	leaves, err := splitBundle(raw)
	if err != nil {
		return nil, err
	}
	if len(leaves) < width {
		return nil, fmt.Errorf("%w: it holds only %d leaves", errBundle, len(leaves))
	}
	return leaves[:width], nil
}

// LeafAt returns the leaf at index and its bytes. The size of cp is one that the
// log was published with: only those have files.
func (r *Reader) LeafAt(ctx context.Context, index uint64, cp Checkpoint) (raw []byte, leaf Leaf, err error) {
	if index >= cp.Size {
		return nil, Leaf{}, fmt.Errorf("failed to read leaf %d: checkpoint %d does not cover it", index, cp.Size)
	}
	err = r.ReadLeaves(ctx, index, cp.Size, func(_ uint64, b []byte) error {
		raw = bytes.Clone(b)
		return errStop
	})
	if !errors.Is(err, errStop) {
		return nil, Leaf{}, err
	}
	leaf, err = ParseLeaf(raw)
	return raw, leaf, err
}

// InclusionProof returns the hashes that lead from leaf index to the root of a
// checkpoint (RFC 6962 section 2.1.1).
func (r *Reader) InclusionProof(cp Checkpoint, index uint64) ([]Hash, error) {
	p, err := tlog.ProveRecord(int64(cp.Size), int64(index), r.hashes(cp.Size, Hash(cp.Root)))
	if err != nil {
		return nil, fmt.Errorf("failed to prove leaf %d in checkpoint %d: %w", index, cp.Size, err)
	}
	return toHashes(p), nil
}

// ConsistencyProof returns the hashes that show that the tree of old leaves is
// the beginning of a checkpoint's tree (RFC 6962 section 2.1.2).
func (r *Reader) ConsistencyProof(cp Checkpoint, old uint64) ([]Hash, error) {
	p, err := tlog.ProveTree(int64(cp.Size), int64(old), r.hashes(cp.Size, Hash(cp.Root)))
	if err != nil {
		return nil, fmt.Errorf("failed to prove that checkpoint %d continues checkpoint %d: %w", cp.Size, old, err)
	}
	return toHashes(p), nil
}

// CheckInclusion checks the proof of a leaf against a checkpoint.
func CheckInclusion(cp Checkpoint, index uint64, leaf []byte, proof []Hash) error {
	if err := checkPath(cp.Size, Hash(cp.Root), index, leafHash(leaf), proof); err != nil {
		return fmt.Errorf("leaf %d is not in checkpoint %d: %w", index, cp.Size, err)
	}
	return nil
}

// checkPath checks the inclusion path of leaf hash h, number n of size.
func checkPath(size uint64, root Hash, n uint64, h Hash, path []Hash) error {
	if n >= size || size > 1<<62 {
		return errors.New("its number is out of range")
	}
	p := make(tlog.RecordProof, len(path))
	for i, h := range path {
		p[i] = h
	}
	return tlog.CheckRecord(p, int64(size), root, int64(n), h)
}

func toHashes[P ~[]tlog.Hash](p P) []Hash {
	out := make([]Hash, len(p))
	for i, h := range p {
		out[i] = h
	}
	return out
}

// leafHash is the hash of a leaf of the log.
func leafHash(raw []byte) Hash {
	return sha256.Sum256(append([]byte{0}, raw...))
}
