package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/tallystick/tallystick/audit"
)

// LeafType says what a leaf commits to.
type LeafType string

// The values of LeafType. A tombstone takes a chunk's table, or all of them,
// or some rows of one, out of what verify expects; an artefact is a rendered
// report; an erasure is the act of erasing a person, whom it does not name.
const (
	LeafChunk     LeafType = "chunk"
	LeafTombstone LeafType = "tombstone"
	LeafArtefact  LeafType = "artefact"
	LeafErasure   LeafType = "erasure"
)

// TableRoot is what a leaf says of one table.
type TableRoot struct {
	Count uint64 `json:"count"`
	Root  []byte `json:"root"` // 32 bytes, base64
}

// Leaf is one entry of the log. Its bytes are the JSON that Marshal makes:
// fields in this order, tables sorted by name, time in UTC.
type Leaf struct {
	Type LeafType `json:"type"`
	// Chunk and Version name the chunk of a chunk or tombstone leaf.
	Chunk   string `json:"chunk,omitempty"`
	Version uint16 `json:"version,omitempty"`
	// Encoding is the version of the canonical rows.
	Encoding uint16 `json:"encoding,omitempty"`
	// Tables by name. A tombstone names the tables that went, without a root, or
	// with the number and the digest of the rows that did (Gone); none means the
	// whole chunk.
	Tables map[string]TableRoot `json:"tables,omitempty"`
	// Name and Digest are of an artefact: what it is (report kind and run) and
	// the SHA-256 of its bytes. An erasure's name is a random id.
	Name   string `json:"name,omitempty"`
	Digest []byte `json:"digest,omitempty"`
	// Rows are those of the one table of a tombstone whose contents went, in
	// ascending order, and Hashes their row hashes, 32 bytes each. None means
	// that all rows of the tables may go.
	Rows   []uint32  `json:"rows,omitempty"`
	Hashes []byte    `json:"hashes,omitempty"`
	Time   time.Time `json:"time"` // when it was handed to the log
}

// MaxErasedRows is how many rows one tombstone names at most: a leaf has room
// for 65,535 bytes.
const MaxErasedRows = 1000

// ErasureLeaf is the leaf of the act of erasing a person.
func ErasureLeaf(id string, now time.Time) Leaf {
	return Leaf{Type: LeafErasure, Name: id, Time: now.UTC()}
}

// ErasedRowsLeaf is the tombstone of some originals of a chunk, in ascending
// order of their rows.
func ErasedRowsLeaf(k audit.ChunkKey, rows []uint32, hashes []Hash, now time.Time) Leaf {
	l := Leaf{
		Type: LeafTombstone, Chunk: k.ID, Version: k.Version, Tables: map[string]TableRoot{TableOriginals: {Count: uint64(len(rows))}},
		Rows: rows, Time: now.UTC(),
	}
	for i := range hashes {
		l.Hashes = append(l.Hashes, hashes[i][:]...)
	}
	return l
}

// errLeaf is what ParseLeaf wraps for bytes that are no leaf.
var errLeaf = errors.New("not a ledger leaf")

// ChunkLeaf is the leaf of a closed chunk.
func ChunkLeaf(c *audit.Chunk, now time.Time) Leaf {
	counts := map[string]uint64{
		TableEntries: uint64(c.Entries), TableRejections: uint64(c.Rejections), TableFindings: uint64(c.Findings),
		TableCapsules: uint64(c.Capsules), TableOriginals: uint64(c.Originals),
	}
	l := Leaf{
		Type: LeafChunk, Chunk: c.ID, Version: c.Version, Encoding: EncodingVersion,
		Tables: make(map[string]TableRoot, len(Tables)), Time: now.UTC(),
	}
	for name, root := range c.Roots {
		l.Tables[name] = TableRoot{Count: counts[name], Root: root}
	}
	return l
}

// ArtefactLeaf is the leaf of a rendered report. Name holds no personal value.
func ArtefactLeaf(name string, digest [32]byte, now time.Time) Leaf {
	return Leaf{Type: LeafArtefact, Name: name, Digest: digest[:], Time: now.UTC()}
}

// Marshal returns the bytes of the leaf.
func (l Leaf) Marshal() ([]byte, error) {
	if err := l.validate(); err != nil {
		return nil, err
	}
	l.Time = l.Time.UTC()
	return json.Marshal(l)
}

// ParseLeaf reads the bytes of a leaf. It accepts exactly what Marshal makes.
func ParseLeaf(b []byte) (Leaf, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var l Leaf
	if err := d.Decode(&l); err != nil {
		return Leaf{}, fmt.Errorf("%w: malformed JSON", errLeaf)
	}
	again, err := l.Marshal()
	if err != nil {
		return Leaf{}, err
	}
	if !bytes.Equal(again, b) {
		return Leaf{}, fmt.Errorf("%w: not in canonical form", errLeaf)
	}
	return l, nil
}

func (l Leaf) validate() error {
	switch l.Type {
	case LeafChunk:
		if l.Chunk == "" || l.Version == 0 || l.Encoding == 0 || len(l.Tables) == 0 {
			return fmt.Errorf("%w: a chunk leaf needs chunk, version, encoding and tables", errLeaf)
		}
		for _, t := range l.Tables {
			if len(t.Root) != 32 {
				return fmt.Errorf("%w: a table root has 32 bytes", errLeaf)
			}
		}
	case LeafTombstone:
		if l.Chunk == "" || l.Version == 0 {
			return fmt.Errorf("%w: a tombstone needs chunk and version", errLeaf)
		}
		for _, t := range l.Tables {
			if len(t.Root) != 0 && len(t.Root) != 32 {
				return fmt.Errorf("%w: the digest of rows that went has 32 bytes", errLeaf)
			}
		}
		if err := l.validateRows(); err != nil {
			return err
		}
	case LeafErasure:
		if l.Name == "" {
			return fmt.Errorf("%w: an erasure needs an id", errLeaf)
		}
	case LeafArtefact:
		if l.Name == "" || len(l.Digest) != 32 {
			return fmt.Errorf("%w: an artefact needs a name and a SHA-256 digest", errLeaf)
		}
	default:
		return fmt.Errorf("%w: unknown type", errLeaf)
	}
	if y := l.Time.UTC().Year(); y < 2000 || y > 9999 {
		return fmt.Errorf("%w: the time is out of range", errLeaf)
	}
	return nil
}

func (l Leaf) validateRows() error {
	switch {
	case len(l.Rows) == 0 && len(l.Hashes) == 0:
		return nil
	case len(l.Tables) != 1 || len(l.Hashes) != len(l.Rows)*len(Hash{}) || len(l.Rows) > MaxErasedRows:
		return fmt.Errorf("%w: a tombstone of rows needs one table and a hash for each of at most %d rows", errLeaf, MaxErasedRows)
	}
	for i := 1; i < len(l.Rows); i++ {
		if l.Rows[i] <= l.Rows[i-1] {
			return fmt.Errorf("%w: the rows of a tombstone are in ascending order", errLeaf)
		}
	}
	return nil
}

// key tells whether two leaves are about the same thing, so that nothing is
// sequenced twice.
func (l Leaf) key() leafKey {
	k := leafKey{kind: l.Type, chunk: l.Chunk, version: l.Version, name: l.Name, digest: string(l.Digest)}
	if l.Type == LeafTombstone {
		for _, t := range Tables {
			if root, ok := l.Tables[t]; ok {
				k.name += t + string(root.Root) + ","
			}
		}
		if len(l.Rows) > 0 {
			k.name += fmt.Sprint(l.Rows)
		}
	}
	return k
}

type leafKey struct {
	kind    LeafType
	chunk   string
	version uint16
	name    string
	digest  string
}
