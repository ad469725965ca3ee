package keys

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tink-crypto/tink-go/v2/hybrid"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/tallystick/tallystick/internal/durable"
	"github.com/tallystick/tallystick/internal/text"
)

// LocalTap is the id of the tap that runs beside the auditor in one process.
const LocalTap = "local"

// ErrNotEnrolled is wrapped when no tap is enrolled under an id, or its
// enrolment is not signed by the installation.
var ErrNotEnrolled = errors.New("the tap is not enrolled")

var errUnsigned = errors.New("not signed by this installation's key")

const (
	installFile = "install.pub"
	lineFile    = "line.pub"
	tapFolder   = "taps"
)

// publish writes install.pub unless it is there, and line.pub unless it is
// there for the primary line key.
func (s *Store) publish() error {
	install, err := s.signer(RoleInstall)
	if err != nil {
		return err
	}
	pub := base64.StdEncoding.EncodeToString(install.Public()) + "\n"
	if err := durable.New(filepath.Join(s.dir, installFile), []byte(pub), 0o644); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("failed to write the installation's public key: %w", err)
	}
	h, err := s.handle(RoleLine)
	if err != nil {
		return err
	}
	half, err := h.Public()
	if err != nil {
		return err
	}
	e, err := half.Primary()
	if err != nil {
		return err
	}
	_, id, err := readLinePublic(s.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // changed by someone: not to be healed in silence
		return err
	}
	if err == nil && id == keyID(e.KeyID()) {
		return nil
	}
	var b bytes.Buffer
	if err := half.WriteWithNoSecrets(keyset.NewJSONWriter(&b)); err != nil {
		return err
	}
	return sign(install, filepath.Join(s.dir, lineFile), signed{Name: "line", KeyID: keyID(e.KeyID()), Key: b.Bytes()})
}

// sign writes k, signed by the installation key.
func sign(install *Signer, path string, k signed) error {
	var err error
	var b bytes.Buffer
	if err = json.Compact(&b, k.Key); err != nil { // as it will be read back
		return err
	}
	k.Key = b.Bytes()
	if k.Signature, err = install.Sign(k.message()); err != nil {
		return err
	}
	out, err := json.Marshal(k)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := durable.Replace(path, append(out, '\n'), 0o644); err != nil {
		return fmt.Errorf("failed to write the public key of %s: %w", k.Name, err)
	}
	return nil
}

func readSigned(dir, path, name string) (signed, error) {
	install, err := InstallPublic(dir)
	if err != nil {
		return signed{}, err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return signed{}, err
	}
	var k signed
	if err := json.Unmarshal(b, &k); err != nil {
		return signed{}, fmt.Errorf("%w: %s is malformed", errUnsigned, filepath.Base(path))
	}
	if err := k.verify(install, name); err != nil {
		return signed{}, &text.Hint{Err: err, Hint: "copy " + filepath.Base(path) + " and " + installFile + " again from the auditor's folder of keysets"}
	}
	return k, nil
}

// InstallPublic reads the installation's public key, which a tap trusts.
func InstallPublic(dir string) (ed25519.PublicKey, error) {
	b, err := os.ReadFile(filepath.Join(dir, installFile))
	if err != nil {
		return nil, fmt.Errorf("failed to read the installation's public key: %w", err)
	}
	k, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(b)))
	if err != nil || len(k) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("failed to read the installation's public key: %s is malformed", installFile)
	}
	return k, nil
}

// readLinePublic reads the public line key in dir, with its key id.
func readLinePublic(dir string) (tink.HybridEncrypt, string, error) {
	k, err := readSigned(dir, filepath.Join(dir, lineFile), "line")
	if err != nil {
		return nil, "", err
	}
	h, err := keyset.ReadWithNoSecrets(keyset.NewJSONReader(bytes.NewReader(k.Key)))
	if err != nil {
		return nil, "", err
	}
	enc, err := hybrid.NewHybridEncrypt(h)
	return enc, k.KeyID, err
}

// LineEncrypt returns the primitive that seals lines.
func (s *Store) LineEncrypt() (*LineEncrypt, error) { return LinePublic(s.dir) }

// enrolment is a key that an enrolled tap signs with.
type enrolment struct {
	Key   []byte    `json:"key"`
	Until time.Time `json:"until,omitzero"` // of a key that was replaced: when it is believed no more
}

func (e enrolment) holds(at time.Time) bool { return e.Until.IsZero() || at.Before(e.Until) }

// EnrolTap makes the auditor accept batches that id signed with pub, and none
// that it signed with another key.
func (s *Store) EnrolTap(id string, pub ed25519.PublicKey) error {
	return s.enrol(id, enrolment{Key: pub})
}

func (s *Store) enrol(id string, list ...enrolment) error {
	path, err := s.tapPath(id)
	if err != nil {
		return err
	}
	for _, e := range list {
		if len(e.Key) != ed25519.PublicKeySize {
			return fmt.Errorf("failed to enrol tap %s: its public key has %d bytes instead of %d", id, len(e.Key), ed25519.PublicKeySize)
		}
	}
	install, err := s.signer(RoleInstall)
	if err != nil {
		return fmt.Errorf("failed to enrol tap %s: %w", id, err)
	}
	b, err := json.Marshal(list)
	if err != nil {
		return err
	}
	return sign(install, path, signed{Name: "tap:" + id, Key: b})
}

// TapPublic returns the keys that batches of an enrolled tap may be signed
// with, the newest first, or an error that is ErrNotEnrolled. It reads the file
// each time, so that enrolling and removing a tap need no restart.
func (s *Store) TapPublic(id string) ([]ed25519.PublicKey, error) {
	list, err := s.enrolled(id)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	var out []ed25519.PublicKey
	for _, e := range list {
		if e.holds(now) {
			out = append(out, e.Key)
		}
	}
	return out, nil
}

func (s *Store) enrolled(id string) ([]enrolment, error) {
	path, err := s.tapPath(id)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotEnrolled, err)
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNotEnrolled, id)
	}
	k, err := readSigned(s.dir, path, "tap:"+id)
	if errors.Is(err, errUnsigned) {
		return nil, fmt.Errorf("%w: %w", ErrNotEnrolled, err)
	}
	if err != nil {
		return nil, fmt.Errorf("failed to read the enrolment of tap %s: %w", id, err)
	}
	list := make([]enrolment, 1)
	if json.Unmarshal(k.Key, &list[0].Key) != nil { // one key alone: enrolled before rotations
		err = json.Unmarshal(k.Key, &list)
	}
	if err != nil || slices.ContainsFunc(list, func(e enrolment) bool { return len(e.Key) != ed25519.PublicKeySize }) {
		return nil, fmt.Errorf("%w: the enrolment of %s is malformed", ErrNotEnrolled, id)
	}
	return list, nil
}

// tapPath refuses ids that could name another file.
func (s *Store) tapPath(id string) (string, error) {
	if id == "" || len(id) > 64 || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return "", fmt.Errorf("the id of a tap is not 1 to 64 lower-case letters, digits and dashes")
	}
	return filepath.Join(s.dir, tapFolder, id+".pub"), nil
}
