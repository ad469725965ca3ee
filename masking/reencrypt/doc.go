// Package reencrypt lets t of n custodians turn what is sealed for one key into
// something that one named reader can open, without any of them seeing it: the
// threshold proxy re-encryption scheme Umbral (D. Nuñez, 2018), as a key type
// of Tink.
//
// In the paper's terms: the delegator's public key encapsulates a Secret in a
// Capsule (Encapsulate, Decapsulate). The delegator grants a receiver access
// with n key fragments, threshold t, signed by a signer (Grant); each custodian,
// a proxy of the paper, verifies its fragment on receipt and transforms capsules
// with it (KeyFragment.Verify, Transform); the receiver verifies what comes back
// and opens the secret with t of them (CapsuleFragment.Verify, Open). A Secret
// gives keys for anything (Key) and seals bytes as the scheme has it (Seal,
// Unseal). Encodings are those of the published implementations.
//
// # What it protects, and what not
//
//   - Fewer than t custodians open nothing, with the reader or without. Custodians
//     alone open nothing however many they are; the reader alone opens nothing.
//   - A custodian cannot pass anything off as a transformed capsule: the proof
//     names the key fragment, and the signature the delegator and the receiver.
//   - A grant reaches everything that is encapsulated to the delegator's key: the
//     whole vault class and month. Time span, purpose, limits and end date bind
//     only honest custodians.
//   - Opening one original gives its Secret, thus the data key of its whole chunk.
//   - Revoking works once n-t+1 custodians have deleted their fragments, and
//     takes back nothing that was opened.
//   - Who holds or ever held t fragments of a grant recovers, together with its
//     reader, the delegator's private key: that one, no other. So keys are many
//     and short-lived.
//   - Who has the signer's key can sign fragments, but makes none that opens
//     anything without the delegator's key.
//
// # Constant time
//
// The group is secp256k1 of gitlab.com/yawning/secp256k1-voi, whose field is
// formally verified. GenerateKey, Encapsulate, Decapsulate, Grant, Transform, Open,
// signing, and the check of a commitment in KeyFragment.Verify take a time that
// depends on no secret scalar or shared point; on numbers and lengths it does. In
// variable time, on public values only: ParseCapsule, CapsuleFragment.Verify, and
// verifying the signature in KeyFragment.Verify. Parsing a secret scalar tells
// only whether it was valid. Secrets are not wiped from memory: Go's collector
// copies them.
//
// The library has had one version, of September 2023, and no audit; libraries
// with more upkeep (decred, gnark-crypto) multiply by secret scalars in variable
// time, which would show a custodian's fragment to who can time it. What we take
// from it is small, pinned by its hash, and compared with the vectors of another
// implementation on every test run.
//
// The package keeps nothing: masking/keys keeps the keysets, and whoever grants,
// transforms or opens writes it to the trail first.
package reencrypt
