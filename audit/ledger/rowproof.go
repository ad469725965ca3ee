package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/note"
)

// RowProof leads from one row of any table of a chunk to a signed checkpoint.
// It shows no other row, and of the blinds only this row's. Proof is the file
// that proves one entry to people.
type RowProof struct {
	Table      string   `json:"table"`
	Row        []byte   `json:"row"` // canonical
	Number     uint64   `json:"number"`
	Blind      []byte   `json:"blind"`
	Path       [][]byte `json:"path"` // in the chunk's table
	Leaf       []byte   `json:"leaf"`
	Index      uint64   `json:"index"`    // of the leaf
	LogPath    [][]byte `json:"log_path"` // of the leaf, in the log
	Checkpoint []byte   `json:"checkpoint"`
}

// ErrProof is wrapped where a proof does not lead to a checkpoint that the
// ledger signed.
var ErrProof = errors.New("the proof of inclusion is not valid")

// Check verifies the proof with the ledger's verifier key and returns the leaf.
func (p *RowProof) Check(verifierKey string) (Leaf, error) {
	v, err := note.NewVerifier(verifierKey)
	if err != nil {
		return Leaf{}, fmt.Errorf("failed to use the ledger's public key: %w", err)
	}
	cp, err := parseCheckpoint(p.Checkpoint, v)
	if err != nil {
		return Leaf{}, fmt.Errorf("%w: the ledger did not sign its checkpoint", ErrProof)
	}
	leaf, err := ParseLeaf(p.Leaf)
	if err != nil || leaf.Type != LeafChunk {
		return Leaf{}, fmt.Errorf("%w: its leaf is not that of a chunk", ErrProof)
	}
	up, err := toHashList(p.LogPath)
	if err != nil || CheckInclusion(cp, p.Index, p.Leaf, up) != nil {
		return Leaf{}, fmt.Errorf("%w: the leaf is not in the log", ErrProof)
	}
	table, listed := leaf.Tables[p.Table]
	path, err := toHashList(p.Path)
	if err != nil || !listed || len(p.Blind) != blindSize {
		return Leaf{}, fmt.Errorf("%w: it does not fit its leaf", ErrProof)
	}
	h := sha256.Sum256(append(append([]byte{0}, p.Blind...), p.Row...))
	if checkPath(table.Count, Hash(table.Root), p.Number, h, path) != nil {
		return Leaf{}, fmt.Errorf("%w: the row is not in the leaf", ErrProof)
	}
	return leaf, nil
}

// RowSet proves rows of one table of a chunk.
type RowSet struct {
	table  string
	hasher rowHasher
	rows   placed
	gone   Gone
}

// NewRowSet begins the proofs of rows of a table of the chunk with that salt, of
// which some rows may be gone. most is how many rows the chunk's leaf counts: a
// row with a higher number, which only a changed store has, takes no room.
func NewRowSet(table string, salt []byte, most uint64, gone Gone) *RowSet {
	return &RowSet{table: table, hasher: newRowHasher(salt), rows: placed{limit: most}, gone: gone}
}

// Add adds a row of the table with its number. All rows that are left have to
// come.
func (s *RowSet) Add(number uint32, canonical []byte) {
	s.rows.add(&row{n: number, canonical: canonical}, &s.hasher, nil)
}

// AddErased adds a row of which only the hash is left.
func (s *RowSet) AddErased(number uint32, h Hash) { s.rows.fill(Gone{number: h}) }

// Prove makes the proof of a row whose number and canonical bytes are given,
// with the leaf at index under checkpoint cp.
func (s *RowSet) Prove(ctx context.Context, log *Reader, cp Checkpoint, index, number uint64, canonical []byte) (*RowProof, error) {
	p := &RowProof{Table: s.table, Row: canonical, Number: number, Index: index, Checkpoint: cp.Raw, Blind: bytes.Clone(s.hasher.blindOf(number))}
	raw, leaf, err := log.LeafAt(ctx, index, cp)
	if err != nil {
		return nil, err
	}
	p.Leaf = raw
	s.rows.fill(s.gone)
	s.rows.limit = leaf.Tables[s.table].Count
	if !s.rows.gives(leaf.Tables[s.table].Root) || number >= s.rows.limit {
		return nil, fmt.Errorf("failed to prove a row of chunk %s: %w", leaf.Chunk, ErrChanged)
	}
	p.Path = toBytes(pathOf(s.rows.hashes, int(number)))
	up, err := log.InclusionProof(cp, index)
	if err != nil {
		return nil, err
	}
	p.LogPath = toBytes(up)
	return p, nil
}
