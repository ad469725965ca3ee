package ledger_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/tallystick/tallystick/audit/ledger"
)

// tileClient is a client of c2sp.org/tlog-tiles that knows nothing of this
// program: only the address and the verifier key.
type tileClient struct {
	t    *testing.T
	base string
}

func (c tileClient) get(path string) []byte {
	c.t.Helper()
	res, err := http.Get(c.base + path)
	must(c.t, err)
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		c.t.Fatalf("%s: %d %v", path, res.StatusCode, err)
	}
	return b
}

func (c tileClient) checkpoint(vkey string) *log.Checkpoint {
	c.t.Helper()
	v, err := note.NewVerifier(vkey)
	must(c.t, err)
	cp, _, _, err := log.ParseCheckpoint(c.get("/checkpoint"), v.Name(), v)
	must(c.t, err)
	return cp
}

// tilePath encodes a tile's number as the specification has it.
func tilePath(level string, n, width int) string {
	p := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		p = fmt.Sprintf("x%03d/", n%1000) + p
	}
	p = "/tile/" + level + "/" + p
	if width < 256 {
		p += fmt.Sprintf(".p/%d", width)
	}
	return p
}

// leaves reads all bundles, as a monitor does.
func (c tileClient) leaves(size int) [][]byte {
	c.t.Helper()
	var out [][]byte
	for n := 0; n*256 < size; n++ {
		b := c.get(tilePath("entries", n, min(size-n*256, 256)))
		for len(b) > 0 {
			l := 2 + int(b[0])<<8 + int(b[1])
			out, b = append(out, b[2:l]), b[l:]
		}
	}
	return out
}

// Height, SaveTiles and ReadTiles make it a TileReader of Go's checksum database,
// which names tiles its own way.
func (c tileClient) Height() int                     { return 8 }
func (c tileClient) SaveTiles([]tlog.Tile, [][]byte) {}
func (c tileClient) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, t := range tiles {
		out = append(out, c.get(tilePath(fmt.Sprint(t.L), int(t.N), t.W)))
	}
	return out, nil
}

// TestTileClients monitors a growing log over HTTP with two other
// implementations: Go's tlog and transparency-dev/merkle.
func TestTileClients(t *testing.T) {
	l := openLog(t, t.TempDir())
	srv := httptest.NewServer(l.Handler())
	defer srv.Close()
	c := tileClient{t, srv.URL}
	vkey, err := ledger.VerifierKey(testKey(1).Public(), origin)
	must(t, err)
	var old *log.Checkpoint
	size := 0
	for _, step := range []int{1, 254, 1, 1, 300, 211} {
		appendLeaves(t, l, size, size+step)
		size += step
		cp := c.checkpoint(vkey)
		if cp.Size != uint64(size) {
			t.Fatalf("size %d, want %d", cp.Size, size)
		}
		// transparency-dev/merkle: the root from the leaves.
		r := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
		leaves := c.leaves(size)
		for _, leaf := range leaves {
			must(t, r.Append(rfc6962.DefaultHasher.HashLeaf(leaf), nil))
		}
		root, err := r.GetRootHash(nil)
		if must(t, err); !bytes.Equal(root, cp.Hash) {
			t.Fatalf("the leaves give another root at size %d", size)
		}
		// Go's tlog: proofs from the tiles, checked with merkle.
		hr := tlog.TileHashReader(tlog.Tree{N: int64(size), Hash: tlog.Hash(cp.Hash)}, c)
		for _, n := range []int{0, size / 2, size - 1} {
			p, err := tlog.ProveRecord(int64(size), int64(n), hr)
			must(t, err)
			must(t, proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(n), cp.Size, rfc6962.DefaultHasher.HashLeaf(leaves[n]), slices(toHashes(p)), cp.Hash))
		}
		if old != nil {
			p, err := tlog.ProveTree(int64(size), int64(old.Size), hr)
			must(t, err)
			must(t, tlog.CheckTree(p, int64(size), tlog.Hash(cp.Hash), int64(old.Size), tlog.Hash(old.Hash)))
		}
		old = cp
	}
}

func toHashes(p tlog.RecordProof) []ledger.Hash {
	out := make([]ledger.Hash, len(p))
	for i, h := range p {
		out[i] = ledger.Hash(h)
	}
	return out
}

func TestHandlerServesOnlyTheLog(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir)
	appendLeaves(t, l, 0, 300)
	must(t, l.WriteMarks("c1", 1, map[string][]byte{"entries": []byte("12345678")}))
	h := l.Handler()
	ask := func(method, path string) *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest(method, path, nil))
		return rec
	}
	for path, want := range map[string]string{
		"/checkpoint": "text/plain; charset=utf-8", "/tile/0/000": "application/octet-stream", "/tile/0/001.p/44": "application/octet-stream",
		"/tile/1/000.p/1": "application/octet-stream", "/tile/entries/000": "application/octet-stream", "/tile/entries/001.p/44": "application/octet-stream",
	} {
		if rec := ask(http.MethodGet, path); rec.Code != 200 || rec.Header().Get("Content-Type") != want || rec.Header().Get("Cache-Control") == "" {
			t.Errorf("%s: %d %v", path, rec.Code, rec.Header())
		}
	}
	for _, path := range []string{
		"/", "/writer.lock", "/rows", "/ledger.pub", "/tile/0/002", "/tile/64/000", "/tile/00/000", "/tile/0/0", "/tile/0/x000", "/tile/0/000.p/0",
		"/tile/0/000.p/256", "/tile/0/../../writer.lock", "/tile/0/..%2f..%2fwriter.lock", "/tile/entries", "/tile/data/000", "/new/x",
	} {
		if rec := ask(http.MethodGet, path); rec.Code == 200 || strings.Contains(rec.Body.String(), dir) {
			t.Errorf("%s: %d %q", path, rec.Code, rec.Body)
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
		if rec := ask(method, "/checkpoint"); rec.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, rec.Code)
		}
	}
}

// TestGoldenCheckpoint: Ed25519 signs alike each time, so the signed notes of a
// log of a known key are known.
func TestGoldenCheckpoint(t *testing.T) {
	l := openLog(t, t.TempDir())
	got := string(l.Checkpoint().Raw)
	appendLeaves(t, l, 0, 3)
	got += "\n" + string(l.Checkpoint().Raw)
	_, err := ledger.ParseCheckpoint(l.Checkpoint().Raw, testKey(1).Public(), origin)
	must(t, err)
	const file = "testdata/checkpoints.txt"
	if *update {
		must(t, os.WriteFile(file, []byte(got), 0o600))
	}
	want, err := os.ReadFile(file)
	must(t, err)
	if diff := cmp.Diff(got, string(want)); diff != "" {
		t.Errorf("(-got +want)\n%s", diff)
	}
	must(t, l.Close())
	_, err = ledger.OpenLog(context.Background(), t.TempDir(), testKey(1), "a name with spaces")
	if err == nil {
		t.Error("a name with spaces accepted")
	}
}
