package evidence_test

import (
	"archive/zip"
	"bytes"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/evidence"
	"github.com/tallystick/tallystick/audit/ledger"
)

const origin = "tallystick/test"

var now = time.Date(2026, 11, 21, 10, 0, 0, 5, time.UTC)

type signer struct{ ed25519.PrivateKey }

func (s signer) Public() ed25519.PublicKey       { return s.PrivateKey.Public().(ed25519.PublicKey) }
func (s signer) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.PrivateKey, msg), nil }

var key = signer{ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rows proves the only row of each table of a chunk.
func bundle(t testing.TB) *evidence.Bundle {
	t.Helper()
	dir := t.TempDir()
	log, err := ledger.OpenLog(t.Context(), dir, key, origin)
	must(t, err)
	t.Cleanup(func() { _ = log.Close() })
	e := &audit.Entry{SchemaVersion: 1, EventTime: now, Stream: "AbCdEfGhIjKlMnOp", Offset: 100, Subjects: []string{"v1.k.t"}, Labels: map[string]string{"a": "b"}, StatusCode: 200, BytesOut: 1 << 40, MTLSVerified: true, Chunk: "c1", Version: 1}
	c := &audit.Capsule{ID: "0123456789abcdef", Class: "identity", Month: "2026-11", Delegator: []byte{2}, Bytes: []byte("capsule"), First: now, Last: now, Originals: 1, Chunk: "c1", Version: 1}
	o := &audit.Original{Origin: audit.Origin{Stream: e.Stream, Offset: 100}, Class: "identity", Month: "2026-11", Field: "principal_id", Capsule: c.ID, Sealed: []byte("sealed"), Chunk: "c1", Version: 1}
	rows := map[string][]byte{ledger.TableEntries: ledger.AppendEntry(nil, e), ledger.TableCapsules: ledger.AppendCapsule(nil, c), ledger.TableOriginals: ledger.AppendOriginal(nil, o)}
	chunk := &audit.Chunk{ID: "c1", Version: 1, Salt: []byte("salt"), Entries: 1, Capsules: 1, Originals: 1, Roots: map[string][]byte{}}
	for name, row := range rows {
		table := ledger.NewTable(chunk.Salt)
		table.Add(row)
		chunk.Roots[name] = table.Root()
	}
	index, err := log.Append(t.Context(), ledger.ChunkLeaf(chunk, now))
	must(t, err)
	prove := func(name string) ledger.RowProof {
		set := ledger.NewRowSet(name, chunk.Salt, 1000, nil)
		set.Add(0, rows[name])
		p, err := set.Prove(t.Context(), ledger.OpenReader(dir), log.Checkpoint(), index[0], 0, rows[name])
		must(t, err)
		return *p
	}
	b := &evidence.Bundle{Capsules: []evidence.Capsule{{ID: c.ID, Proof: prove(ledger.TableCapsules)}}, Originals: []evidence.Original{{Original: *o, Proof: prove(ledger.TableOriginals)}}}
	p := prove(ledger.TableEntries)
	must(t, b.AddEntry(e, &p))
	return b
}

func write(t testing.TB, b *evidence.Bundle) []byte {
	t.Helper()
	var out bytes.Buffer
	must(t, b.Write(&out))
	return out.Bytes()
}

func pinned() string { return pinnedAs(origin) }

func pinnedAs(name string) string {
	k, err := ledger.VerifierKey(key.Public(), name)
	if err != nil {
		panic(err)
	}
	return k
}

func TestBundle(t *testing.T) {
	b := bundle(t)
	file := write(t, b)
	if !bytes.Equal(file, write(t, b)) {
		t.Error("the same bundle has other bytes")
	}
	back, err := evidence.Read(file)
	must(t, err)
	got, err := back.Check(pinned())
	must(t, err)
	if got.Leaves != 1 || len(got.Entries) != 1 || len(got.Originals) != 1 || got.Capsules["0123456789abcdef"] == nil {
		t.Errorf("checked %+v", got)
	}
	if d := cmp.Diff(got.Entries[0].Labels, map[string]string{"a": "b"}); d != "" {
		t.Errorf("labels (-got +want):\n%s", d)
	}
}

func TestCheckRefuses(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(b *evidence.Bundle)
		want   error
	}{
		{"a changed entry", func(b *evidence.Bundle) {
			b.Entries[0].Entry = []byte(strings.Replace(string(b.Entries[0].Entry), `"status_code":200`, `"status_code":403`, 1))
		}, evidence.ErrBundle},
		{"an entry without a field", func(b *evidence.Bundle) { b.Entries[0].Entry = []byte(`{"source":"x"}`) }, evidence.ErrBundle},
		{"another ciphertext", func(b *evidence.Bundle) { b.Originals[0].Original.Sealed = []byte("other") }, evidence.ErrBundle},
		{"no capsule", func(b *evidence.Bundle) { b.Capsules = nil }, evidence.ErrBundle},
		{"another capsule's id", func(b *evidence.Bundle) { b.Capsules[0].ID = "x" }, evidence.ErrBundle},
		{"the proof of another table", func(b *evidence.Bundle) { b.Capsules[0].Proof = b.Originals[0].Proof }, evidence.ErrBundle},
		{"a changed row", func(b *evidence.Bundle) { b.Capsules[0].Proof.Row[20]++ }, ledger.ErrProof},
		{"a changed checkpoint", func(b *evidence.Bundle) { b.Entries[0].Proof.Checkpoint[3]++ }, ledger.ErrProof},
	} {
		b := bundle(t)
		tc.change(b)
		if _, err := b.Check(pinned()); !errors.Is(err, tc.want) {
			t.Errorf("%s: error %v, want %v", tc.name, err, tc.want)
		}
	}
	if _, err := bundle(t).Check(pinnedAs("tallystick/other")); !errors.Is(err, ledger.ErrProof) {
		t.Errorf("another installation: %v", err)
	}
}

func TestReadRefuses(t *testing.T) {
	var z bytes.Buffer
	w := zip.NewWriter(&z)
	f, err := w.Create("../../etc/passwd")
	must(t, err)
	_, err = f.Write([]byte("x"))
	must(t, err)
	must(t, w.Close())
	for name, b := range map[string][]byte{"nothing": nil, "no zip": []byte("PK"), "another part": z.Bytes()} {
		if _, err := evidence.Read(b); !errors.Is(err, evidence.ErrBundle) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(write(f, bundle(f)))
	f.Fuzz(func(t *testing.T, file []byte) {
		b, err := evidence.Read(file)
		if err != nil {
			return
		}
		_, _ = b.Check(pinned())
	})
}
