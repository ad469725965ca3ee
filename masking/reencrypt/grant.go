package reencrypt

import (
	"crypto/rand"
	"fmt"
	"log/slog"

	"gitlab.com/yawning/secp256k1-voi"
)

// MaxFragments is the most fragments of one grant.
const MaxFragments = 255

const idSize = 32

// Binding says which keys a custodian can check a key fragment against.
// Capsule fragments are bound to both keys always.
type Binding uint8

// The keys that a fragment may be bound to.
const (
	BindDelegator Binding = 1 << iota
	BindReceiver
	BindBoth = BindDelegator | BindReceiver
)

// Parties are the public keys that a fragment is verified against. Delegator
// and Receiver may be nil where the fragment is not bound to them.
type Parties struct {
	Signer, Delegator, Receiver *PublicKey
}

// KeyFragment lets one custodian transform capsules of the delegator for the
// receiver. It is secret: threshold of them and the receiver's private key
// give the delegator's private key. It prints as nothing.
type KeyFragment struct {
	id         [idSize]byte
	key        *secp256k1.Scalar
	precursor  point // the grant's, shared by its fragments
	commitment point
	forProxy   [signatureSize]byte
	forReader  [signatureSize]byte
	binding    Binding
}

// Grant makes n key fragments, threshold t, that together transform k's
// capsules for the receiver, signed by signer. Constant time.
func (k *PrivateKey) Grant(to *PublicKey, signer *PrivateKey, t, n int, bind Binding) ([]*KeyFragment, error) {
	if !k.ok() || !to.known() || !signer.ok() {
		return nil, ErrMissing
	}
	if t < 1 || t > n || n > MaxFragments {
		return nil, fmt.Errorf("%w: %d of %d, at most %d", ErrThreshold, t, n, MaxFragments)
	}
	x, err := randomScalar()
	if err != nil {
		return nil, err
	}
	precursor, err := newPoint(multBase(x))
	if err != nil {
		return nil, err
	}
	shared, err := newAgreement(precursor, to, to.times(x))
	if err != nil {
		return nil, err
	}
	f := make([]*secp256k1.Scalar, t)
	f[0] = secp256k1.NewScalar().Invert(shared.d())
	f[0].Multiply(k.scalar, f[0])
	for i := 1; i < t; i++ {
		if f[i], err = randomScalar(); err != nil {
			return nil, err
		}
	}
	out := make([]*KeyFragment, n)
	for i := range out {
		if out[i], err = newFragment(f, shared, Parties{Delegator: k.public, Receiver: to}, signer, bind); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func newFragment(f []*secp256k1.Scalar, shared *agreement, p Parties, signer *PrivateKey, bind Binding) (*KeyFragment, error) {
	kf := &KeyFragment{precursor: shared.precursor, binding: bind & BindBoth}
	if _, err := rand.Read(kf.id[:]); err != nil {
		return nil, fmt.Errorf("failed to read random bytes: %w", err)
	}
	kf.key = evaluate(f, shared.argument(&kf.id))
	var err error
	if kf.commitment, err = newPoint(generatorU().mult(kf.key)); err != nil {
		return nil, err
	}
	if kf.forReader, err = signer.signMessage(kf.message(p, BindBoth)); err != nil {
		return nil, err
	}
	kf.forProxy = kf.forReader // the same message where both keys are bound
	if kf.binding != BindBoth {
		kf.forProxy, err = signer.signMessage(kf.message(p, kf.binding))
	}
	return kf, err
}

// evaluate returns the polynomial's value at z, by Horner's rule.
func evaluate(f []*secp256k1.Scalar, z *secp256k1.Scalar) *secp256k1.Scalar {
	v := secp256k1.NewScalarFrom(f[len(f)-1])
	for i := len(f) - 2; i >= 0; i-- {
		v.Multiply(v, z)
		v.Add(v, f[i])
	}
	return v
}

// agreement is what delegator and receiver share by Diffie-Hellman, and no
// custodian knows: D = xB = bX.
type agreement struct {
	precursor, receiver, shared point
}

func newAgreement(precursor point, receiver *PublicKey, shared *secp256k1.Point) (*agreement, error) {
	s, err := newPoint(shared)
	return &agreement{precursor: precursor, receiver: receiver.point, shared: s}, err
}

// d blinds the delegator's key in the polynomial.
func (a *agreement) d() *secp256k1.Scalar {
	return hashToScalar("SHARED_SECRET", a.precursor.enc[:], a.receiver.enc[:], a.shared.enc[:])
}

// argument is where the fragment of an id lies on the polynomial.
func (a *agreement) argument(id *[idSize]byte) *secp256k1.Scalar {
	return hashToScalar("POLYNOMIAL_ARG", a.precursor.enc[:], a.receiver.enc[:], a.shared.enc[:], id[:])
}

func (f *KeyFragment) message(p Parties, bind Binding) []byte {
	return signedMessage(&f.id, &f.commitment, &f.precursor, p, bind)
}

func signedMessage(id *[idSize]byte, commitment, precursor *point, p Parties, bind Binding) []byte {
	m := append(make([]byte, 0, idSize+2*pointSize+2*(1+pointSize)), id[:]...)
	m = append(m, commitment.enc[:]...)
	m = append(m, precursor.enc[:]...)
	if bind&BindDelegator != 0 {
		m = append(append(m, 1), p.Delegator.enc[:]...)
	} else {
		m = append(m, 0)
	}
	if bind&BindReceiver != 0 {
		m = append(append(m, 1), p.Receiver.enc[:]...)
	} else {
		m = append(m, 0)
	}
	return m
}

// Verify is what a custodian does once, on receipt: the fragment matches its
// commitment and the signer bound it to the keys that it says. With both keys
// given it also verifies the signature that the reader will look at.
func (f *KeyFragment) Verify(p Parties) error {
	if !f.ok() || !p.Signer.known() {
		return ErrMissing
	}
	if generatorU().mult(f.key).Equal(f.commitment.p) == 0 { // the key is secret: constant time
		return ErrCommitment
	}
	if f.binding&BindDelegator != 0 && !p.Delegator.known() || f.binding&BindReceiver != 0 && !p.Receiver.known() {
		return ErrUnknownKey
	}
	if !p.Signer.verifies(f.message(p, f.binding), &f.forProxy) {
		return ErrSignature
	}
	both := p.Delegator.known() && p.Receiver.known()
	if same := f.binding == BindBoth && f.forReader == f.forProxy; !both || same {
		return nil
	}
	if !p.Signer.verifies(f.message(p, BindBoth), &f.forReader) {
		return ErrSignature
	}
	return nil
}

// Binding tells which keys the fragment says that it is bound to. Only Verify
// tells whether that is so.
func (f *KeyFragment) Binding() Binding {
	if f == nil {
		return 0
	}
	return f.binding
}

// ParseKeyFragment decodes a key fragment. It is not verified.
func ParseKeyFragment(b []byte) (*KeyFragment, error) {
	f := &KeyFragment{}
	var u point
	var key [scalarSize]byte
	d := &decoder{b: b}
	d.array(5)
	d.array(1)
	d.generator(&u)
	d.exactly(f.id[:])
	d.exactly(key[:])
	d.point(&f.precursor)
	d.array(5)
	d.point(&f.commitment)
	d.exactly(f.forProxy[:])
	d.exactly(f.forReader[:])
	if d.bool() {
		f.binding |= BindDelegator
	}
	if d.bool() {
		f.binding |= BindReceiver
	}
	err := d.end()
	if err == nil && u.enc != generatorU().enc {
		err = ErrParameters
	}
	if err == nil {
		f.key, err = parseScalar(key[:])
	}
	if err != nil {
		return nil, fmt.Errorf("failed to read a key fragment: %w", err)
	}
	return f, nil
}

// Bytes encodes the fragment as ParseKeyFragment reads it. It is secret.
func (f *KeyFragment) Bytes() []byte {
	if !f.ok() {
		return nil
	}
	b := appendArray(make([]byte, 0, 310), 5)
	b = appendArray(b, 1)
	b = appendBin(b, generatorU().enc[:])
	b = appendBin(b, f.id[:])
	b = appendBin(b, f.key.Bytes())
	b = appendBin(b, f.precursor.enc[:])
	b = appendArray(b, 5)
	b = appendBin(b, f.commitment.enc[:])
	b = appendBin(b, f.forProxy[:])
	b = appendBin(b, f.forReader[:])
	b = appendBool(b, f.binding&BindDelegator != 0)
	return appendBool(b, f.binding&BindReceiver != 0)
}

func (f *KeyFragment) ok() bool {
	return f != nil && f.key != nil && f.precursor.ok() && f.commitment.ok()
}

// Format hides the fragment from every verb of package fmt.
func (f *KeyFragment) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(hidden)) }

// LogValue hides the fragment from logs.
func (f *KeyFragment) LogValue() slog.Value { return slog.StringValue(hidden) }
