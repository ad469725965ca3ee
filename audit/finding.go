package audit

import "time"

// FindingKind separates what was wrong from what is not known.
type FindingKind string

// The values of FindingKind.
const (
	Violation FindingKind = "violation"
	Gap       FindingKind = "gap"
)

// Finding is a violation or a gap. It holds no clear value. Its id comes from
// control and origin (or from control and group for windowed controls and
// gaps), so the same fact raised again is the same finding.
type Finding struct {
	ID             string            `json:"id"`
	Kind           FindingKind       `json:"kind"`
	Control        string            `json:"control"`
	ControlVersion uint16            `json:"control_version"`
	Severity       Severity          `json:"severity"`
	Time           time.Time         `json:"time"`     // of the access, or the window's start; UTC
	Until          time.Time         `json:"until"`    // the window's end; equals Time for one access
	Detected       time.Time         `json:"detected"` // UTC
	Source         string            `json:"source"`
	System         string            `json:"system"`
	Principal      string            `json:"principal"` // pseudonym, or "" if none
	PrincipalKind  PrincipalKind     `json:"principal_kind"`
	PrincipalLabel string            `json:"principal_label"`
	Resource       string            `json:"resource"`
	Purpose        string            `json:"purpose"`
	Categories     []string          `json:"categories"`
	Subjects       []string          `json:"subjects"` // pseudonyms
	EntryID        string            `json:"entry_id"` // first evidence, "" if none
	Count          uint64            `json:"count"`    // entries behind it, at least 1 for a violation
	Facts          map[string]string `json:"facts"`    // named facts of the control: country, tls, places...
	Chunk          string            `json:"chunk"`    // "" if it does not come from a chunk
}

// Rejection is a line that could not become an entry: a reason and the sealed
// line, never silence.
type Rejection struct {
	Origin   Origin
	Line     int // index of the line in its batch
	Source   string
	Format   string
	Received time.Time
	Hour     time.Time // start of the hour in which completeness counts the line, UTC
	Reason   Reason
	Column   int    // 1-based byte column, 0 if it does not apply
	Expected string // what the parser expected there; never a value of the line
	Length   int    // true length of the line in bytes
	Mark     uint32
	// SealedKey and Sealed are the line under the line public key, set by the
	// auditor before the rejection is stored.
	SealedKey []byte
	Sealed    []byte
}
