package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/transparency-dev/formats/log"

	"github.com/tallystick/tallystick/internal/text"
)

// Log is the append-only log of leaves in a folder. One process at a time holds
// it open. What the newest signed checkpoint covers is the log; files that an
// interrupted append left beyond it are written anew.
type Log struct {
	*Reader
	signer note.Signer
	key    Signer
	origin string
	lock   *os.File
	marks  *markWriter

	mu    sync.Mutex // guards what follows and serialises appends
	cp    Checkpoint
	seen  map[leafKey]uint64 // index + 1 of the leaf about something
	stale bool               // an append failed: the files may be ahead of cp
}

// OpenLog opens the log in dir for writing, or begins one. It reads all leaves
// once and checks them against the checkpoint. Origin is the log's name in its
// checkpoints; it never changes. The caller closes it.
func OpenLog(ctx context.Context, dir string, signer Signer, origin string) (*Log, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("failed to make the ledger's folder: %w", err)
	}
	v, err := verifier(signer.Public(), origin)
	if err != nil {
		return nil, err
	}
	l := &Log{
		Reader: OpenReader(dir), signer: noteSigner{Signer: signer, v: v}, key: signer, origin: origin,
		seen: map[leafKey]uint64{},
	}
	if l.lock, err = lockDir(dir); err != nil {
		return nil, err
	}
	err = os.RemoveAll(filepath.Join(dir, newFolder))
	if err == nil {
		err = os.Mkdir(filepath.Join(dir, newFolder), 0o700)
	}
	if err == nil {
		err = l.load(ctx)
	}
	if err == nil {
		err = l.writeKey()
	}
	if err == nil {
		l.marks, err = openMarkWriter(dir)
	}
	if err != nil {
		return nil, errors.Join(err, l.lock.Close())
	}
	return l, nil
}

// writeKey leaves the public key beside the checkpoint, so that the folder and
// its copies can be checked by themselves.
func (l *Log) writeKey() error {
	k, err := VerifierKey(l.key.Public(), l.origin)
	if err != nil {
		return err
	}
	want := []byte(k + "\n")
	if have, err := os.ReadFile(filepath.Join(l.dir, KeyFile)); err == nil && bytes.Equal(have, want) {
		return nil
	}
	if err := l.writeFile(KeyFile, want); err != nil {
		return fmt.Errorf("failed to write the ledger's public key: %w", err)
	}
	return nil
}

// lockDir makes this process the one writer of dir.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "writer.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("failed to lock the ledger: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, &text.Hint{
			Err:  fmt.Errorf("failed to open the ledger in %s: another process writes it", dir),
			Hint: "stop the other instance, or read with tallystick ledger verify --data DIR",
		}
	}
	return f, nil
}

// load reads the checkpoint and the leaves, or signs the empty log.
func (l *Log) load(ctx context.Context) error {
	raw, err := l.ReadCheckpoint(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(l.dir, "tile")); err == nil {
			return &text.Hint{
				Err:  fmt.Errorf("failed to open the ledger in %s: it has leaves but no checkpoint", l.dir),
				Hint: "restore the file checkpoint from a back-up; a new one is not made over old leaves",
			}
		}
		return l.publish(0, (&tree{}).root(), Leaf{})
	}
	if err != nil {
		return err
	}
	cp, err := ParseCheckpoint(raw, l.key.Public(), l.origin)
	if err != nil {
		return &text.Hint{
			Err:  fmt.Errorf("failed to open the ledger in %s: %w", l.dir, err),
			Hint: "the folder belongs to another ledger key or name; restore the key that began it",
		}
	}
	var all tree
	if err := l.ReadLeaves(ctx, 0, cp.Size, func(i uint64, raw []byte) error {
		leaf, err := ParseLeaf(raw)
		if err != nil {
			return fmt.Errorf("failed to read leaf %d: %w", i, err)
		}
		all.add(leafHash(raw))
		l.remember(leaf, i)
		cp.Time = leaf.Time
		return nil
	}); err != nil {
		return err
	}
	if root := all.root(); !bytes.Equal(root[:], cp.Root) {
		return &text.Hint{
			Err:  fmt.Errorf("failed to open the ledger in %s: its leaves do not give the root of its checkpoint", l.dir),
			Hint: "tallystick ledger verify --data DIR",
		}
	}
	l.cp = cp
	return nil
}

func (l *Log) remember(leaf Leaf, index uint64) {
	if k := leaf.key(); l.seen[k] == 0 {
		l.seen[k] = index + 1
	}
}

// Erasures are the ids of the acts of erasing in the log, in no order.
func (l *Log) Erasures() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for k := range l.seen {
		if k.kind == LeafErasure {
			out = append(out, k.name)
		}
	}
	return out
}

// Append sequences leaves and returns their indexes. It returns after they are
// durable and under a signed checkpoint. A leaf about something that has one
// already, the same chunk and version, is not added again: its old index comes
// back. After an error call it again with the same leaves.
func (l *Log) Append(ctx context.Context, leaves ...Leaf) ([]uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refresh(ctx); err != nil {
		return nil, err
	}
	var fresh []Leaf
	var raw [][]byte
	pending := map[leafKey]bool{}
	for _, leaf := range leaves {
		k := leaf.key()
		if l.seen[k] != 0 || pending[k] {
			continue
		}
		b, err := leaf.Marshal()
		if err == nil && len(b) > maxLeaf {
			err = fmt.Errorf("%w: it is longer than %d bytes", errLeaf, maxLeaf)
		}
		if err != nil {
			return nil, err
		}
		pending[k] = true
		fresh, raw = append(fresh, leaf), append(raw, b)
	}
	if len(fresh) > 0 {
		from := l.cp.Size
		if err := l.extend(raw, fresh[len(fresh)-1]); err != nil {
			l.stale = true
			return nil, fmt.Errorf("failed to append to the ledger: %w", err)
		}
		for i, leaf := range fresh {
			l.remember(leaf, from+uint64(i))
		}
	}
	out := make([]uint64, len(leaves))
	for i, leaf := range leaves {
		out[i] = l.seen[leaf.key()] - 1
	}
	return out, nil
}

// refresh reads the files again after a failed append: its checkpoint may have
// been written all the same, and a tree of that size is signed only once.
func (l *Log) refresh(ctx context.Context) error {
	if err := ctx.Err(); err != nil || !l.stale {
		return err
	}
	l.seen = map[leafKey]uint64{}
	if err := l.load(ctx); err != nil {
		return err
	}
	l.stale = false
	return nil
}

// extend writes bundles and tiles, then the checkpoint that makes them the log.
func (l *Log) extend(raw [][]byte, last Leaf) error {
	old := int64(l.cp.Size)
	o := overlay{fresh: map[int64]tlog.Hash{}, stored: l.hashes(l.cp.Size, Hash(l.cp.Root))}
	size := old
	for _, b := range raw {
		hs, err := tlog.StoredHashesForRecordHash(size, tlog.RecordHash(b), o)
		if err != nil {
			return err
		}
		at := tlog.StoredHashIndex(0, size)
		for i, h := range hs {
			o.fresh[at+int64(i)] = h
		}
		size++
	}
	if err := l.writeBundles(raw); err != nil {
		return err
	}
	for _, t := range tlog.NewTiles(tileHeight, old, size) {
		b, err := tlog.ReadTileData(t, o)
		if err == nil {
			err = l.writeFile(tilePath(t), b)
		}
		if err != nil {
			return err
		}
	}
	root, err := tlog.TreeHash(size, o)
	if err != nil {
		return err
	}
	if err := l.publish(uint64(size), root, last); err != nil {
		return err
	}
	l.dropPartial(old, size)
	return nil
}

// writeBundles writes the bundles of leaves that raw extends.
func (l *Log) writeBundles(raw [][]byte) error {
	n, have := l.cp.Size/tileWidth, int(l.cp.Size%tileWidth)
	var b []byte
	if have > 0 {
		old, err := l.bundle(n, have)
		if err != nil {
			return err
		}
		for _, leaf := range old {
			b = appendBundle(b, leaf)
		}
	}
	for i, leaf := range raw {
		b = appendBundle(b, leaf)
		have++
		if have < tileWidth && i < len(raw)-1 {
			continue
		}
		t := tlog.Tile{H: tileHeight, L: -1, N: int64(n), W: have}
		if err := l.writeFile(tilePath(t), b); err != nil {
			return err
		}
		n, have, b = n+1, 0, b[:0]
	}
	return nil
}

// publish signs and writes a checkpoint.
func (l *Log) publish(size uint64, root Hash, last Leaf) error {
	body := log.Checkpoint{Origin: l.origin, Size: size, Hash: root[:]}.Marshal()
	raw, err := note.Sign(&note.Note{Text: string(body)}, l.signer)
	if err != nil {
		return fmt.Errorf("failed to sign a checkpoint: %w", err)
	}
	if err := l.writeFile(checkpointFile, raw); err != nil {
		return fmt.Errorf("failed to write a checkpoint: %w", err)
	}
	l.cp = Checkpoint{Origin: l.origin, Size: size, Root: root[:], Time: last.Time.UTC(), Raw: raw}
	return nil
}

// dropPartial removes the files of tiles that became full. What stays behind
// does no harm.
func (l *Log) dropPartial(old, size int64) {
	for level := -1; old>>(tileHeight*max(level, 0)) > 0; level++ {
		shift := tileHeight * (max(level, 0) + 1)
		if n := old >> shift; n < size>>shift {
			t := tlog.Tile{H: tileHeight, L: level, N: n, W: tileWidth}
			_ = os.RemoveAll(filepath.Join(l.dir, tilePath(t)) + ".p")
		}
	}
}

// Index returns the index of the leaf of a chunk, if it has one.
func (l *Log) Index(chunk string, version uint16) (uint64, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := l.seen[Leaf{Type: LeafChunk, Chunk: chunk, Version: version}.key()]
	return i - 1, i != 0
}

// WriteMarks keeps the row marks of a chunk's tables beside the tiles, durably.
func (l *Log) WriteMarks(chunk string, version uint16, marks map[string][]byte) error {
	return l.marks.write(chunk, version, marks)
}

// Checkpoint returns the newest signed checkpoint.
func (l *Log) Checkpoint() Checkpoint {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cp
}

// Close lets go of the folder.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.marks.close(), l.lock.Close())
}
