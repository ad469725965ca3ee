package store

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/tallystick/tallystick/audit"
)

// Seams for tests.
var (
	ReadOnly = readOnly
	TypeName = typeName
)

type Migration = migration

func (m migration) Version() uint32 { return m.version }

// Apply carries the statements of a migration out.
func (s *Store) Apply(t testing.TB, m Migration) {
	t.Helper()
	p := newPlanner(s.layout, migrations())
	for _, st := range statements(m.sql) {
		plan, err := p.plan(st)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range plan {
			if err := s.conn.Exec(t.Context(), one.sql); err != nil {
				t.Fatalf("%s: %v", one.sql, err)
			}
		}
	}
}

func NewMigration(version uint32, name, sql string) Migration { return Migration{version, name, sql} }

// SQL is the text of a migration.
func (m migration) SQL() string { return m.sql }

func Migrations() []Migration { return migrations() }
func (s *Store) Migrate(ctx context.Context, ms []Migration) error {
	return s.migrate(ctx, ms)
}

// OpenCluster opens a store on a cluster of this one node, whose tables are
// divided and not replicated.
func OpenCluster(ctx context.Context, cfg Config, deps Deps) (*Store, error) {
	cfg.single = true
	return Open(ctx, cfg, deps)
}

// ReadExec runs a statement where only reads are.
func (s *Store) ReadExec(ctx context.Context, sql string) error { return s.reads.Exec(ctx, sql) }

func (s *Store) Exec(ctx context.Context, sql string) error { return s.conn.Exec(ctx, sql) }

// Decode reads encoded entries.
func Decode(b []byte, fn func(*audit.Entry) error) error {
	return newDecoder(entriesTable(), bytes.NewReader(b)).each(fn)
}

// Encode returns a block as it is sent.
func (b *EntryBlock) Encode() []byte {
	out, err := io.ReadAll(b.b.encode())
	if err != nil {
		panic(err)
	}
	return out
}

// InsertByDriver inserts entries through the driver's own batch.
func (s *Store) InsertByDriver(ctx context.Context, es []audit.Entry) error {
	b, err := s.conn.PrepareBatch(withSettings(ctx, insertSettings("")), "INSERT INTO entries_all ("+s.entries.columns()+")")
	if err != nil {
		return err
	}
	for i := range es {
		var row []any
		for _, f := range audit.EntryFields {
			switch f.Kind {
			case audit.Word, audit.Text:
				row = append(row, *f.Str(&es[i]))
			case audit.Words, audit.Texts:
				row = append(row, *f.Strs(&es[i]))
			case audit.Bool:
				row = append(row, *f.Bool(&es[i]))
			case audit.Uint16:
				row = append(row, *f.U16(&es[i]))
			case audit.Uint32:
				row = append(row, *f.U32(&es[i]))
			case audit.Uint64:
				row = append(row, *f.U64(&es[i]))
			case audit.Time:
				row = append(row, *f.Time(&es[i]))
			case audit.Map:
				row = append(row, *f.Map(&es[i]))
			}
		}
		if err := b.Append(row...); err != nil {
			return err
		}
	}
	return b.Send()
}

// InsertEncoded inserts bytes that were encoded before.
func (s *Store) InsertEncoded(ctx context.Context, token string, b []byte) error {
	sql := "INSERT INTO entries_all (" + s.entries.columns() + ")"
	return s.conn.InsertFormat(withSettings(ctx, insertSettings(token)), "Native", sql, bytes.NewReader(b))
}
