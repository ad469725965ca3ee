// Package ledger commits to what the store holds: canonical bytes of a row, the
// Merkle root of a chunk's table, the leaf of a chunk, the append-only log of
// leaves with its signed checkpoints, and the check of a store against them.
//
// The auditor makes the roots (AppendEntry, Table); services/ledger is the one
// writer of the log; the command line and the reports verify. The package
// stores no rows and knows no driver: verify reads the store through Source.
//
// What it proves and what not: a row that was changed, removed or added after
// its chunk's leaf was sequenced is found and named. Whoever holds the signing
// key and this machine could have rewritten everything, log included; that
// shows only against a checkpoint that was kept elsewhere.
package ledger

// The tables of a chunk, as named in Chunk.Roots, in leaves and in results.
const (
	TableEntries    = "entries"
	TableRejections = "rejections"
	TableFindings   = "findings"
	TableCapsules   = "capsules"
	TableOriginals  = "originals"
)

// Tables are the tables of a chunk, in the order in which they are checked.
// A leaf names the last two only where a chunk has such rows.
var Tables = []string{TableEntries, TableRejections, TableFindings, TableCapsules, TableOriginals}
