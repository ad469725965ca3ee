package store

import (
	"fmt"
	"regexp"
	"strings"
)

// On a cluster each table is replicated. The large ones are divided over the
// shards by stream: NAME is a Distributed table then, over NAME_local on each
// node. All others are whole on every node, so that the conditions of views and
// the fence between auditors are answered where they are asked.

// shardKeys are the divided tables and by what: the same row always goes to the
// same shard, where its insert token is known. Findings have no stream.
var shardKeys = map[string]string{
	"entries_all":           "cityHash64(stream)",
	"rejections_all":        "cityHash64(stream)",
	"originals":             "cityHash64(stream)",
	"findings_all":          "cityHash64(id)",
	"entries_hourly_all":    "cityHash64(source, hour)", // until migration 14
	"entries_quarterly_all": "cityHash64(source, quarter)",
	"completeness_all":      "cityHash64(source, hour)",
}

// tokenSeconds is how long a cluster knows an insert token, if 10,000 later ones
// have not pushed it out: a week, in which an auditor that was away comes back.
const tokenSeconds = 7 * 24 * 3600

// layout says how tables are made.
type layout struct {
	cluster  string // "": one node
	database string
	// single leaves ON CLUSTER and replication away and keeps the division, so
	// that tests can run it on one node.
	single bool
}

// local is the table of one node whose rows NAME shows.
func (l layout) local(name string) string {
	if l.cluster != "" && shardKeys[name] != "" {
		return name + "_local"
	}
	return name
}

// on is the clause that has all nodes carry a statement out.
func (l layout) on() string {
	if l.cluster == "" || l.single {
		return ""
	}
	return " ON CLUSTER '" + l.cluster + "'"
}

// alter begins a statement that changes what NAME holds.
func (l layout) alter(name string) string { return "ALTER TABLE " + l.local(name) + l.on() }

// settings are those of every statement on a cluster: an insert counts when most
// replicas have it, and a read sees every insert that counts.
func (l layout) settings() map[string]any {
	if l.cluster == "" {
		return nil
	}
	return map[string]any{
		"insert_quorum": "auto", "insert_quorum_parallel": 0, "insert_quorum_timeout": 60_000, "select_sequential_consistency": 1,
		"distributed_foreground_insert": 1, "distributed_product_mode": "global", "distributed_ddl_task_timeout": 600,
	}
}

var (
	createTable = regexp.MustCompile(`^CREATE TABLE IF NOT EXISTS (\w+)`)
	createMV    = regexp.MustCompile(`^CREATE MATERIALIZED VIEW IF NOT EXISTS (\w+) TO (\w+)`)
	createView  = regexp.MustCompile(`^CREATE (?:OR REPLACE )?VIEW (?:IF NOT EXISTS )?(\w+)`)
	alterTable  = regexp.MustCompile(`^ALTER TABLE (\w+)`)
	renameTable = regexp.MustCompile(`^RENAME TABLE (\w+) TO (\w+)$`)
	dropView    = regexp.MustCompile(`^DROP VIEW IF EXISTS (\w+)$`)
	dropTable   = regexp.MustCompile(`^DROP TABLE IF EXISTS (\w+)$`)
	truncate    = regexp.MustCompile(`^TRUNCATE TABLE IF EXISTS (\w+)$`)
	insertInto  = regexp.MustCompile(`^INSERT INTO (\w+) `)
	engine      = regexp.MustCompile(`\nENGINE = (\w*MergeTree)(\(([^)]*)\))?`)
	window      = regexp.MustCompile(`non_replicated_deduplication_window = (\d+)`)
	identifier  = regexp.MustCompile(`\w+`)
)

// planner turns the statements of migrations, in their order, into those of a
// layout. A table that a later migration renames has its last name at once.
type planner struct {
	layout
	renamed map[string]string // to the last name, until the migration that renames
}

func newPlanner(l layout, ms []migration) *planner {
	p := &planner{layout: l, renamed: map[string]string{}}
	for _, m := range ms {
		for _, st := range statements(m.sql) {
			if r := renameTable.FindStringSubmatch(st.sql); r != nil {
				p.renamed[r[1]] = r[2]
			}
		}
	}
	return p
}

// plan returns the statements for one of a migration's.
func (p *planner) plan(st statement) ([]statement, error) {
	if p.cluster == "" {
		return []statement{st}, nil
	}
	sql := st.sql
	one := func(sql string) ([]statement, error) { return []statement{{sql: sql}}, nil }
	if m := createTable.FindStringSubmatch(sql); m != nil {
		return p.table(sql, p.last(m[1])), nil
	}
	if m := createMV.FindStringSubmatch(sql); m != nil {
		_, query, _ := strings.Cut(sql, " AS\n")
		return one("CREATE MATERIALIZED VIEW IF NOT EXISTS " + m[1] + p.on() + " TO " + p.local(p.last(m[2])) + " AS\n" + p.locals(query))
	}
	if m := createView.FindString(sql); m != "" {
		return one(m + p.on() + sql[len(m):])
	}
	if m := alterTable.FindStringSubmatch(sql); m != nil {
		return p.altered(m[1], sql[len(m[0]):]), nil
	}
	if m := renameTable.FindStringSubmatch(sql); m != nil {
		delete(p.renamed, m[1])
		return nil, nil
	}
	if dropView.MatchString(sql) {
		return one(sql + p.on())
	}
	if m := dropTable.FindStringSubmatch(sql); m != nil {
		return p.dropped(m[1]), nil
	}
	if m := truncate.FindStringSubmatch(sql); m != nil {
		return one("TRUNCATE TABLE IF EXISTS " + p.local(m[1]) + p.on())
	}
	if insertInto.MatchString(sql) { // one node reads and writes the tables that show all
		return one(sql)
	}
	head, _, _ := strings.Cut(sql, "\n")
	return nil, fmt.Errorf("there is no form for a cluster of: %s", head)
}

func (p *planner) last(name string) string {
	if to, ok := p.renamed[name]; ok {
		return to
	}
	return name
}

// locals names the tables of one node in a query.
func (p *planner) locals(query string) string {
	return identifier.ReplaceAllStringFunc(query, func(w string) string { return p.local(p.last(w)) })
}

// table makes a table and, if it is divided, the one that shows all of it.
func (p *planner) table(sql, name string) []statement {
	if p.cluster == "" {
		return []statement{{sql: sql}}
	}
	sql = createTable.ReplaceAllLiteralString(sql, "CREATE TABLE IF NOT EXISTS "+p.local(name)+p.on())
	if !p.single {
		sql = engine.ReplaceAllStringFunc(sql, func(e string) string {
			m := engine.FindStringSubmatch(e)
			args := p.keeper(name)
			if m[3] != "" {
				args += ", " + m[3]
			}
			return "\nENGINE = Replicated" + m[1] + "(" + args + ")"
		})
		sql = replicatedWindow(sql)
	}
	if shardKeys[name] == "" {
		return []statement{{sql: sql}}
	}
	return []statement{{sql: sql}, {sql: p.distributed(name)}}
}

func replicatedWindow(sql string) string {
	return window.ReplaceAllString(sql, fmt.Sprintf("replicated_deduplication_window = $1, replicated_deduplication_window_seconds = %d", tokenSeconds))
}

// keeper are a replica's place in Keeper and its name there. A table that is
// not divided has one place for the replicas of all shards.
func (p *planner) keeper(name string) string {
	if shardKeys[name] == "" {
		return "'/clickhouse/tables/{database}/" + name + "', '{shard}-{replica}'"
	}
	return "'/clickhouse/tables/{shard}/{database}/" + name + "', '{replica}'"
}

func (p *planner) distributed(name string) string {
	return "CREATE TABLE IF NOT EXISTS " + name + p.on() + " AS " + p.local(name) +
		"\nENGINE = Distributed('" + p.cluster + "', '" + p.database + "', '" + p.local(name) + "', " + shardKeys[name] + ")"
}

// altered changes a table. One that shows others gets its new columns by being
// made again: it holds nothing.
func (p *planner) altered(name, rest string) []statement {
	if !p.single {
		rest = replicatedWindow(rest)
	}
	out := []statement{{sql: p.alter(name) + rest}}
	if shardKeys[name] != "" && strings.Contains(rest, "COLUMN") {
		out = append(out, statement{sql: "DROP TABLE IF EXISTS " + name + p.on() + " SYNC"}, statement{sql: p.distributed(name)})
	}
	return out
}

// dropped removes a table and, if it is divided, the one that shows all of it.
func (p *planner) dropped(name string) []statement {
	out := []statement{{sql: "DROP TABLE IF EXISTS " + name + p.on() + " SYNC"}}
	if local := p.local(name); local != name {
		out = append(out, statement{sql: "DROP TABLE IF EXISTS " + local + p.on() + " SYNC"})
	}
	return out
}

// DDL returns the statements that make the database of cfg, in their order, as
// Open carries them out: for whoever lets the program's user make no tables.
func DDL(cfg Config) ([]string, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	l, ms := cfg.layout(), migrations()
	p := newPlanner(l, ms)
	out := []string{"CREATE DATABASE IF NOT EXISTS " + l.database + l.on(), "USE " + l.database}
	for _, st := range p.table(migrationsDDL, migrationsTable) {
		out = append(out, st.sql)
	}
	for _, m := range ms {
		for _, st := range statements(m.sql) {
			list, err := p.plan(st)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", m.name, err)
			}
			for _, st := range list {
				out = append(out, st.sql)
			}
		}
		out = append(out, m.applied())
	}
	return out, nil
}
