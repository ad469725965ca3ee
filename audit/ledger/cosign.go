package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	cosig "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
)

// cosignedFile is the newest checkpoint that a witness cosigned, with the
// witnesses' signatures (c2sp.org/tlog-cosignature).
const cosignedFile = "cosigned"

// Witness is who cosigns checkpoints: someone else, who keeps the newest one
// seen and signs only what continues it.
type Witness struct {
	Name     string // as configured
	verifier note.Verifier
}

// NewWitness reads a witness's public key: NAME+HASH+KEY, of an Ed25519 or a
// cosignature/v1 key.
func NewWitness(name, key string) (*Witness, error) {
	v, err := cosig.NewVerifierForCosignatureV1(key)
	if err != nil {
		return nil, fmt.Errorf("failed to use the key of witness %q: %w", name, err)
	}
	return &Witness{Name: name, verifier: v}, nil
}

// Cosignature is a witness's signature that holds.
type Cosignature struct {
	Witness string
	Time    time.Time
}

// Cosigned is a checkpoint with the signatures of witnesses on it.
type Cosigned struct {
	Checkpoint
	By []Cosignature // by name of the witness
}

// ParseCosigned checks the log's signature and those of known witnesses; others
// are passed over.
func ParseCosigned(raw []byte, v note.Verifier, witnesses []*Witness) (*Cosigned, error) {
	cp, err := parseCheckpoint(raw, v)
	if err != nil {
		return nil, err
	}
	out := &Cosigned{Checkpoint: cp}
	for _, w := range witnesses {
		n, err := note.Open(raw, note.VerifierList(w.verifier))
		if err != nil {
			continue
		}
		for _, s := range n.Sigs {
			if at, err := cosig.CoSigV1Timestamp(s); err == nil {
				out.By = append(out.By, Cosignature{Witness: w.Name, Time: at.UTC()})
				break
			}
		}
	}
	return out, nil
}

// AddCosignatures puts the signature lines of a witness's answer under a
// checkpoint. It fails unless one of them is the witness's, on this checkpoint.
func (w *Witness) AddCosignatures(checkpoint, lines []byte) ([]byte, error) {
	n, err := note.Open(append(bytes.Clone(checkpoint), lines...), note.VerifierList(w.verifier))
	if err != nil {
		return nil, fmt.Errorf("failed to verify the signature of witness %q: %w", w.Name, err)
	}
	out := bytes.Clone(checkpoint)
	for _, s := range n.Sigs {
		out = append(out, fmt.Sprintf("— %s %s\n", s.Name, s.Base64)...)
	}
	return out, nil
}

// sameText reports whether two notes say the same, whoever signed them.
func sameText(a, b []byte) bool {
	textOf := func(n []byte) []byte {
		t, _, _ := bytes.Cut(n, []byte("\n\n"))
		return t
	}
	return bytes.Equal(textOf(a), textOf(b))
}

// ReadCosigned returns the newest cosigned checkpoint, unchecked. The error wraps
// fs.ErrNotExist if there is none.
func (r *Reader) ReadCosigned() ([]byte, error) {
	raw, err := os.ReadFile(filepath.Join(r.dir, cosignedFile))
	if err != nil {
		return nil, fmt.Errorf("failed to read the cosigned checkpoint: %w", err)
	}
	return raw, nil
}

// WithCosignatures returns a checkpoint with the witnesses' signatures that are
// kept of it, or as it is.
func (r *Reader) WithCosignatures(checkpoint []byte) []byte {
	if c, err := r.ReadCosigned(); err == nil && sameText(checkpoint, c) {
		return c
	}
	return checkpoint
}

// Cosigned returns the newest cosigned checkpoint with the witnesses whose
// signatures hold; nil if there is none.
func (r *Reader) Cosigned(verifierKey string, witnesses []*Witness) (*Cosigned, error) {
	raw, err := r.ReadCosigned()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	v, err := note.NewVerifier(verifierKey)
	if err != nil {
		return nil, fmt.Errorf("failed to use the ledger's public key: %w", err)
	}
	c, err := ParseCosigned(raw, v, witnesses)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(c.By, func(a, b Cosignature) int { return bytes.Compare([]byte(a.Witness), []byte(b.Witness)) })
	return c, nil
}

// WriteCosigned keeps a cosigned checkpoint beside the tiles, durably.
func (l *Log) WriteCosigned(raw []byte) error {
	if err := l.writeFile(cosignedFile, raw); err != nil {
		return fmt.Errorf("failed to keep the cosigned checkpoint: %w", err)
	}
	return nil
}
