package ledger_test

import (
	"encoding/binary"
	"encoding/hex"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/ledger"
)

var update = flag.Bool("update", false, "write the golden files anew")

// decoder reads canonical rows back: what can be decoded to what was encoded
// cannot be the encoding of anything else.
type decoder struct {
	t *testing.T
	b []byte
}

func (d *decoder) take(n int) []byte {
	d.t.Helper()
	if len(d.b) < n {
		d.t.Fatalf("row ends early: %d of %d bytes", len(d.b), n)
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) length() int {
	n, w := binary.Uvarint(d.b)
	d.take(w)
	return int(n)
}

func (d *decoder) str() string { return string(d.take(d.length())) }

func (d *decoder) strs() []string {
	var out []string
	for range d.length() {
		out = append(out, d.str())
	}
	return out
}

func (d *decoder) time() time.Time {
	ns := int64(binary.BigEndian.Uint64(d.take(8)))
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

func (d *decoder) entry() *audit.Entry {
	e := &audit.Entry{}
	d.take(2)
	for _, f := range audit.EntryFields {
		switch f.Kind {
		case audit.Word, audit.Text:
			*f.Str(e) = d.str()
		case audit.Words, audit.Texts:
			*f.Strs(e) = d.strs()
		case audit.Bool:
			*f.Bool(e) = d.take(1)[0] == 1
		case audit.Uint16:
			*f.U16(e) = binary.BigEndian.Uint16(d.take(2))
		case audit.Uint32:
			*f.U32(e) = binary.BigEndian.Uint32(d.take(4))
		case audit.Uint64:
			*f.U64(e) = binary.BigEndian.Uint64(d.take(8))
		case audit.Time:
			*f.Time(e) = d.time()
		case audit.Map:
			m := map[string]string{}
			for range d.length() {
				k := d.str()
				m[k] = d.str()
			}
			*f.Map(e) = m
		}
	}
	return e
}

func randomEntry(r *rand.Rand) *audit.Entry {
	e := &audit.Entry{}
	str := func() string {
		b := make([]byte, r.IntN(12))
		if r.IntN(20) == 0 {
			b = make([]byte, 120+r.IntN(300))
		}
		for i := range b {
			b[i] = byte(r.IntN(256))
		}
		return string(b)
	}
	for _, f := range audit.EntryFields {
		switch f.Kind {
		case audit.Word, audit.Text:
			*f.Str(e) = str()
		case audit.Words, audit.Texts:
			for range r.IntN(4) {
				*f.Strs(e) = append(*f.Strs(e), str())
			}
		case audit.Bool:
			*f.Bool(e) = r.IntN(2) == 1
		case audit.Uint16:
			*f.U16(e) = uint16(r.Uint32())
		case audit.Uint32:
			*f.U32(e) = r.Uint32()
		case audit.Uint64:
			*f.U64(e) = r.Uint64()
		case audit.Time:
			if r.IntN(4) > 0 {
				*f.Time(e) = time.Unix(r.Int64N(1<<33), r.Int64N(1e9)).UTC()
			}
		case audit.Map:
			m := map[string]string{}
			for range r.IntN(4) {
				m[str()] = str()
			}
			*f.Map(e) = m
		}
	}
	return e
}

func TestCanonicalEntryDecodesToItself(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		e := randomEntry(r)
		d := &decoder{t: t, b: ledger.AppendEntry(nil, e)}
		if diff := cmp.Diff(d.entry(), e, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("(-got +want)\n%s", diff)
		}
		if len(d.b) != 0 {
			t.Fatalf("%d bytes too many", len(d.b))
		}
	}
}

func TestCanonicalEntryNoticesEachField(t *testing.T) {
	base := ledger.AppendEntry(nil, &audit.Entry{})
	for _, f := range audit.EntryFields {
		e := &audit.Entry{}
		switch f.Kind {
		case audit.Word, audit.Text:
			*f.Str(e) = "x"
		case audit.Words, audit.Texts:
			*f.Strs(e) = []string{""}
		case audit.Bool:
			*f.Bool(e) = true
		case audit.Uint16:
			*f.U16(e) = 1
		case audit.Uint32:
			*f.U32(e) = 1
		case audit.Uint64:
			*f.U64(e) = 1
		case audit.Time:
			*f.Time(e) = time.Unix(0, 1)
		case audit.Map:
			*f.Map(e) = map[string]string{"": ""}
		}
		if cmp.Equal(ledger.AppendEntry(nil, e), base) {
			t.Errorf("field %s does not change the row", f.Name)
		}
	}
}

// TestCanonicalEntrySameAfterStore compares an entry with what ClickHouse gives
// back: times in another zone and without monotonic clock, empty lists and maps
// where nil was written, the epoch for the zero time.
func TestCanonicalEntrySameAfterStore(t *testing.T) {
	now := time.Now()
	written := sample()
	written.EventTime, written.IngestTime, written.XFFChain, written.Labels = now, time.Time{}, nil, nil
	read := *written
	read.EventTime = time.Unix(0, now.UnixNano()).In(time.FixedZone("x", 3600))
	read.IngestTime = time.Unix(0, 0).UTC()
	read.XFFChain, read.Labels = []string{}, map[string]string{}
	read.Subjects = append([]string{}, written.Subjects...)
	if diff := cmp.Diff(ledger.AppendEntry(nil, &read), ledger.AppendEntry(nil, written)); diff != "" {
		t.Fatalf("(-got +want)\n%s", diff)
	}
}

func sample() *audit.Entry {
	at := time.Date(2026, 11, 21, 10, 2, 3, 456789012, time.UTC)
	return &audit.Entry{
		SchemaVersion: 1, EventTime: at, IngestTime: at.Add(time.Second), Source: "shop", SourceFormat: "nginx:combined",
		TimeQuality: "zoned", Stream: "AbCdEfGhIjKlMnOp", Offset: 12345, ParseStatus: "ok", Integrity: "ok",
		PrincipalID: "v1.p7.AAAAAAAAAAAAAAAAAAAAAA", PrincipalType: "staff", PrincipalAuth: "basic", PrincipalVerified: true,
		PrincipalOrg: "own", PrincipalLabel: "Support (agent 14)", PeerIP: "203.0.113.0/24", ClientIP: "203.0.113.0/24",
		ClientCountry: "DE", ClientApp: "Firefox 130", Protocol: "http", Operation: "GET", Action: "read", ResourceType: "endpoint",
		SystemKey: "crm", Dataset: "customers", URLTemplate: "/v1/customers/{customer_id}",
		Subjects: []string{"v1.d3.BBBBBBBBBBBBBBBBBBBBBB"}, SubjectKinds: []string{"customer_id"},
		SubjectCategories: []string{"customer"}, SubjectCount: 1, Categories: []string{"user.contact"}, Purpose: "support",
		PurposeSource: "inferred", PurposeDocumented: true, DataUse: "essential.service.operations.support", LegalBasis: "6(1)(b)",
		ServiceCountry: "DE", TransferKind: "none", StatusCode: 200, Outcome: "allowed", BytesOut: 5120, DurationUS: 1200,
		Labels: map[string]string{"site": "fra", "env": "prod"}, Method: "GET",
		Target: "/v1/customers/v1.d3.BBBBBBBBBBBBBBBBBBBBBB", Host: "crm.example", Referer: "-", UserAgent: "Firefox 130",
		Carries: []string{"principal", "target", "outcome"}, Chunk: "lines.v1-0-17-00c0ffee", Version: 1, Row: 3, Mark: 77,
	}
}

func sampleRejection() *audit.Rejection {
	return &audit.Rejection{
		Origin: audit.Origin{Stream: "AbCdEfGhIjKlMnOp", Offset: 99}, Source: "shop", Format: "nginx:combined",
		Received: time.Date(2026, 11, 21, 10, 2, 4, 0, time.UTC), Reason: audit.ReasonSyntax, Column: 17, Expected: "a status code",
		Length: 301, Mark: 5, SealedKey: []byte{1, 2}, Sealed: []byte{3, 4, 5},
	}
}

func sampleFinding() *audit.Finding {
	at := time.Date(2026, 11, 21, 10, 2, 3, 456789012, time.UTC)
	return &audit.Finding{
		ID: "AC-01-AbCdEfGhIjKlMnOp-0-12345", Kind: audit.Violation, Control: "AC-01", ControlVersion: 2, Severity: audit.SeverityHigh,
		Time: at, Until: at, Detected: at.Add(time.Second), Source: "shop", System: "crm", Principal: "v1.p7.AAAAAAAAAAAAAAAAAAAAAA",
		PrincipalKind: audit.KindStaff, PrincipalLabel: "Support (agent 14)", Resource: "/v1/customers/{customer_id}",
		Categories: []string{"user.contact"}, Subjects: []string{"v1.d3.BBBBBBBBBBBBBBBBBBBBBB"},
		EntryID: "AbCdEfGhIjKlMnOp-0-12345", Count: 1, Facts: map[string]string{"b": "2", "a": "1"}, Chunk: "lines.v1-0-17-00c0ffee",
	}
}

// TestCanonicalGolden pins the encoding: rows that were hashed years ago must
// still hash to the same.
func TestCanonicalGolden(t *testing.T) {
	for _, tc := range []struct {
		name string
		row  []byte
	}{
		{"entry", ledger.AppendEntry(nil, sample())},
		{"entry-empty", ledger.AppendEntry(nil, &audit.Entry{})},
		{"rejection", ledger.AppendRejection(nil, sampleRejection())},
		{"finding", ledger.AppendFinding(nil, sampleFinding())},
	} {
		t.Run(tc.name, func(t *testing.T) {
			table := ledger.NewTable([]byte("0123456789abcdef0123456789abcdef"))
			table.Add(tc.row)
			got := hex.EncodeToString(tc.row) + "\nroot " + hex.EncodeToString(table.Root()) + "\n"
			path := filepath.Join("testdata", tc.name+".hex")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Fields(got), strings.Fields(string(want))); diff != "" {
				t.Errorf("(-got +want)\n%s", diff)
			}
		})
	}
}

func TestCanonicalEntryDoesNotAllocate(t *testing.T) {
	e, buf := sample(), make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() { buf = ledger.AppendEntry(buf[:0], e) }); n != 0 {
		t.Errorf("%v allocations a row", n)
	}
}

func BenchmarkAppendEntry(b *testing.B) {
	e, buf := sample(), make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		buf = ledger.AppendEntry(buf[:0], e)
	}
	b.ReportMetric(float64(len(buf)), "bytes/row")
}
