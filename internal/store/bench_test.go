package store_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/store/storetest"
)

// realistic makes entries like those of a masked web access log: 2,000 subjects,
// 40 principals, 200 templates, lines of one stream in order.
func realistic(n int, from uint64) []audit.Entry {
	r := rand.New(rand.NewPCG(from, 7))
	token := func(n uint64) string {
		b := make([]byte, 16)
		g := rand.New(rand.NewPCG(n, 3))
		for i := range b {
			b[i] = byte(g.Uint32())
		}
		return "v1.day42." + base64.RawURLEncoding.EncodeToString(b)
	}
	pick := func(l ...string) string { return l[r.IntN(len(l))] }
	es := make([]audit.Entry, n)
	start := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC).Add(time.Duration(from) * time.Millisecond / 10)
	for i := range es {
		subject := token(uint64(r.IntN(2000)))
		template := "GET /v1/customers/{customer_id}/" + strconv.Itoa(r.IntN(200))
		es[i] = audit.Entry{
			SchemaVersion: 1, EventTime: start.Add(time.Duration(i) * time.Millisecond), IngestTime: start, Source: "shop", SourceFormat: "nginx:combined",
			TimeQuality: "zoned", Stream: "c3RyZWFtLW9uZS14", Offset: (from + uint64(i)) * 195, ParseStatus: "ok", Integrity: "ok",
			PrincipalID: token(uint64(100_000 + r.IntN(40))), PrincipalType: pick("staff", "service", "self", "anonymous"), PrincipalAuth: "basic",
			PrincipalVerified: true, PrincipalOrg: "own", PrincipalLabel: pick("Support (agent 14)", "Batch jobs", ""),
			PeerIP: fmt.Sprintf("203.0.%d.0", r.IntN(256)), ClientIP: fmt.Sprintf("203.0.%d.0", r.IntN(256)), ClientCountry: pick("DE", "FR", "US", "BR"),
			ClientApp: pick("Firefox 128", "Chrome 131", "curl 8"), Protocol: "http", Operation: "GET", Action: "read", ResourceType: "endpoint",
			SystemKey: pick("crm", "shop"), Dataset: "customers", URLTemplate: template, QueryKeys: []string{"page"},
			Subjects: []string{subject}, SubjectKinds: []string{"customer_id"}, SubjectCategories: []string{"customer"}, SubjectCount: 1,
			Categories: []string{"user.contact", "user.name"}, Purpose: "support", PurposeSource: "inferred", PurposeDocumented: true,
			DataUse: "essential.service.operations.support", LegalBasis: "6(1)(b)", ServiceCountry: "DE", DestCountry: "DE", TransferKind: "none",
			StatusCode: 200, Outcome: pick("allowed", "allowed", "allowed", "denied"), BytesOut: uint64(r.IntN(90_000)), Method: "GET",
			Target: "/v1/customers/" + subject + "?page=[redacted]", Host: "shop.example", UserAgent: "Firefox 128",
			Carries: []string{"principal", "target", "outcome"}, Chunk: "lines.v1-0-" + strconv.FormatUint(from, 10) + "-abcd", Version: 1, Row: uint32(i), Mark: r.Uint32(),
		}
	}
	return es
}

func report(b *testing.B, rows int) {
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	status, _ := os.ReadFile("/proc/self/status")
	for line := range bytes.Lines(status) {
		var kb float64
		if _, err := fmt.Sscanf(string(line), "VmHWM: %f kB", &kb); err == nil {
			b.ReportMetric(kb/1024, "peakRSS-MiB")
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	es := realistic(50_000, 0)
	blk := store.NewEntryBlock()
	b.ReportAllocs()
	for b.Loop() {
		blk.Reset()
		for i := range es {
			if err := blk.Append(&es[i]); err != nil {
				b.Fatal(err)
			}
		}
	}
	report(b, len(es))
	b.ReportMetric(float64(len(blk.Encode()))/float64(len(es)), "bytes/row")
}

func BenchmarkInsert(b *testing.B) {
	for _, n := range []int{10_000, 50_000, 100_000} {
		es := realistic(n, 0)
		for _, way := range []string{"block", "encoded", "driver"} {
			b.Run(fmt.Sprintf("%s/%d", way, n), func(b *testing.B) {
				s := storetest.Open(b)
				ctx := context.Background()
				blk := store.NewEntryBlock()
				c := newChunk("warm")
				round := func(i int) error {
					c.ID = fmt.Sprint("round-", i)
					switch way {
					case "driver":
						return s.InsertByDriver(ctx, es)
					case "encoded":
						return s.InsertEncoded(ctx, c.ID, encoded(blk, es))
					}
					blk.Reset()
					for j := range es {
						if err := blk.Append(&es[j]); err != nil {
							return err
						}
					}
					return s.InsertEntries(ctx, c, blk)
				}
				if err := round(-1); err != nil {
					b.Fatal(err)
				}
				i := 0
				for b.Loop() {
					if err := round(i); err != nil {
						b.Fatal(err)
					}
					i++
				}
				report(b, n)
			})
		}
	}
}

// encoded encodes es once and keeps them in blk.
func encoded(blk *store.EntryBlock, es []audit.Entry) []byte {
	if blk.Rows() == 0 {
		for i := range es {
			_ = blk.Append(&es[i])
		}
	}
	return blk.Encode()
}

func BenchmarkEachEntry(b *testing.B) {
	s := storetest.Open(b)
	ctx := context.Background()
	const chunks, n = 10, 50_000
	for i := range chunks {
		es := realistic(n, uint64(i*n))
		blk := store.NewEntryBlock()
		for j := range es {
			if err := blk.Append(&es[j]); err != nil {
				b.Fatal(err)
			}
		}
		if err := s.InsertEntries(ctx, &audit.Chunk{ID: es[0].Chunk, Version: 1}, blk); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		rows := 0
		err := s.EachEntry(ctx, "lines.v1-0-150000-abcd", 1, func(*audit.Entry) error { rows++; return nil })
		if err != nil || rows != n {
			b.Fatal(rows, err)
		}
	}
	report(b, n)
}
