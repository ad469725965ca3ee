package store

import (
	"context"
	"fmt"
	"maps"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/tallystick/tallystick/audit"
)

// each selects the columns of t and calls fn for each row. from is the rest of
// the statement; its parameters are {name:Type}.
func each[T any](ctx context.Context, s *Store, t *table[T], from string, params clickhouse.Parameters, fn func(*T) error) error {
	// Version 0 of the protocol is plain Native, which the decoder reads.
	set := base()
	set["client_protocol_version"] = 0
	opts := []clickhouse.QueryOption{clickhouse.WithSettings(set)}
	if len(params) > 0 {
		opts = append(opts, clickhouse.WithParameters(maps.Clone(params)))
	}
	ctx, cancel := context.WithCancel(clickhouse.Context(ctx, opts...))
	defer cancel()
	body, err := s.reads.QueryFormat(ctx, "Native", "SELECT "+t.columns()+" "+from)
	if err != nil {
		return fmt.Errorf("failed to read %s: %w", t.name, err)
	}
	defer func() { _ = body.Close() }()
	return newDecoder(t, body).each(fn)
}

func ofChunk(id string, version uint16) clickhouse.Parameters {
	return clickhouse.Parameters{"chunk": id, "version": fmt.Sprint(version)}
}

const whereChunk = " WHERE chunk = {chunk:String} AND version = {version:UInt16} ORDER BY row"

// EachEntry calls fn for each stored entry of a chunk in row order. The entry
// is reused: fn may keep its strings and slices, not the pointer.
func (s *Store) EachEntry(ctx context.Context, chunk string, version uint16, fn func(*audit.Entry) error) error {
	return each(ctx, s, s.entries, "FROM entries_all"+whereChunk, ofChunk(chunk, version), fn)
}

// EachRejection is EachEntry for rejections.
func (s *Store) EachRejection(ctx context.Context, chunk string, version uint16, fn func(*audit.Rejection) error) error {
	return each(ctx, s, s.rejections, "FROM rejections_all"+whereChunk, ofChunk(chunk, version), func(r *rejection) error {
		return fn(r.toAudit())
	})
}

// EachFinding is EachEntry for findings.
func (s *Store) EachFinding(ctx context.Context, chunk string, version uint16, fn func(*audit.Finding) error) error {
	return each(ctx, s, s.findings, "FROM findings_all"+whereChunk, ofChunk(chunk, version), func(f *finding) error {
		return fn(&f.Finding)
	})
}

// Stored counts the rows that the store holds of a chunk.
func (s *Store) Stored(ctx context.Context, c *audit.Chunk) (entries, rejections, findings uint32, err error) {
	for table, n := range map[string]*uint32{"entries_all": &entries, "rejections_all": &rejections, "findings_all": &findings} {
		var count uint64
		pctx := clickhouse.Context(ctx, clickhouse.WithSettings(base()), clickhouse.WithParameters(ofChunk(c.ID, c.Version)))
		row := s.reads.QueryRow(pctx, "SELECT count() FROM "+table+" WHERE chunk = {chunk:String} AND version = {version:UInt16}")
		if err := row.Scan(&count); err != nil {
			return 0, 0, 0, fmt.Errorf("failed to count the rows of a chunk in %s: %w", table, err)
		}
		*n = uint32(count)
	}
	return entries, rejections, findings, nil
}
