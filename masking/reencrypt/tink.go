package reencrypt

import (
	"errors"
	"fmt"
	"sync"

	"github.com/tink-crypto/tink-go/v2/core/registry"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"google.golang.org/protobuf/proto"
)

// The type URLs of the two halves in Tink keysets.
const (
	PrivateKeyType = "tallystick/reencrypt.PrivateKey"
	PublicKeyType  = "tallystick/reencrypt.PublicKey"
)

// keyVersion is the first byte of a key in a keyset; the key follows: 32 bytes
// of the private half, 33 of the public one.
const keyVersion = 1

// ErrKeyData: a key in a keyset is not of a version or type that we know.
var ErrKeyData = errors.New("unknown key in a keyset")

// Template is the template of a key pair for keyset.NewHandle and
// keyset.Manager.Add, after Register. Capsules and fragments have no prefix.
func Template() *tinkpb.KeyTemplate {
	return &tinkpb.KeyTemplate{
		TypeUrl:          PrivateKeyType,
		Value:            []byte{keyVersion},
		OutputPrefixType: tinkpb.OutputPrefixType_RAW,
	}
}

// Register makes the key type known to Tink in this process. It may be called
// again; masking/keys calls it before each use of such keysets, so nobody else
// has to.
func Register() error { return register() }

var register = sync.OnceValue(func() error {
	for _, m := range []registry.KeyManager{privateManager{}, publicManager{}} {
		if err := registry.RegisterKeyManager(m); err != nil {
			return fmt.Errorf("failed to register the key type of proxy re-encryption: %w", err)
		}
	}
	return nil
})

// FromKeyData returns the private or the public half that a keyset's key holds;
// the other is nil.
func FromKeyData(d *tinkpb.KeyData) (*PrivateKey, *PublicKey, error) {
	if err := Register(); err != nil {
		return nil, nil, err
	}
	p, err := registry.PrimitiveFromKeyData(d)
	if err != nil {
		return nil, nil, err
	}
	switch k := p.(type) {
	case *PrivateKey:
		return k, nil, nil
	case *PublicKey:
		return nil, k, nil
	}
	return nil, nil, ErrKeyData
}

// privateManager is Tink's registry.PrivateKeyManager of key pairs.
type privateManager struct{}

func (privateManager) TypeURL() string             { return PrivateKeyType }
func (privateManager) DoesSupport(url string) bool { return url == PrivateKeyType }

// NewKey is required by the interface, and Tink calls it nowhere.
func (privateManager) NewKey([]byte) (proto.Message, error) { return nil, ErrKeyData }

func (privateManager) NewKeyData(format []byte) (*tinkpb.KeyData, error) {
	if len(format) != 1 || format[0] != keyVersion {
		return nil, ErrKeyData
	}
	k, err := GenerateKey()
	if err != nil {
		return nil, err
	}
	return &tinkpb.KeyData{
		TypeUrl:         PrivateKeyType,
		Value:           append([]byte{keyVersion}, k.Bytes()...),
		KeyMaterialType: tinkpb.KeyData_ASYMMETRIC_PRIVATE,
	}, nil
}

func (m privateManager) PublicKeyData(b []byte) (*tinkpb.KeyData, error) {
	k, err := m.parse(b)
	if err != nil {
		return nil, err
	}
	return &tinkpb.KeyData{
		TypeUrl:         PublicKeyType,
		Value:           append([]byte{keyVersion}, k.public.enc[:]...),
		KeyMaterialType: tinkpb.KeyData_ASYMMETRIC_PUBLIC,
	}, nil
}

func (m privateManager) Primitive(b []byte) (any, error) { return m.parse(b) }

func (privateManager) parse(b []byte) (*PrivateKey, error) {
	if len(b) != 1+PrivateKeySize || b[0] != keyVersion {
		return nil, ErrKeyData
	}
	return NewPrivateKey(b[1:])
}

// publicManager is Tink's registry.KeyManager of public halves.
type publicManager struct{}

func (publicManager) TypeURL() string                      { return PublicKeyType }
func (publicManager) DoesSupport(url string) bool          { return url == PublicKeyType }
func (publicManager) NewKey([]byte) (proto.Message, error) { return nil, ErrKeyData }

// NewKeyData refuses: a public half comes from a key pair only.
func (publicManager) NewKeyData([]byte) (*tinkpb.KeyData, error) { return nil, ErrKeyData }

func (publicManager) Primitive(b []byte) (any, error) {
	if len(b) != 1+PublicKeySize || b[0] != keyVersion {
		return nil, ErrKeyData
	}
	return NewPublicKey(b[1:])
}

var (
	_ registry.PrivateKeyManager = privateManager{}
	_ registry.KeyManager        = publicManager{}
)
