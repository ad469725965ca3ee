package reencrypt

import "errors"

// Each kind of invalid input has its own error. None of them carries a value
// of the input.
var (
	// ErrEncoding: not the MessagePack form of the thing that was asked for.
	ErrEncoding = errors.New("malformed encoding")
	// ErrTrailing: bytes after the end of an otherwise complete encoding.
	ErrTrailing = errors.New("bytes after the end")
	// ErrPoint: not the compressed form of a point on the curve.
	ErrPoint = errors.New("not a point on the curve")
	// ErrInfinity: the point at infinity, where another point is required.
	ErrInfinity = errors.New("the point at infinity")
	// ErrScalar: a scalar that is not below the order of the group.
	ErrScalar = errors.New("scalar out of range")
	// ErrZero: zero, where a scalar other than zero is required.
	ErrZero = errors.New("scalar is zero")
	// ErrMissing: an argument is nil or was never filled.
	ErrMissing = errors.New("argument is missing")

	// ErrThreshold: not 1 <= threshold <= fragments <= MaxFragments.
	ErrThreshold = errors.New("threshold out of range")
	// ErrCapsule: the capsule is not what Encapsulate makes: sG != V + hE.
	ErrCapsule = errors.New("the capsule is not valid")
	// ErrParameters: a key fragment made with another second generator.
	ErrParameters = errors.New("made with other parameters")
	// ErrCommitment: the key fragment does not match its own commitment.
	ErrCommitment = errors.New("the fragment does not match its commitment")
	// ErrUnknownKey: the fragment is bound to a key that the verifier was not given.
	ErrUnknownKey = errors.New("bound to a key that is not known here")
	// ErrSignature: not signed by the signer for these keys. A wrong signer,
	// delegator or receiver shows like this.
	ErrSignature = errors.New("not signed for these keys")
	// ErrProof: the custodian did not transform this capsule with the key
	// fragment that was signed.
	ErrProof = errors.New("the proof of transformation is not valid")

	// ErrNoFragments: nothing to open with.
	ErrNoFragments = errors.New("no fragments")
	// ErrDuplicate: the same fragment twice.
	ErrDuplicate = errors.New("the same fragment twice")
	// ErrForeign: fragments of different grants.
	ErrForeign = errors.New("fragments of different grants")
	// ErrMixed: fragments of different capsules or verified for different keys.
	ErrMixed = errors.New("fragments of different capsules or keys")
	// ErrReceiver: the fragments were granted to another receiver.
	ErrReceiver = errors.New("granted to another receiver")
	// ErrTooFew: the fragments are fewer than the threshold.
	ErrTooFew = errors.New("fewer fragments than the threshold")
	// ErrCiphertext: not sealed with this secret and capsule, or changed since.
	ErrCiphertext = errors.New("the ciphertext does not open")
)
