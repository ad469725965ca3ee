package ledger_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/ledger"
)

var leafTime = time.Date(2026, 11, 21, 10, 0, 0, 5, time.UTC)

func leafOf(id string) ledger.Leaf {
	roots := map[string][]byte{}
	for _, t := range ledger.Tables[:3] {
		roots[t] = ledger.NewTable(nil).Root()
	}
	return ledger.ChunkLeaf(&audit.Chunk{ID: id, Version: 1, Entries: 2, Roots: roots}, leafTime)
}

func TestLeafRoundTrip(t *testing.T) {
	for _, tc := range []struct {
		name string
		leaf ledger.Leaf
		want string
	}{
		{"chunk", leafOf("lines.v1-0-1-aa"), `{"type":"chunk","chunk":"lines.v1-0-1-aa","version":1,"encoding":1,"tables":{"entries":{"count":2,"root":"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="},"findings":{"count":0,"root":"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="},"rejections":{"count":0,"root":"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}},"time":"2026-11-21T10:00:00.000000005Z"}`},
		{"erasure", ledger.ErasureLeaf("R4ND0M", leafTime), `{"type":"erasure","name":"R4ND0M","time":"2026-11-21T10:00:00.000000005Z"}`},
		{"originals erased", ledger.ErasedRowsLeaf(audit.ChunkKey{ID: "c", Version: 1}, []uint32{7}, []ledger.Hash{{}}, leafTime),
			`{"type":"tombstone","chunk":"c","version":1,"tables":{"originals":{"count":1,"root":null}},"rows":[7],"hashes":"` + strings.Repeat("A", 43) + `=","time":"2026-11-21T10:00:00.000000005Z"}`},
		{"tombstone", ledger.Leaf{Type: ledger.LeafTombstone, Chunk: "c", Version: 1, Time: leafTime}, `{"type":"tombstone","chunk":"c","version":1,"time":"2026-11-21T10:00:00.000000005Z"}`},
		{"artefact", ledger.ArtefactLeaf("gdpr-ropa/7", [32]byte{1}, leafTime), `{"type":"artefact","name":"gdpr-ropa/7","digest":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","time":"2026-11-21T10:00:00.000000005Z"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			raw, err := tc.leaf.Marshal()
			if err != nil || string(raw) != tc.want {
				t.Fatalf("error %v, (-got +want)\n%s", err, cmp.Diff(string(raw), tc.want))
			}
			back, err := ledger.ParseLeaf(raw)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(back, tc.leaf); diff != "" {
				t.Errorf("(-got +want)\n%s", diff)
			}
		})
	}
}

func TestParseLeafRefuses(t *testing.T) {
	for _, tc := range []struct{ name, raw string }{
		{"nothing", ``},
		{"unknown type", `{"type":"x","time":"2026-11-21T10:00:00Z"}`},
		{"unknown field", `{"type":"tombstone","chunk":"c","version":1,"time":"2026-11-21T10:00:00Z","x":1}`},
		{"other order", `{"chunk":"c","type":"tombstone","version":1,"time":"2026-11-21T10:00:00Z"}`},
		{"white space", `{"type":"tombstone","chunk":"c","version":1,"time":"2026-11-21T10:00:00Z"} `},
		{"other zone", `{"type":"tombstone","chunk":"c","version":1,"time":"2026-11-21T10:00:00+01:00"}`},
		{"chunk without tables", `{"type":"chunk","chunk":"c","version":1,"encoding":1,"time":"2026-11-21T10:00:00Z"}`},
		{"erasure without id", `{"type":"erasure","time":"2026-11-21T10:00:00Z"}`},
		{"rows without hashes", `{"type":"tombstone","chunk":"c","version":1,"tables":{"originals":{"count":1,"root":null}},"rows":[7],"time":"2026-11-21T10:00:00Z"}`},
		{"rows out of order", `{"type":"tombstone","chunk":"c","version":1,"tables":{"originals":{"count":2,"root":null}},"rows":[7,7],"hashes":"` + strings.Repeat("A", 86) + `==","time":"2026-11-21T10:00:00Z"}`},
		{"digest too short", `{"type":"artefact","name":"n","digest":"AQ==","time":"2026-11-21T10:00:00Z"}`},
	} {
		if _, err := ledger.ParseLeaf([]byte(tc.raw)); err == nil {
			t.Errorf("%s: accepted", tc.name)
		}
	}
}

func FuzzParseLeaf(f *testing.F) {
	for _, l := range []ledger.Leaf{leafOf("c"), ledger.ErasureLeaf("x", leafTime), ledger.ErasedRowsLeaf(audit.ChunkKey{ID: "c", Version: 1}, []uint32{0, 9}, make([]ledger.Hash, 2), leafTime), ledger.ArtefactLeaf("n", [32]byte{}, leafTime)} {
		raw, err := l.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := ledger.ParseLeaf(raw)
		if err != nil {
			return
		}
		again, err := l.Marshal()
		if err != nil || string(again) != string(raw) {
			t.Errorf("%q accepted, written as %q (%v)", raw, again, err)
		}
	})
}
