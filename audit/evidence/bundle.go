// Package evidence has the sealed evidence bundle: entries, their sealed
// originals, the capsules of those and the proofs that all of them are in the
// ledger, in one zip file that is checked and opened with nothing but the
// program and the keys that its user has pinned.
//
// A bundle holds no clear value. With the capsule fragments that custodians
// gave for a reader it opens for that reader alone and needs no custodian any
// more. The package trusts nothing in the file: Check verifies every proof. It
// asks no store and no custodian; services makes bundles, the reader's tool
// adds fragments and opens them.
package evidence

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/masking/grant"
)

// Bundle is the content of the file.
type Bundle struct {
	Entries   []Entry
	Capsules  []Capsule
	Originals []Original
	// Grant and the fragments of capsules are there once a reader added them.
	Grant *grant.Grant
}

// Entry is an entry with its proof.
type Entry struct {
	Entry json.RawMessage `json:"entry"`
	Proof ledger.RowProof `json:"proof"`
}

// Capsule is the proof of a capsule, whose row holds it, and what custodians
// made of it for the reader of the bundle's grant.
type Capsule struct {
	ID        string          `json:"id"`
	Proof     ledger.RowProof `json:"proof"`
	Fragments [][]byte        `json:"fragments,omitempty"`
}

// Original is a sealed original with its proof.
type Original struct {
	Original audit.Original  `json:"original"`
	Proof    ledger.RowProof `json:"proof"`
}

// ErrBundle is wrapped for a file that is no bundle, or one whose parts do not
// belong together.
var ErrBundle = errors.New("not a valid evidence bundle")

// Checked is what a bundle proves.
type Checked struct {
	Entries   []*audit.Entry
	Capsules  map[string]*audit.Capsule // by id
	Originals []*audit.Original
	Leaves    int // of how many chunks
}

// Check verifies every proof of the bundle with the ledger's verifier key.
func (b *Bundle) Check(verifierKey string) (*Checked, error) {
	out := &Checked{Capsules: map[string]*audit.Capsule{}}
	leaves := map[string]bool{}
	check := func(p *ledger.RowProof, table, chunk string, version uint16, row []byte) error {
		leaf, err := p.Check(verifierKey)
		if err != nil {
			return err
		}
		if p.Table != table || leaf.Chunk != chunk || leaf.Version != version || !bytes.Equal(p.Row, row) {
			return fmt.Errorf("%w: a row is not what its proof is about", ErrBundle)
		}
		leaves[fmt.Sprint(leaf.Chunk, " ", leaf.Version)] = true
		return nil
	}
	for i := range b.Entries {
		p := &b.Entries[i].Proof
		e, err := ledger.DecodeEntry(p.Row)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBundle, err)
		}
		if err := check(p, ledger.TableEntries, e.Chunk, e.Version, p.Row); err != nil {
			return nil, err
		}
		var shown bytes.Buffer
		if want, err := entryJSON(e); err != nil || json.Compact(&shown, b.Entries[i].Entry) != nil || !bytes.Equal(shown.Bytes(), want) {
			return nil, fmt.Errorf("%w: an entry is shown in another way than it is proved", ErrBundle)
		}
		out.Entries = append(out.Entries, e)
	}
	for i := range b.Capsules {
		p := &b.Capsules[i].Proof
		c, err := ledger.ParseCapsule(p.Row)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBundle, err)
		}
		if err := check(p, ledger.TableCapsules, c.Chunk, c.Version, p.Row); err != nil {
			return nil, err
		}
		if c.ID != b.Capsules[i].ID {
			return nil, fmt.Errorf("%w: a capsule has another id", ErrBundle)
		}
		out.Capsules[c.ID] = &c
	}
	for i := range b.Originals {
		o := &b.Originals[i].Original
		if err := check(&b.Originals[i].Proof, ledger.TableOriginals, o.Chunk, o.Version, ledger.AppendOriginal(nil, o)); err != nil {
			return nil, err
		}
		c := out.Capsules[o.Capsule]
		if c == nil || c.Class != o.Class || c.Month != o.Month || c.Chunk != o.Chunk || c.Version != o.Version {
			return nil, fmt.Errorf("%w: an original has no capsule of its class, month and chunk", ErrBundle)
		}
		out.Originals = append(out.Originals, o)
	}
	out.Leaves = len(leaves)
	return out, nil
}

// AddEntry adds an entry with its proof.
func (b *Bundle) AddEntry(e *audit.Entry, p *ledger.RowProof) error {
	raw, err := entryJSON(e)
	if err != nil {
		return fmt.Errorf("failed to write an entry: %w", err)
	}
	b.Entries = append(b.Entries, Entry{Entry: raw, Proof: *p})
	return nil
}

// The files of a bundle.
const (
	readmeFile    = "README.txt"
	entriesFile   = "entries.json"
	capsulesFile  = "capsules.json"
	originalsFile = "originals.json"
	grantFile     = "grant.json"
)

const readme = `Tallystick evidence bundle

entries.json    masked entries of the record, each with its proof of inclusion
originals.json  sealed originals of their fields, each with its proof
capsules.json   the sealed data keys, each with its proof; "fragments" are what
                custodians made of them for the reader of grant.json
grant.json      the request, who approved it, and the reader (only when a reader
                was granted)

A proof leads from the row through its chunk's leaf to a checkpoint that the
ledger signed. Nothing in this file has to be believed:

  tallystick ledger verify --bundle FILE --key ledger.pub
  tallystick reencrypt open --bundle FILE --pins pins.yaml --keys DIR

ledger.pub has the ledger's public key; get it, and the keys in pins.yaml, from
their owners and not with this file. Only the granted reader can open the originals.
Whoever opened one has the data key of all originals of its class and month in
its chunk.
`

// Write writes the file. The same content gives the same bytes.
func (b *Bundle) Write(w io.Writer) error {
	z := zip.NewWriter(w)
	put := func(name string, content []byte) error {
		f, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate})
		if err == nil {
			_, err = f.Write(content)
		}
		return err
	}
	err := put(readmeFile, []byte(readme))
	for _, part := range []struct {
		name  string
		value any
	}{{entriesFile, b.Entries}, {capsulesFile, b.Capsules}, {originalsFile, b.Originals}, {grantFile, b.Grant}} {
		if err != nil || part.name == grantFile && b.Grant == nil {
			continue
		}
		var raw []byte
		if raw, err = json.MarshalIndent(part.value, "", " "); err == nil {
			err = put(part.name, append(raw, '\n'))
		}
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		return fmt.Errorf("failed to write the bundle: %w", err)
	}
	return nil
}

// maxPart is the most that a part of a bundle is read to, in bytes.
const maxPart = 512 << 20

// Read reads a file. Nothing of it is checked.
func Read(data []byte) (*Bundle, error) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("%w: no zip file", ErrBundle)
	}
	var b Bundle
	for _, f := range z.File {
		var to any
		switch f.Name {
		case readmeFile:
			continue
		case entriesFile:
			to = &b.Entries
		case capsulesFile:
			to = &b.Capsules
		case originalsFile:
			to = &b.Originals
		case grantFile:
			to = &b.Grant
		default:
			return nil, fmt.Errorf("%w: it has a part that it should not have", ErrBundle)
		}
		r, err := f.Open()
		if err != nil {
			return nil, fmt.Errorf("%w: %s can't be read", ErrBundle, f.Name)
		}
		d := json.NewDecoder(io.LimitReader(r, maxPart))
		d.DisallowUnknownFields()
		err = d.Decode(to)
		if cerr := r.Close(); err != nil || cerr != nil {
			return nil, fmt.Errorf("%w: %s is malformed", ErrBundle, f.Name)
		}
	}
	return &b, nil
}
