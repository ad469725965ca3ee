// Package custody is what readers, key officers and installations need of
// custodians: how to reach one and know it, how to hand over shares and
// revocations, how to read its trail, and how a reader opens originals with
// several of them.
//
// A client believes nothing that a custodian answers: fragments are verified
// before they are used. services/custodian is the other side; the command line
// and services call this package. It keeps nothing.
package custody

import (
	"time"

	"github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/masking/grant"
)

// ReadRequest is what a reader sends: a signed read and the proof of the capsule
// that it names.
type ReadRequest struct {
	Read  grant.Document  `json:"read"`
	Proof ledger.RowProof `json:"proof"`
}

// Refusal is a custodian's no.
type Refusal struct {
	Reason  string `json:"reason"` // a word of a closed list
	Message string `json:"message"`
}

// Error says why.
func (r *Refusal) Error() string { return r.Message }

// Act is one act in a custodian's trail.
type Act struct {
	ID      int64     `json:"id"`
	At      time.Time `json:"at"`
	Actor   string    `json:"actor"`
	Act     string    `json:"act"` // share.keep, share.revoke, grant.transform
	Object  string    `json:"object"`
	Allowed bool      `json:"allowed"`
	Reason  string    `json:"reason"`
}
