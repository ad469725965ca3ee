// Package schemas embeds the data that the product is made of: SQL migrations,
// controls, law tables, mappings and the JSON Schema of an entry. It holds no
// code beyond the embed directives.
package schemas

import "embed"

// Registers are the goose migrations of the registers, portable over SQLite
// and PostgreSQL.
//
//go:embed registers/*.sql
var Registers embed.FS

// Mapping holds taxonomies: the fideslang keys.
//
//go:embed mapping/*.yaml
var Mapping embed.FS

// Schema makes the tables that the migrations in ClickHouse lead to, in a
// database without any. It is generated: go test ./internal/store -run
// TestSchema -update.
//
//go:embed schema.sql
var Schema string

// ClickHouse holds the numbered migrations of the store.
//
//go:embed clickhouse/*.sql
var ClickHouse embed.FS

// Controls are the control files, one control each.
//
//go:embed controls/*.yaml
var Controls embed.FS

// Law holds territories, adequacy decisions and deadlines with their effective
// dates.
//
//go:embed law/*.yaml
var Law embed.FS
