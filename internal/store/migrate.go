package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"sort"
	"strconv"
	"strings"

	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/schemas"
)

// migration is one numbered SQL file: statements that end with ";" at the end
// of a line. Each statement can be repeated, so that a migration that was
// interrupted is simply run again.
type migration struct {
	version uint32
	name    string
	sql     string
}

func (m migration) checksum() string {
	sum := sha256.Sum256([]byte(m.sql))
	return hex.EncodeToString(sum[:])
}

// migrations reads the embedded files in the order of their numbers.
func migrations() []migration {
	names, err := fs.Glob(schemas.ClickHouse, "clickhouse/*.sql")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	sort.Strings(names)
	var out []migration
	for _, n := range names {
		b, err := schemas.ClickHouse.ReadFile(n)
		if err != nil {
			panic(err) // it is embedded
		}
		base := strings.TrimPrefix(n, "clickhouse/")
		num, _, _ := strings.Cut(base, "_")
		v, err := strconv.ParseUint(num, 10, 32)
		if err != nil {
			panic("store: the migration " + base + " has no number")
		}
		out = append(out, migration{version: uint32(v), name: base, sql: string(b)})
	}
	return out
}

const (
	migrationsTable = "migrations"
	migrationsDDL   = `CREATE TABLE IF NOT EXISTS migrations
(version UInt32, name String, checksum String, applied DateTime64(3, 'UTC'))
ENGINE = MergeTree ORDER BY version SETTINGS non_replicated_deduplication_window = 100`
)

// values are those of the row that records a migration.
func (m migration) values() string {
	return fmt.Sprintf("(%d, '%s', '%s', now64(3))", m.version, m.name, m.checksum())
}

// applied is the statement that records a migration.
func (m migration) applied() string {
	return "INSERT INTO " + migrationsTable + " VALUES " + m.values()
}

// prepare makes the tables of an empty database at once, and migrates one that
// has some. On a cluster tables come from the migrations alone.
func (s *Store) prepare(ctx context.Context, ms []migration) error {
	if s.layout.cluster == "" {
		if _, err := s.applied(ctx); Code(err) == unknownTable {
			return s.create(ctx, ms)
		}
	}
	return s.migrate(ctx, ms)
}

// create runs the schema that the migrations ms lead to, in a third of their
// time. They are recorded last: one that was interrupted is simply run again.
func (s *Store) create(ctx context.Context, ms []migration) error {
	values := make([]string, 0, len(ms))
	sum := sha256.New()
	for _, m := range ms {
		values = append(values, m.values())
		sum.Write([]byte(m.checksum()))
	}
	for _, st := range append(statements(schemas.Schema), statement{sql: migrationsDDL}) {
		if err := s.conn.Exec(ctx, st.sql); err != nil {
			return fmt.Errorf("failed to make the tables of the store: %w", err)
		}
	}
	ctx = withSettings(ctx, insertSettings("migrations-"+hex.EncodeToString(sum.Sum(nil))))
	if err := s.conn.Exec(ctx, "INSERT INTO "+migrationsTable+" VALUES "+strings.Join(values, ", ")); err != nil {
		return fmt.Errorf("failed to record the tables of the store: %w", err)
	}
	s.log.Info("made the tables of the store")
	return nil
}

// migrate applies each migration once. It refuses a database whose applied
// migrations differ from the program's or go beyond them.
func (s *Store) migrate(ctx context.Context, ms []migration) error {
	p := newPlanner(s.layout, ms)
	applied, err := s.applied(ctx)
	if Code(err) == unknownTable {
		for _, st := range p.table(migrationsDDL, migrationsTable) {
			if err := s.conn.Exec(ctx, st.sql); err != nil {
				return fmt.Errorf("failed to prepare migrations of the store: %w", err)
			}
		}
		applied, err = s.applied(ctx)
	}
	if err == nil && len(applied) > 0 {
		err = s.checkLayout(ctx)
	}
	if err != nil {
		return err
	}
	known := map[uint32]bool{}
	for _, m := range ms {
		known[m.version] = true
		sum, done := applied[m.version]
		switch {
		case done && sum != m.checksum():
			return &text.Hint{
				Err:  fmt.Errorf("the store was migrated with another %s than this program has", m.name),
				Hint: "use the program that made this data folder, or another folder with --data",
			}
		}
		var plan []statement
		for _, st := range statements(m.sql) { // of those that were applied as well: a plan goes on from them
			some, err := p.plan(st)
			if err != nil {
				return fmt.Errorf("failed to migrate the store with %s: %w", m.name, err)
			}
			plan = append(plan, some...)
		}
		if done {
			continue
		}
		if err := s.apply(ctx, m, plan); err != nil {
			return fmt.Errorf("failed to migrate the store with %s: %w", m.name, err)
		}
	}
	for v := range applied {
		if !known[v] {
			return &text.Hint{
				Err:  fmt.Errorf("the store has migration %d, which this program does not know", v),
				Hint: "use a newer version of the program",
			}
		}
	}
	return nil
}

// checkLayout refuses a database that was made with a cluster, or without one,
// where the configuration says otherwise.
func (s *Store) checkLayout(ctx context.Context) error {
	var divided uint8
	if err := s.reads.QueryRow(ctx, "EXISTS TABLE entries_all_local").Scan(&divided); err != nil {
		return fmt.Errorf("failed to look how the store is laid out: %w", err)
	}
	if (divided == 1) == (s.layout.cluster != "") {
		return nil
	}
	return &text.Hint{
		Err:  errors.New("clickhouse.cluster does not fit the database: it was made otherwise"),
		Hint: "put it back as it was, or name another clickhouse.database",
	}
}

// unknownTable is the code of ClickHouse's exception for a table that is not
// there.
const unknownTable = 60

func (s *Store) applied(ctx context.Context) (map[uint32]string, error) {
	rows, err := s.reads.Query(ctx, "SELECT version, checksum FROM migrations")
	if err != nil {
		return nil, fmt.Errorf("failed to read the migrations of the store: %w", err)
	}
	defer func() { _ = rows.Close() }()
	out := map[uint32]string{}
	for rows.Next() {
		var v uint32
		var sum string
		if err := rows.Scan(&v, &sum); err != nil {
			return nil, fmt.Errorf("failed to read the migrations of the store: %w", err)
		}
		out[v] = sum
	}
	return out, rows.Err()
}

func (s *Store) apply(ctx context.Context, m migration, plan []statement) error {
	for _, st := range plan {
		if st.unless != "" {
			var there uint8
			if err := s.reads.QueryRow(ctx, "EXISTS TABLE "+st.unless).Scan(&there); err != nil {
				return err
			}
			if there == 1 {
				continue
			}
		}
		if err := s.conn.Exec(ctx, st.sql); err != nil {
			return err
		}
	}
	s.log.Info("migrated the store", "migration", m.name)
	ctx = withSettings(ctx, insertSettings("migration-"+strconv.Itoa(int(m.version))))
	return s.conn.Exec(ctx, m.applied())
}

// statement is one of a migration's. One that could not be repeated is skipped
// once the table that it makes exists.
type statement struct{ sql, unless string }

// unlessExists begins the line before a statement that can't be repeated.
const unlessExists = "--unless-exists "

// statements splits a file at semicolons that end a line and drops comments.
func statements(sql string) []statement {
	var out []statement
	var b strings.Builder
	var st statement
	flush := func() {
		if st.sql = strings.TrimSpace(b.String()); st.sql != "" {
			out = append(out, st)
		}
		b.Reset()
		st = statement{}
	}
	for line := range strings.Lines(sql) {
		if table, ok := strings.CutPrefix(line, unlessExists); ok {
			st.unless = strings.TrimSpace(table)
			continue
		}
		if strings.HasPrefix(strings.TrimSpace(line), "--") {
			continue
		}
		end, ok := strings.CutSuffix(strings.TrimRight(line, " \t\r\n"), ";")
		b.WriteString(end)
		b.WriteByte('\n')
		if ok {
			flush()
		}
	}
	flush()
	return out
}
