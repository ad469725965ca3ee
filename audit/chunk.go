package audit

import "time"

// StreamRange is a run of offsets of one stream: From is the offset of the
// first line, Until where the line after the last one begins, so that ranges
// that follow each other touch.
type StreamRange struct {
	Stream     string
	Generation uint32
	From       uint64
	Until      uint64
	// Tap, Boot, Sequence and Head are of the last batch in the range: where
	// the tap's chain of headers stood.
	Tap      string
	Boot     string
	Sequence uint64
	Head     []byte // 32 bytes, hash of the header
}

// Versions are what made a chunk's entries. A chunk that has to be redone is
// redone with the same ones.
type Versions struct {
	Parser   string // version of the parsers: the program's
	Policy   string // first 12 hex digits of the policy's SHA-256; with rules of detectors, + and theirs
	DataMap  string // the same of datamap.yaml
	Controls string // the same over all control files
	Country  string // release of the country table
	Keys     string // ids of the pseudonym keys in use
}

// ChunkKey names one version of a chunk.
type ChunkKey struct {
	ID      string
	Version uint16
}

// ChunkState is what the store says of one version of a chunk: a row of its
// register of chunks.
type ChunkState struct {
	ChunkKey
	Closed bool // all rows are stored; else they are being written
	Opened time.Time
	Salt   []byte
}

// Chunk is one offset range of one lines.v1 partition: the unit of
// exactly-once, of the store's insert token and of a ledger leaf.
type Chunk struct {
	ID        string // lines.v1-PARTITION-FROM-8 random hex digits
	Version   uint16 // 1 unless re-processed
	Partition int
	From      int64 // first Kafka offset
	Until     int64 // one past the last Kafka offset
	Opened    time.Time
	Versions  Versions
	Salt      []byte // 32 random bytes; blinds of the rows come from it
	Streams   []StreamRange
	// Entries, Rejections, Findings, Capsules and Originals count the rows of
	// the chunk.
	Entries, Rejections, Findings, Capsules, Originals uint32
	// Roots are RFC 6962 roots over row hashes, by table name. Set when the
	// chunk closes.
	Roots map[string][]byte
	// RowMarks are the first 8 bytes of each row hash in row order, by table
	// name, so that verify can name a changed row. Set when the chunk closes.
	RowMarks map[string][]byte
}

// Key names the chunk and its version.
func (c *Chunk) Key() ChunkKey { return ChunkKey{ID: c.ID, Version: c.Version} }
