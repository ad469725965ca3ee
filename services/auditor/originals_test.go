package auditor_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/masking/plainaccess"
	"github.com/tallystick/tallystick/masking/reencrypt"
	"github.com/tallystick/tallystick/masking/seal"
)

// vault has one key for every class, and for the months before until.
type vault struct {
	pair  *reencrypt.PrivateKey
	until string
}

func (v vault) Key(_, month string) (*reencrypt.PublicKey, string) {
	if v.until != "" && month >= v.until {
		return nil, ""
	}
	return v.pair.Public(), "abcdefg"
}

// openCapsule adds a capsule's secret to secrets, as the delegator could.
func (r *rig) openCapsule(k *audit.Capsule, secrets map[string]reencrypt.Secret) error {
	parsed, err := reencrypt.ParseCapsule(k.Bytes)
	if err != nil {
		return err
	}
	secrets[k.ID], err = r.vault.pair.Decapsulate(parsed)
	return err
}

// openOriginal adds to got what an original holds.
func (r *rig) openOriginal(o *audit.Original, secrets map[string]reencrypt.Secret, got map[string]string) {
	r.t.Helper()
	v, err := seal.OpenOriginal(secrets[o.Capsule], o)
	if err != nil {
		r.t.Errorf("an original of chunk %s does not open: %v", o.Chunk, err)
	}
	if _, twice := got[o.Origin.EntryID()]; twice {
		r.t.Errorf("entry %s has two originals", o.Origin.EntryID())
	}
	got[o.Origin.EntryID()] = v.Reveal(plainaccess.Token{})
}

// checkOriginals compares what the stored originals hold: each entry has its
// one original, under a capsule that is stored.
func (r *rig) checkOriginals(got map[string]string, entries []string) {
	r.t.Helper()
	want := map[string]string{}
	for _, id := range entries {
		want[id] = "user " + id
	}
	if d := cmp.Diff(got, want); d != "" {
		r.t.Errorf("originals (-got +want):\n%s", d)
	}
}

// TestMissingVaultKeys: what can't be sealed is not kept, which is one finding
// per class and month; the entries are there all the same.
func TestMissingVaultKeys(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.month, r.vault.until = 25, "2020-03" // months from 2020-01
	tp := r.tap("b1", "shop.log")
	tp.send(0, 60)
	tp.send(60, 100)
	r.start()
	r.drained()
	const findings = "SELECT concat(facts['reason'], ' ', facts['class'], ' ', facts['month']) AS f FROM findings WHERE control = 'GV-04' AND facts['reason'] = 'vault-key-missing' ORDER BY f"
	want := []string{"vault-key-missing identity 2020-03", "vault-key-missing identity 2020-04"}
	if d := cmp.Diff(r.column(findings), want); d != "" {
		t.Errorf("findings (-got +want):\n%s", d)
	}
	if n := r.column("SELECT toString(count()) FROM findings WHERE control = 'GV-04' AND facts['reason'] = 'vault-keys-ending'"); n[0] != "1" {
		t.Errorf("%s findings of keys that end", n[0])
	}
	kept := r.column("SELECT event_id FROM entries WHERE event_time < '2020-03-01' ORDER BY event_id")
	r.checkOriginals(r.checkChunks(), kept)
	if len(kept) == 0 || len(r.column("SELECT event_id FROM entries")) <= len(kept) {
		t.Error("the lines did not do what they are for")
	}
}
