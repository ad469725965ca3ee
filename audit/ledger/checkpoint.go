package ledger

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"
)

// Signer signs checkpoints. It holds the installation's ledger key; only the
// one writer has it.
type Signer interface {
	Public() ed25519.PublicKey
	// Sign returns the Ed25519 signature over msg.
	Sign(msg []byte) ([]byte, error)
}

// Checkpoint is a signed statement of the log's size and root.
type Checkpoint struct {
	Origin string
	Size   uint64
	Root   []byte
	// Time is that of the last leaf, the zero time for an empty log. It is not
	// in Raw: the leaf carries it.
	Time time.Time
	Raw  []byte // the signed note, as c2sp.org/tlog-checkpoint has it
}

// ParseCheckpoint checks the signature of a checkpoint and reads it. Time stays
// zero.
func ParseCheckpoint(raw []byte, public ed25519.PublicKey, origin string) (Checkpoint, error) {
	v, err := verifier(public, origin)
	if err != nil {
		return Checkpoint{}, err
	}
	return parseCheckpoint(raw, v)
}

func parseCheckpoint(raw []byte, v note.Verifier) (Checkpoint, error) {
	cp, _, _, err := log.ParseCheckpoint(raw, v.Name(), v)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("failed to verify the checkpoint's signature: %w", err)
	}
	if len(cp.Hash) != len(Hash{}) {
		return Checkpoint{}, fmt.Errorf("failed to read the checkpoint: its root has %d bytes, not 32", len(cp.Hash))
	}
	return Checkpoint{Origin: cp.Origin, Size: cp.Size, Root: cp.Hash, Raw: bytes.Clone(raw)}, nil
}

// VerifierKey is the public key in the form that tile clients take:
// origin+hash+key.
func VerifierKey(public ed25519.PublicKey, origin string) (string, error) {
	k, err := note.NewEd25519VerifierKey(origin, public)
	if err != nil {
		return "", fmt.Errorf("failed to make the ledger's verifier key: %w", err)
	}
	return k, nil
}

// ParseVerifierKey takes a verifier key apart.
func ParseVerifierKey(k string) (public ed25519.PublicKey, origin string, err error) {
	v, err := note.NewVerifier(k)
	if err != nil {
		return nil, "", fmt.Errorf("failed to use the ledger's public key: %w", err)
	}
	_, key, _ := strings.Cut(k[len(v.Name())+1:], "+")
	raw, err := base64.StdEncoding.DecodeString(key)
	if err != nil || len(raw) != 1+ed25519.PublicKeySize {
		return nil, "", errors.New("failed to use the ledger's public key: not an Ed25519 key")
	}
	return raw[1:], v.Name(), nil
}

// KeyFile is the name of the file beside the checkpoint with the verifier key.
const KeyFile = "ledger.pub"

// ParseKeyFile reads the verifier key from the text of a key file: its one line.
func ParseKeyFile(b []byte) (string, error) {
	k := strings.TrimSpace(string(b))
	if _, err := note.NewVerifier(k); err != nil {
		return "", errors.New("not a ledger's public key: NAME+HASH+KEY in one line")
	}
	return k, nil
}

func verifier(public ed25519.PublicKey, origin string) (note.Verifier, error) {
	k, err := VerifierKey(public, origin)
	if err != nil {
		return nil, err
	}
	v, err := note.NewVerifier(k)
	if err != nil {
		return nil, fmt.Errorf("failed to use the ledger's public key with origin %q: %w", origin, err)
	}
	return v, nil
}

// noteSigner signs notes with a Signer.
type noteSigner struct {
	Signer
	v note.Verifier
}

var _ note.Signer = noteSigner{}

func (s noteSigner) Name() string    { return s.v.Name() }
func (s noteSigner) KeyHash() uint32 { return s.v.KeyHash() }
