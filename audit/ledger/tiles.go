package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/tallystick/tallystick/internal/durable"
)

// The files of a log follow c2sp.org/tlog-tiles: hash tiles of 256 hashes under
// tile/LEVEL/, the leaves themselves under tile/entries/, each behind its length
// of 16 bits, and the checkpoint beside them. A tile that is not full has its
// width in its name; such files go when the full one is there.
const (
	tileHeight     = 8
	tileWidth      = 1 << tileHeight
	checkpointFile = "checkpoint"
	newFolder      = "new" // files before they get their names; emptied at start
	maxLeaf        = 1<<16 - 1
)

// tilePath is the path of a hash tile or, at level -1, of a bundle of leaves.
func tilePath(t tlog.Tile) string {
	p := strings.TrimPrefix(t.Path(), fmt.Sprintf("tile/%d/", t.H))
	if t.L == -1 {
		p = "entries/" + strings.TrimPrefix(p, "data/")
	}
	return filepath.FromSlash("tile/" + p)
}

// readTile returns the bytes of a tile, from the full one if there is one.
func (r *Reader) readTile(t tlog.Tile) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(r.dir, tilePath(t)))
	if errors.Is(err, fs.ErrNotExist) && t.W < tileWidth {
		t.W = tileWidth
		b, err = os.ReadFile(filepath.Join(r.dir, tilePath(t)))
	}
	return b, err
}

// tileReader reads hash tiles for tlog, which checks them against a root.
type tileReader struct{ r *Reader }

var _ tlog.TileReader = tileReader{}

func (tileReader) Height() int                     { return tileHeight }
func (tileReader) SaveTiles([]tlog.Tile, [][]byte) {}

func (t tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(tiles))
	for i, tile := range tiles {
		b, err := t.r.readTile(tile)
		if err != nil {
			return nil, err
		}
		if n := tile.W * tlog.HashSize; len(b) > n {
			b = b[:n]
		}
		out[i] = b
	}
	return out, nil
}

// hashes returns a reader of the stored hashes of a tree.
func (r *Reader) hashes(size uint64, root Hash) tlog.HashReader {
	return tlog.TileHashReader(tlog.Tree{N: int64(size), Hash: root}, tileReader{r})
}

// overlay reads hashes that are not stored yet before those that are.
type overlay struct {
	stored tlog.HashReader
	fresh  map[int64]tlog.Hash
}

func (o overlay) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	var missing []int64
	var places []int
	for i, x := range indexes {
		h, ok := o.fresh[x]
		if !ok {
			missing, places = append(missing, x), append(places, i)
		}
		out[i] = h
	}
	if len(missing) == 0 {
		return out, nil
	}
	got, err := o.stored.ReadHashes(missing)
	if err != nil {
		return nil, err
	}
	for i, h := range got {
		out[places[i]] = h
	}
	return out, nil
}

// errBundle is what reading a damaged file of leaves wraps.
var errBundle = errors.New("damaged file of leaves")

// appendBundle appends a leaf to the bytes of a bundle.
func appendBundle(b, leaf []byte) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(leaf))), leaf...)
}

// splitBundle returns the leaves of a bundle.
func splitBundle(raw []byte) ([][]byte, error) {
	var out [][]byte
	for len(raw) > 0 {
		if len(raw) < 2 || len(raw)-2 < int(binary.BigEndian.Uint16(raw)) {
			return nil, fmt.Errorf("%w: it ends within a leaf", errBundle)
		}
		n := 2 + int(binary.BigEndian.Uint16(raw))
		out, raw = append(out, raw[2:n]), raw[n:]
	}
	return out, nil
}

// writeFile puts b at path under the log's folder, whole or not at all, and
// returns when it is durable.
func (l *Log) writeFile(path string, b []byte) error {
	path = filepath.Join(l.dir, path)
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Join(l.dir, newFolder), "new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	return durable.SyncDir(dir)
}
