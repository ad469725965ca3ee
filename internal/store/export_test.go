package store

import (
	"bytes"
	"context"
	"io"

	"github.com/tallystick/tallystick/audit"
)

// Seams for tests.
var (
	ReadOnly = readOnly
	TypeName = typeName
)

type Migration = migration

func NewMigration(version uint32, name, sql string) Migration { return Migration{version, name, sql} }
func Migrations() []Migration                                 { return migrations() }
func (s *Store) Migrate(ctx context.Context, ms []Migration) error {
	return s.migrate(ctx, ms)
}
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
