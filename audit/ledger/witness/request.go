package witness

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// Request is the body of add-checkpoint: the size that the log believes to be
// the witness's newest, the consistency proof from there, and the checkpoint.
type Request struct {
	Old        uint64
	Proof      tlog.TreeProof // at most 63 hashes
	Checkpoint []byte         // signed note
}

const maxProof = 63

var errRequest = errors.New("not a request of add-checkpoint")

// Marshal returns the body.
func (r *Request) Marshal() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "old %d\n", r.Old)
	for _, h := range r.Proof {
		b.WriteString(base64.StdEncoding.EncodeToString(h[:]) + "\n")
	}
	b.WriteByte('\n')
	b.Write(r.Checkpoint)
	return b.Bytes()
}

// ParseRequest reads a body. It accepts exactly what Marshal makes.
func ParseRequest(body []byte) (*Request, error) {
	head, checkpoint, ok := bytes.Cut(body, []byte("\n\n"))
	if !ok {
		return nil, errRequest
	}
	first, rest, proved := strings.Cut(string(head), "\n")
	size, ok := strings.CutPrefix(first, "old ")
	if !ok {
		return nil, errRequest
	}
	r := &Request{Checkpoint: checkpoint}
	var err error
	if r.Old, err = strconv.ParseUint(size, 10, 63); err != nil {
		return nil, errRequest
	}
	if proved {
		for line := range strings.SplitSeq(rest, "\n") {
			h, err := base64.StdEncoding.DecodeString(line)
			if err != nil || len(h) != tlog.HashSize || len(r.Proof) == maxProof {
				return nil, errRequest
			}
			r.Proof = append(r.Proof, tlog.Hash(h))
		}
	}
	if !bytes.Equal(r.Marshal(), body) {
		return nil, errRequest
	}
	return r, nil
}
