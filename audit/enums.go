package audit

// ParseStatus says how much of a line was understood.
type ParseStatus string

// The values of ParseStatus.
const (
	ParseOK        ParseStatus = "ok"
	ParsePartial   ParseStatus = "partial"
	ParseTruncated ParseStatus = "truncated"
)

// Integrity says how far a line can be believed.
type Integrity string

// The values of Integrity. An ambiguous line could have been forged by a
// client and is never evidence for "allowed".
const (
	IntegrityOK        Integrity = "ok"
	IntegrityAmbiguous Integrity = "ambiguous"
	IntegrityTruncated Integrity = "truncated"
	IntegrityUntrusted Integrity = "untrusted"
)

// TimeQuality says where the time zone of a line's time came from.
type TimeQuality string

// The values of TimeQuality. TimeAhead marks times more than a day ahead.
const (
	TimeZoned   TimeQuality = "zoned"
	TimeAssumed TimeQuality = "assumed"
	TimeAhead   TimeQuality = "ahead"
)

// PrincipalKind says what kind of principal acted.
type PrincipalKind string

// The values of PrincipalKind. Self means that principal and subject are one
// person; unknown means a named principal that the data map does not declare.
const (
	KindStaff     PrincipalKind = "staff"
	KindService   PrincipalKind = "service"
	KindRecipient PrincipalKind = "recipient"
	KindSelf      PrincipalKind = "self"
	KindAnonymous PrincipalKind = "anonymous"
	KindUnknown   PrincipalKind = "unknown"
	KindBroker    PrincipalKind = "broker"
)

// PurposeSource says who named the purpose of an access.
type PurposeSource string

// The values of PurposeSource. Stated purposes come from a header or claim,
// inferred ones from the data map; reports count the two apart.
const (
	PurposeStated   PurposeSource = "stated"
	PurposeInferred PurposeSource = "inferred"
	PurposeNone     PurposeSource = "none"
)

// Action is what an operation means.
type Action string

// The values of Action.
const (
	ActionRead      Action = "read"
	ActionList      Action = "list"
	ActionWrite     Action = "write"
	ActionCreate    Action = "create"
	ActionUpdate    Action = "update"
	ActionDelete    Action = "delete"
	ActionConnect   Action = "connect"
	ActionSubscribe Action = "subscribe"
	ActionAdmin     Action = "admin"
	ActionOther     Action = "other"
)

// Outcome is what became of an access.
type Outcome string

// The values of Outcome.
const (
	OutcomeAllowed Outcome = "allowed"
	OutcomeDenied  Outcome = "denied"
	OutcomeError   Outcome = "error"
	OutcomeAborted Outcome = "aborted"
	OutcomeUnknown Outcome = "unknown"
)

// Transfer says how a disclosure to another organisation crosses borders.
type Transfer string

// The values of Transfer. TransferNone: no other organisation imports the
// data. TransferThird: a third country without adequacy or safeguard.
const (
	TransferNone     Transfer = "none"
	TransferEEA      Transfer = "eea"
	TransferAdequate Transfer = "adequate"
	TransferSafe     Transfer = "safeguard"
	TransferThird    Transfer = "third"
	TransferUnknown  Transfer = "unknown"
)

// Reason says why a line was rejected. It is a metric label.
type Reason string

// The values of Reason.
const (
	ReasonSyntax   Reason = "syntax"    // does not follow the format
	ReasonTooLong  Reason = "too-long"  // over the line limit
	ReasonEncoding Reason = "encoding"  // bytes that are not UTF-8 where the format needs it
	ReasonNUL      Reason = "nul"       // holds a NUL byte
	ReasonTime     Reason = "time"      // time outside 2000-01-01 to a day ahead, or not a time
	ReasonEmpty    Reason = "empty"     // nothing in it
	ReasonTap      Reason = "tap"       // unknown tap, bad signature, broken chain: the whole batch
	ReasonNoFormat Reason = "no-format" // the source is not configured here
	// ReasonNotAccess marks a line of the server that tells of no access, such
	// as that it started. It is known, so it speaks for the format.
	ReasonNotAccess Reason = "not-access"
)

// Severity ranks a finding.
type Severity string

// The values of Severity, from low to critical.
const (
	SeverityLow      Severity = "low"
	SeverityMedium   Severity = "medium"
	SeverityHigh     Severity = "high"
	SeverityCritical Severity = "critical"
)
