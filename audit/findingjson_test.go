package audit_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/tallystick/tallystick/audit"
)

// FuzzFindingJSON: AppendJSON writes what encoding/json does.
func FuzzFindingJSON(f *testing.F) {
	f.Add("tl-01-abc", "v1.k.x", `<a href="x">&\`+"\x00\x7f\xff\u2028é", int64(1_793_000_000_123_456_789), uint64(3), 2)
	f.Add("", "", "", int64(0), uint64(0), 0)
	f.Fuzz(func(t *testing.T, id, principal, s string, at int64, count uint64, n int) {
		fd := audit.Finding{
			ID: id, Kind: audit.Violation, Control: s, ControlVersion: uint16(count), Severity: audit.Severity(s), Time: time.Unix(0, at).UTC(),
			Until: time.Unix(at>>32, 0).UTC(), Detected: time.Unix(0, at/2).UTC(), Source: s, System: id, Principal: principal, PrincipalKind: audit.PrincipalKind(id),
			PrincipalLabel: s, Resource: "GET /v1/" + s, Purpose: s, EntryID: id + principal, Count: count, Chunk: "lines.v1-0-1-" + s,
		}
		for i := range n % 8 {
			fd.Categories, fd.Subjects = append(fd.Categories, s), append(fd.Subjects, principal)
			if fd.Facts == nil {
				fd.Facts = map[string]string{}
			}
			fd.Facts[s+string(rune('a'+i))] = id
		}
		if n == -1 {
			fd.Categories, fd.Facts = []string{}, map[string]string{}
		}
		want, err := json.Marshal(&fd)
		if err != nil {
			return // a year beyond 9999
		}
		if got := fd.AppendJSON(nil); string(got) != string(want) {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
	})
}
