package store

import (
	"time"

	"github.com/tallystick/tallystick/audit"
)

// rejection is a row of rejections.
type rejection struct {
	audit.Rejection
	column    uint32
	length    uint64
	sealedKey string
	sealed    string
	chunk     string
	version   uint16
	row       uint32
}

func (r *rejection) fromAudit() {
	if r.Hour.IsZero() {
		r.Hour = r.Received.Truncate(time.Hour)
	}
	r.column, r.length = uint32(r.Column), uint64(r.Length)
	r.sealedKey, r.sealed = string(r.SealedKey), string(r.Sealed)
}

func (r *rejection) toAudit() *audit.Rejection {
	r.Column, r.Length = int(r.column), int(r.length)
	r.SealedKey, r.Sealed = []byte(r.sealedKey), []byte(r.sealed)
	return &r.Rejection
}

func rejectionsTable() *table[rejection] {
	type R = rejection
	return &table[R]{name: "rejections_all", fields: []field[R]{
		word("stream", func(r *R) *string { return &r.Origin.Stream }),
		u32("generation", func(r *R) *uint32 { return &r.Origin.Generation }),
		u64("offset", func(r *R) *uint64 { return &r.Origin.Offset }),
		word("source", func(r *R) *string { return &r.Source }),
		word("format", func(r *R) *string { return &r.Format }),
		at("received", func(r *R) *time.Time { return &r.Received }),
		at("hour", func(r *R) *time.Time { return &r.Hour }),
		word("reason", func(r *R) *string { return (*string)(&r.Reason) }),
		u32("column", func(r *R) *uint32 { return &r.column }),
		word("expected", func(r *R) *string { return &r.Expected }),
		u64("length", func(r *R) *uint64 { return &r.length }),
		u32("mark", func(r *R) *uint32 { return &r.Mark }),
		str("sealed_key", func(r *R) *string { return &r.sealedKey }),
		str("sealed", func(r *R) *string { return &r.sealed }),
		word("chunk", func(r *R) *string { return &r.chunk }),
		u16("version", func(r *R) *uint16 { return &r.version }),
		u32("row", func(r *R) *uint32 { return &r.row }),
	}}
}

// finding is a row of findings_all.
type finding struct {
	audit.Finding
	version uint16
	row     uint32
}

func findingsTable() *table[finding] {
	type F = finding
	return &table[F]{name: "findings_all", fields: []field[F]{
		str("id", func(f *F) *string { return &f.ID }),
		word("kind", func(f *F) *string { return (*string)(&f.Kind) }),
		word("control", func(f *F) *string { return &f.Control }),
		u16("control_version", func(f *F) *uint16 { return &f.ControlVersion }),
		word("severity", func(f *F) *string { return (*string)(&f.Severity) }),
		at("time", func(f *F) *time.Time { return &f.Time }),
		at("until", func(f *F) *time.Time { return &f.Until }),
		at("detected", func(f *F) *time.Time { return &f.Detected }),
		word("source", func(f *F) *string { return &f.Source }),
		word("system", func(f *F) *string { return &f.System }),
		str("principal", func(f *F) *string { return &f.Principal }),
		word("principal_kind", func(f *F) *string { return (*string)(&f.PrincipalKind) }),
		word("principal_label", func(f *F) *string { return &f.PrincipalLabel }),
		word("resource", func(f *F) *string { return &f.Resource }),
		word("purpose", func(f *F) *string { return &f.Purpose }),
		words("categories", func(f *F) *[]string { return &f.Categories }),
		strs("subjects", func(f *F) *[]string { return &f.Subjects }),
		str("entry_id", func(f *F) *string { return &f.EntryID }),
		u64("count", func(f *F) *uint64 { return &f.Count }),
		kv("facts", func(f *F) *map[string]string { return &f.Facts }),
		word("chunk", func(f *F) *string { return &f.Chunk }),
		u16("version", func(f *F) *uint16 { return &f.version }),
		u32("row", func(f *F) *uint32 { return &f.row }),
	}}
}

// leaf is a row of leaves.
type leaf struct {
	chunk   string
	version uint16
	index   uint64
	at      time.Time
}

func leavesTable() *table[leaf] {
	type L = leaf
	return &table[L]{name: "leaves", fields: []field[L]{
		str("chunk", func(l *L) *string { return &l.chunk }),
		u16("version", func(l *L) *uint16 { return &l.version }),
		u64("leaf", func(l *L) *uint64 { return &l.index }),
		at("at", func(l *L) *time.Time { return &l.at }),
	}}
}

func completenessTable() *table[Completeness] {
	type C = Completeness
	return &table[C]{name: "completeness_all", fields: []field[C]{
		word("source", func(c *C) *string { return &c.Source }),
		at("hour", func(c *C) *time.Time { return &c.Hour }),
		u64("received", func(c *C) *uint64 { return &c.Received }),
		u64("missing", func(c *C) *uint64 { return &c.Missing }),
		u64("rejected", func(c *C) *uint64 { return &c.Rejected }),
	}}
}
