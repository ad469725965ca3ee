//go:build integration

package reencrypt_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"github.com/tallystick/tallystick/masking/reencrypt"
)

// runPeer runs the published implementation on JSON.
func runPeer(t *testing.T, task string, in, out any) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("Node.js is missing: run make integration, which installs it")
		}
		t.Skip("Node.js is missing: run make integration, which installs it")
	}
	b, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "../../scripts/umbral-peer.sh", "peer.js", task)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(b), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("peer.js %s: %v\n%s", task, err, stderr.Bytes())
	}
	if err := json.Unmarshal(stdout.Bytes(), out); err != nil {
		t.Fatal(err)
	}
}

func interopCases() []vector {
	var out []vector
	for _, c := range []struct{ t, n, size int }{{1, 1, 0}, {1, 3, 1}, {2, 3, 64}, {3, 5, 1000}, {10, 16, 8192}} {
		for _, bind := range bindings {
			out = append(out, vector{
				Threshold: c.t, Shares: c.n, Plaintext: bytes.Repeat([]byte{0xa5}, c.size),
				SignDelegator: bind&reencrypt.BindDelegator != 0, SignReceiver: bind&reencrypt.BindReceiver != 0,
			})
		}
	}
	return out
}

// TestPeerOpensHere takes whole exchanges of the peer's, fresh each time.
func TestPeerOpensHere(t *testing.T) {
	var made []vector
	runPeer(t, "make", interopCases(), &made)
	if len(made) != len(interopCases()) {
		t.Fatalf("%d exchanges, want %d", len(made), len(interopCases()))
	}
	for _, v := range made {
		t.Run(v.name(), func(t *testing.T) { checkVector(t, &v) })
	}
}

// TestOursOpensThere has the peer play each role on what we made.
func TestOursOpensThere(t *testing.T) {
	ours := interopCases()
	for i := range ours {
		fill(t, &ours[i])
	}
	var accepted []int
	runPeer(t, "check", ours, &accepted)
	if len(accepted) != len(ours) {
		t.Fatalf("%d exchanges accepted, want %d", len(accepted), len(ours))
	}
}

// fill makes the exchange that v describes.
func fill(t *testing.T, v *vector) {
	t.Helper()
	var bind reencrypt.Binding
	if v.SignDelegator {
		bind |= reencrypt.BindDelegator
	}
	if v.SignReceiver {
		bind |= reencrypt.BindReceiver
	}
	s := newScene(t, v.Threshold, v.Shares, bind)
	secret, err := s.delegator.Decapsulate(s.capsule)
	if err != nil {
		t.Fatal(err)
	}
	if v.Ciphertext, err = secret.Seal(s.capsule, v.Plaintext); err != nil {
		t.Fatal(err)
	}
	v.DelegatorKey, v.DelegatorPub = s.delegator.Bytes(), s.parties.Delegator.Bytes()
	v.ReceiverKey, v.ReceiverPub = s.receiver.Bytes(), s.parties.Receiver.Bytes()
	v.SignerKey, v.SignerPub = s.signer.Bytes(), s.parties.Signer.Bytes()
	v.Capsule, v.CapsuleSimple = s.capsule.Bytes(), s.capsule.Simple()
	for i, f := range s.transform(t, v.Shares) {
		v.KeyFragments = append(v.KeyFragments, s.fragments[i].Bytes())
		v.Fragments = append(v.Fragments, f.Bytes())
		v.Simple = append(v.Simple, f.Simple())
	}
}
