package services

import (
	"context"
	"io"
	"time"

	"github.com/tallystick/tallystick/audit/erased"
)

// Operations are the acts of the command line on one installation. App does
// them in its own process, a client asks a running instance through its socket:
// the same act either way. Each act is in the trail, under the OS user, before
// it happens.
type Operations interface {
	RegisterOperations
	Ingest(ctx context.Context, r IngestRequest, progress func(Progress)) (*IngestSummary, error)
	Replay(ctx context.Context, r ReplayRequest, progress func(Progress)) (*ReplaySummary, error)
	Query(ctx context.Context, r QueryRequest) (*QueryResult, error)
	Render(ctx context.Context, r RenderRequest) (*Rendered, error)
	Verify(ctx context.Context, r VerifyRequest, progress func(Progress)) (*VerifyResult, error)
	Checkpoint(ctx context.Context) (*CheckpointResult, error)
	Prove(ctx context.Context, r ProveRequest) (*ProveResult, error)
	Evidence(ctx context.Context, r EvidenceRequest) (*EvidenceResult, error)
	WatcherKey(ctx context.Context) (*WatcherKeyResult, error)
	RegisterGrant(ctx context.Context, r GrantDocument) (*GrantRegistered, error)
	Erase(ctx context.Context, r EraseRequest) (*EraseResult, error)
	Decide(ctx context.Context, r DecideRequest) error
	RewrapKEK(ctx context.Context, r RewrapRequest) (*RewrapResult, error)
	Who(ctx context.Context, r WhoRequest) (*WhoResult, error)
}

// RegisterOperations are the acts that need nothing of an installation but its
// keys and registers.
type RegisterOperations interface {
	AddUser(ctx context.Context, r UserRequest) error
	ResetPassword(ctx context.Context, r UserRequest) error
	ImportRequests(ctx context.Context, r ImportRequest) (*ImportResult, error)
	Keys(ctx context.Context) (*KeyList, error)
	Rotate(ctx context.Context, r RotateRequest) (*RotateResult, error)
	SetKey(ctx context.Context, r SetKeyRequest) error
	RequestKeyAct(ctx context.Context, r KeyActRequest) (*KeyActRequested, error)
	WebhookSecret(ctx context.Context) (*WebhookSecretResult, error)
	BackupKeys(ctx context.Context, r BackupRequest) (*BackupResult, error)
	AddHold(ctx context.Context, h Hold) (*Hold, error)
	LiftHold(ctx context.Context, r LiftRequest) error
	Holds(ctx context.Context) (*HoldList, error)
}

// Progress of a long act.
type Progress struct {
	Done  uint64 `json:"done"`            // bytes, rows when verifying, chunks when re-processing
	Total uint64 `json:"total"`           // 0 if not known
	Lines uint64 `json:"lines,omitempty"` // or rows
}

// IngestRequest names files to put through the whole pipeline once.
type IngestRequest struct {
	Files  []string `json:"files"`            // absolute paths
	Format string   `json:"format"`           // name of a format
	Source string   `json:"source,omitempty"` // a configured source whose settings apply; default by file or ingest
	Stream string   `json:"stream,omitempty"` // continue a stream under this name
	New    bool     `json:"new,omitempty"`    // a new stream although the first line is known elsewhere
	// Input is read instead of files. It follows the request on its way to a
	// running instance.
	Input io.Reader `json:"-"`
	Piped bool      `json:"piped,omitempty"` // an Input follows
}

// IngestSummary is what became of the files. Lines of files that were known
// already count as duplicates, not as entries.
type IngestSummary struct {
	Lines      uint64  `json:"lines"`
	Entries    uint64  `json:"entries"`
	Rejections uint64  `json:"rejections"`
	Duplicates uint64  `json:"duplicates"`
	Findings   uint64  `json:"findings"`
	Seconds    float64 `json:"seconds"`
}

// ReplayRequest says what to re-process.
type ReplayRequest struct {
	From       time.Time `json:"from"`
	Until      time.Time `json:"until"` // exclusive
	Source     string    `json:"source,omitempty"`
	Rejections bool      `json:"rejections,omitempty"` // only lines that were rejected
}

// ReplaySummary is what became of it. Gone counts chunks whose lines Kafka has no
// more, Sealed rejected lines whose key was destroyed: both stay as they are.
type ReplaySummary struct {
	Chunks     uint64  `json:"chunks"`
	Gone       uint64  `json:"gone"`
	Entries    uint64  `json:"entries"`
	Rejections uint64  `json:"rejections"`
	Findings   uint64  `json:"findings"`
	Sealed     uint64  `json:"sealed"`
	Seconds    float64 `json:"seconds"`
}

// QueryRequest is one read-only statement.
type QueryRequest struct {
	SQL   string `json:"sql"`
	Limit int    `json:"limit,omitempty"` // rows; default 10,000
}

// QueryResult holds rows as text, as the command line prints them.
type QueryResult struct {
	Columns []string   `json:"columns"`
	Rows    [][]string `json:"rows"`
}

// RenderRequest asks for one report.
type RenderRequest struct {
	Kind   string    `json:"kind"`
	From   time.Time `json:"from"`
	Until  time.Time `json:"until"` // exclusive
	Lang   string    `json:"lang,omitempty"`
	Format string    `json:"format"`
}

// Rendered is one report file.
type Rendered struct {
	Name string `json:"name"`
	Data []byte `json:"data"`
}

// VerifyRequest asks for the record to be recomputed.
type VerifyRequest struct {
	// Checkpoint is an older signed checkpoint that the log must extend.
	Checkpoint []byte `json:"checkpoint,omitempty"`
	// Since leaves out the rows that Checkpoint covers.
	Since bool `json:"since,omitempty"`
	// From and Until, exclusive, bound the rows to those that became part of the
	// record then. Zero means no bound.
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

// VerifyResult says whether the store equals what the ledger committed to.
type VerifyResult struct {
	OK          bool     `json:"ok"`
	Chunks      uint64   `json:"chunks"`
	Rows        uint64   `json:"rows"`
	Pending     uint64   `json:"pending,omitempty"` // chunks without leaf yet
	Size        uint64   `json:"size"`              // of the checkpoint
	Root        string   `json:"root"`              // base64
	Faults      []string `json:"faults,omitempty"`
	Unwitnessed bool     `json:"unwitnessed"`
	Witnesses   []string `json:"witnesses,omitempty"` // that signed the checkpoint
	Silent      []string `json:"silent,omitempty"`    // that did not answer
}

// CheckpointResult is the newest signed checkpoint.
type CheckpointResult struct {
	Note string `json:"note"`
	Key  string `json:"key"` // that checks it, as tile clients take it
}

// ProveRequest asks for the proof of an entry, or that the newest checkpoint
// continues an older one.
type ProveRequest struct {
	Entry      string `json:"entry,omitempty"`
	Checkpoint []byte `json:"checkpoint,omitempty"`
}

// ProveResult is a proof file.
type ProveResult struct {
	Proof []byte `json:"proof"`
}

// EvidenceRequest names entries for a sealed evidence bundle.
type EvidenceRequest struct {
	Entries []string `json:"entries"` // ids
	Reason  string   `json:"reason"`  // for the trail: a ticket
}

// EvidenceResult is a bundle as package evidence writes it.
type EvidenceResult struct {
	Data      []byte `json:"data"`
	Entries   int    `json:"entries"`
	Originals int    `json:"originals"`
	Capsules  int    `json:"capsules"`
}

// UserRequest names an account. Password comes by prompt or standard input.
type UserRequest struct {
	Name     string   `json:"name"`
	Password string   `json:"password"`
	Roles    []string `json:"roles,omitempty"`
}

// ImportRequest carries a CSV file of privacy requests.
type ImportRequest struct {
	Name string `json:"name"` // of the file, for errors
	Data []byte `json:"data"`
}

// ImportResult counts the imported requests.
type ImportResult struct {
	Requests int `json:"requests"`
}

// KeyList describes every key that still exists; none of it is secret.
type KeyList struct {
	Keys []KeyInfo `json:"keys"`
}

// KeyInfo describes one key.
type KeyInfo struct {
	Role      string    `json:"role"` // what the key is for
	ID        string    `json:"id"`
	Status    string    `json:"status"` // primary, enabled, disabled or retired
	Created   time.Time `json:"created"`
	Destroyed time.Time `json:"destroyed,omitzero"` // when the clock destroys it, if nothing changes; zero for never
}

// RotateRequest names the key to be replaced: line, tap, webhook or principals.
type RotateRequest struct {
	Key string `json:"key"`
	// AtOnce is for a tap key that others may have: what it signed before is
	// believed no more.
	AtOnce bool `json:"at_once,omitempty"`
}

// RotateResult names the key that is used from now on.
type RotateResult struct {
	Key string `json:"key"`
}

// EraseRequest asks about the erasure of a person. With identifiers it asks for
// one, or with DryRun what there is to erase; without, how it stands, and an
// approved one is carried out.
type EraseRequest struct {
	Request     string       `json:"request"`
	Identifiers []Identifier `json:"identifiers,omitempty"`
	DryRun      bool         `json:"dry_run,omitempty"`
	Language    string       `json:"language,omitempty"` // of Lines
	// User and Password are of the account that asks, where there are identifiers:
	// an OS user may be anybody who signed in to the machine.
	User     string `json:"user,omitempty"`
	Password string `json:"password,omitempty"`
}

// EraseResult is how an erasure stands; State is empty if nobody asked for one.
type EraseResult struct {
	Answer erased.Answer `json:"answer"`
	Lines  []string      `json:"lines"` // for people
}

// DecideRequest is the decision of an account on what waits for a second person.
type DecideRequest struct {
	ID       int64  `json:"id"`
	User     string `json:"user"`
	Password string `json:"password"`
	Approve  bool   `json:"approve"`
}
