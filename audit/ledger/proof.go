package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/text"
)

// ProofFormat is the first field of a proof file.
const ProofFormat = "tallystick-proof/1"

// Proof is a file that proves something of the record to whoever has the
// ledger's public key, without the record: that an entry is in it, or that it
// continues an older checkpoint. Exactly one of Entry and Consistency is set.
type Proof struct {
	Format      string            `json:"format"`
	Entry       *EntryProof       `json:"entry,omitempty"`
	Consistency *ConsistencyProof `json:"consistency,omitempty"`
	Checkpoint  string            `json:"checkpoint"` // signed note
}

// EntryProof leads from a row to the root of the checkpoint. It shows the blind
// of its own row only.
type EntryProof struct {
	ID     string   `json:"id"`
	Row    []byte   `json:"row"` // canonical
	Number uint64   `json:"number"`
	Count  uint64   `json:"count"` // rows in the table of the chunk
	Blind  []byte   `json:"blind"`
	Path   [][]byte `json:"path"` // RFC 6962 section 2.1.1, in the chunk
	Leaf   string   `json:"leaf"` // bytes of the chunk's leaf
	Index  uint64   `json:"index"`
	// LogPath is of the leaf, in the log.
	LogPath [][]byte `json:"log_path"`
}

// ConsistencyProof leads from an older checkpoint to the newer one.
type ConsistencyProof struct {
	Old  string   `json:"old"`  // signed note
	Path [][]byte `json:"path"` // RFC 6962 section 2.1.2
}

// ErrChanged says that a row can't be proved, or removed, because its chunk does not give
// its root.
var ErrChanged = errors.New("the rows of its chunk are no longer as the ledger committed to them")

// ProveEntry makes the proof of entry number n of a chunk whose leaf is at index.
func (r *Reader) ProveEntry(ctx context.Context, src Source, salt []byte, k audit.ChunkKey, n uint32, index uint64, cp Checkpoint) (*Proof, error) {
	raw, leaf, err := r.LeafAt(ctx, index, cp)
	if err != nil {
		return nil, err
	}
	p := &EntryProof{Number: uint64(n), Index: index, Leaf: string(raw)}
	if leaf.Type != LeafChunk || leaf.Chunk != k.ID || leaf.Version != k.Version {
		return nil, fmt.Errorf("failed to prove an entry of chunk %s: leaf %d is about something else", k.ID, index)
	}
	table := leaf.Tables[TableEntries]
	h := newRowHasher(salt)
	rows := placed{limit: table.Count}
	if err := eachRow(ctx, src, TableEntries, []string{k.ID}, func(r *row) error {
		if r.chunk != k {
			return nil
		}
		rows.add(r, &h, nil)
		if r.n == n {
			p.ID, p.Row, p.Blind = r.id(), bytes.Clone(r.canonical), bytes.Clone(h.blindOf(uint64(n)))
		}
		return nil
	}); err != nil {
		return nil, fmt.Errorf("failed to read the entries of chunk %s: %w", k.ID, err)
	}
	if !rows.gives(table.Root) || p.Row == nil {
		return nil, &text.Hint{Err: fmt.Errorf("failed to prove an entry of chunk %s: %w", k.ID, ErrChanged), Hint: "tallystick ledger verify names what differs"}
	}
	p.Count = table.Count
	p.Path = toBytes(pathOf(rows.hashes, int(n)))
	up, err := r.InclusionProof(cp, index)
	if err != nil {
		return nil, err
	}
	p.LogPath = toBytes(up)
	return &Proof{Format: ProofFormat, Entry: p, Checkpoint: string(cp.Raw)}, nil
}

// ProveConsistency makes the proof that cp continues old.
func (r *Reader) ProveConsistency(old, cp Checkpoint) (*Proof, error) {
	if old.Size > cp.Size {
		return nil, fmt.Errorf("failed to prove that the ledger continues checkpoint %d: it has only %d leaves", old.Size, cp.Size)
	}
	var path []Hash
	if old.Size > 0 && old.Size < cp.Size {
		var err error
		if path, err = r.ConsistencyProof(cp, old.Size); err != nil {
			return nil, err
		}
	}
	p := &Proof{Format: ProofFormat, Consistency: &ConsistencyProof{Old: string(old.Raw), Path: toBytes(path)}, Checkpoint: string(cp.Raw)}
	if err := checkConsistency(old, cp, p.Consistency.Path); err != nil {
		return nil, err
	}
	return p, nil
}

// pathOf is the inclusion path of leaf n among leaf hashes, lowest first.
func pathOf(hs []Hash, n int) []Hash {
	if len(hs) <= 1 {
		return nil
	}
	k := 1
	for k*2 < len(hs) {
		k *= 2
	}
	if n < k {
		return append(pathOf(hs[:k], n), rootOf(hs[k:]))
	}
	return append(pathOf(hs[k:], n-k), rootOf(hs[:k]))
}

func rootOf(hs []Hash) Hash {
	var t tree
	for i := range hs {
		t.add(hs[i])
	}
	return t.root()
}

func toBytes(hs []Hash) [][]byte {
	out := make([][]byte, len(hs))
	for i := range hs {
		out[i] = bytes.Clone(hs[i][:])
	}
	return out
}

// ParseProof reads a proof file. It checks its shape, not what it claims.
func ParseProof(b []byte) (*Proof, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var p Proof
	if err := d.Decode(&p); err != nil {
		return nil, errors.New("not a proof: malformed JSON")
	}
	if p.Format != ProofFormat || (p.Entry == nil) == (p.Consistency == nil) {
		return nil, fmt.Errorf("not a proof of the format %s", ProofFormat)
	}
	return &p, nil
}

// Proven is what a proof that holds says.
type Proven struct {
	Checkpoint Checkpoint
	Old        Checkpoint   // of a consistency proof
	Entry      *audit.Entry // of an entry's proof
	Leaf       Leaf         // of an entry's proof
}

// Check checks a proof with nothing but the ledger's verifier key (the file
// ledger.pub).
func (p *Proof) Check(verifierKey string) (*Proven, error) {
	v, err := note.NewVerifier(verifierKey)
	if err != nil {
		return nil, fmt.Errorf("failed to use the ledger's public key: %w", err)
	}
	out := &Proven{}
	if out.Checkpoint, err = parseCheckpoint([]byte(p.Checkpoint), v); err != nil {
		return nil, err
	}
	if p.Consistency != nil {
		if out.Old, err = parseCheckpoint([]byte(p.Consistency.Old), v); err != nil {
			return nil, err
		}
		return out, checkConsistency(out.Old, out.Checkpoint, p.Consistency.Path)
	}
	out.Entry, out.Leaf, err = p.Entry.check(out.Checkpoint)
	return out, err
}

func (p *EntryProof) check(cp Checkpoint) (*audit.Entry, Leaf, error) {
	logPath, err := toHashList(p.LogPath)
	if err != nil {
		return nil, Leaf{}, err
	}
	if err := CheckInclusion(cp, p.Index, []byte(p.Leaf), logPath); err != nil {
		return nil, Leaf{}, err
	}
	leaf, err := ParseLeaf([]byte(p.Leaf))
	if err != nil {
		return nil, Leaf{}, err
	}
	e, err := DecodeEntry(p.Row)
	if err != nil {
		return nil, leaf, err
	}
	table := leaf.Tables[TableEntries]
	switch {
	case leaf.Type != LeafChunk || len(table.Root) != len(Hash{}):
		return nil, leaf, errors.New("the leaf commits to no entries")
	case e.Chunk != leaf.Chunk || e.Version != leaf.Version || uint64(e.Row) != p.Number || e.EntryID() != p.ID:
		return nil, leaf, errors.New("the entry is not the one that the proof names")
	case p.Count != table.Count || len(p.Blind) != blindSize:
		return nil, leaf, errors.New("the proof does not fit its leaf")
	}
	path, err := toHashList(p.Path)
	if err != nil {
		return nil, leaf, err
	}
	h := sha256.Sum256(append(append([]byte{0}, p.Blind...), p.Row...))
	if err := checkPath(p.Count, Hash(table.Root), p.Number, h, path); err != nil {
		return nil, leaf, fmt.Errorf("entry %d is not in the chunk of leaf %d: %w", p.Number, p.Index, err)
	}
	return e, leaf, nil
}

func checkConsistency(old, cp Checkpoint, path [][]byte) error {
	switch {
	case old.Size > cp.Size:
		return fmt.Errorf("checkpoint %d is newer than checkpoint %d", old.Size, cp.Size)
	case old.Size == 0 && len(path) == 0:
		return nil
	case old.Size == cp.Size && len(path) == 0 && bytes.Equal(old.Root, cp.Root):
		return nil
	case old.Size == 0 || old.Size == cp.Size:
		return fmt.Errorf("checkpoint %d does not continue checkpoint %d", cp.Size, old.Size)
	}
	hs, err := toHashList(path)
	if err != nil {
		return err
	}
	p := make(tlog.TreeProof, len(hs))
	for i, h := range hs {
		p[i] = h
	}
	if err := tlog.CheckTree(p, int64(cp.Size), tlog.Hash(cp.Root), int64(old.Size), tlog.Hash(old.Root)); err != nil {
		return fmt.Errorf("checkpoint %d does not continue checkpoint %d: %w", cp.Size, old.Size, err)
	}
	return nil
}

func toHashList(list [][]byte) ([]Hash, error) {
	out := make([]Hash, len(list))
	for i, b := range list {
		if len(b) != len(Hash{}) {
			return nil, errors.New("the proof has a hash that is not 32 bytes long")
		}
		out[i] = Hash(b)
	}
	return out, nil
}
