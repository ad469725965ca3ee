// Package grant has the texts of a grant to read originals, who signs them, and
// the checks that make a grant valid: readers, requests, approvals, key
// fragments, read requests and revocations.
//
// Whoever signs has an Ed25519 key of its own; whoever checks has the public
// keys pinned in its own configuration file (Pins), so that no database and no
// server can invent a reader or an approval. Texts are lines of "name: value"
// that a person can read before signing; there is one form of each, and its
// hash names it.
//
// What the checks protect and what not, in the words of the scheme (package
// reencrypt): the reader, the class and the months of a grant bind everybody,
// because fragments exist for these keys only. Time span, purpose, number and
// rate of transforms and end date bind custodians that are honest: t custodians
// who collude with their reader recover the delegator's private key of that
// class and month and need no custodian any more. Opening one original opens
// its whole chunk's class and month. Revoking works once n-t+1 custodians have
// deleted, and takes back nothing that was opened.
//
// The package keeps nothing and talks to nobody: the key officer's tool, the
// custodians and the reader's tool call it.
package grant

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Act is what somebody signs a text for.
type Act string

// The acts. A signature for one is worth nothing for another.
const (
	ActRequest Act = "request" // a grant
	ActApprove Act = "approve" // somebody else's request
	ActConfirm Act = "confirm" // that a reader is who the card says
	ActRevoke  Act = "revoke"
	ActRead    Act = "read" // the reader, a capsule
	actReader  Act = "reader"
)

// The reasons for which something is not valid. Each check wraps one.
var (
	ErrText       = errors.New("not a text of this kind")
	ErrSignature  = errors.New("a signature is not valid")
	ErrStranger   = errors.New("signed by somebody whose key is not pinned here for this act")
	ErrRequester  = errors.New("it is not signed by one requester")
	ErrApprovals  = errors.New("it needs the approval of two people, neither of them the requester nor the reader")
	ErrUnproven   = errors.New("the reader did not prove possession of the key")
	ErrConfirmed  = errors.New("no second person confirmed the reader")
	ErrReader     = errors.New("the request names another reader")
	ErrEnded      = errors.New("the grant has ended")
	ErrFragments  = errors.New("the fragments do not fit the request")
	ErrThreshold  = errors.New("the threshold is not at least 2 and at most the number of custodians")
	ErrNotForThis = errors.New("sealed for another custodian, or changed since")
)

// Signer signs with the key of a person, a reader, a custodian or the officer.
type Signer interface {
	Public() ed25519.PublicKey
	Sign(msg []byte) ([]byte, error)
}

// Document is a text with the signatures that it collected.
type Document struct {
	Text       string      `json:"text"`
	Signatures []Signature `json:"signatures"`
}

// Signature is one signature of a text.
type Signature struct {
	Act       Act    `json:"act"`
	By        string `json:"by"` // public key, base64
	Signature []byte `json:"signature"`
}

// ID names a text: the first 32 hex digits of its SHA-256.
func ID(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// Sign adds a signature for an act.
func (d *Document) Sign(act Act, by Signer) error {
	sig, err := by.Sign(message(act, d.Text))
	if err != nil {
		return fmt.Errorf("failed to sign: %w", err)
	}
	d.Signatures = append(d.Signatures, Signature{Act: act, By: KeyText(by.Public()), Signature: sig})
	return nil
}

func message(act Act, text string) []byte {
	return []byte("tallystick " + string(act) + " v1\x00" + text)
}

// KeyText is a public key as people pin it.
func KeyText(k ed25519.PublicKey) string { return base64.StdEncoding.EncodeToString(k) }

// by returns the keys that signed for an act, each once. It fails for a
// signature that does not verify, whatever it is for.
func (d *Document) by(act Act) ([]string, error) {
	var out []string
	for _, s := range d.Signatures {
		key, err := base64.StdEncoding.DecodeString(s.By)
		if err != nil || len(key) != ed25519.PublicKeySize || KeyText(key) != s.By || !ed25519.Verify(key, message(s.Act, d.Text), s.Signature) {
			return nil, ErrSignature
		}
		if s.Act == act && !slices.Contains(out, s.By) {
			out = append(out, s.By)
		}
	}
	return out, nil
}

// ParseDocument reads the JSON of a document. Nothing of it is checked.
func ParseDocument(b []byte) (*Document, error) {
	var d Document
	if err := decode(b, &d); err != nil {
		return nil, err
	}
	return &d, nil
}

func decode(b []byte, to any) error {
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil || d.More() {
		return fmt.Errorf("%w: malformed JSON", ErrText)
	}
	return nil
}

// lines are the fields of a text in order.
type lines struct {
	kind   string // the first line
	fields [][2]string
}

func (l *lines) add(name, value string) { l.fields = append(l.fields, [2]string{name, value}) }

// text writes the lines; a value that would be another line is refused.
func (l *lines) text() (string, error) {
	var b strings.Builder
	b.WriteString(l.kind + "\n")
	for _, f := range l.fields {
		if f[1] == "" || strings.TrimSpace(f[1]) != f[1] || strings.ContainsFunc(f[1], func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 }) {
			return "", fmt.Errorf("%w: %s is empty or has spaces around it or line breaks in it", ErrText, f[0])
		}
		b.WriteString(f[0] + ": " + f[1] + "\n")
	}
	return b.String(), nil
}

// parseLines reads a text of a kind with exactly these fields, in order.
func parseLines(text, kind string, names ...string) (map[string]string, error) {
	rest, ok := strings.CutPrefix(text, kind+"\n")
	if !ok || len(text) > 8<<10 {
		return nil, fmt.Errorf("%w: it does not begin with %q", ErrText, kind)
	}
	l := lines{kind: kind}
	out := map[string]string{}
	for _, name := range names {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		value, ok := strings.CutPrefix(line, name+": ")
		if !ok {
			return nil, fmt.Errorf("%w: %s is missing", ErrText, name)
		}
		out[name] = value
		l.add(name, value)
	}
	again, err := l.text()
	if err != nil {
		return nil, err
	}
	if again != text {
		return nil, fmt.Errorf("%w: it has more lines than it should", ErrText)
	}
	return out, nil
}
