package storetest

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/tallystick/tallystick/audit"
)

// Entries makes entries like those of a masked web access log: 2,000 subjects,
// 40 principals, 200 templates, lines of one stream in order.
func Entries(n int, from uint64) []audit.Entry {
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
