package audit

import "time"

// Entry is a masked line: what may be stored, sent and shown. Only package
// masking fills one from an Event. The table EntryFields names each field once
// for SQL, JSON, controls and documentation.
type Entry struct {
	Skip bool // the line was rejected: there is no entry; not a field

	SchemaVersion uint16
	EventTime     time.Time
	IngestTime    time.Time
	Source        string
	SourceFormat  string
	TimeQuality   string
	Stream        string
	Generation    uint32
	Offset        uint64
	ParseStatus   string
	Integrity     string

	PrincipalID       string
	PrincipalType     string
	PrincipalAuth     string
	PrincipalVerified bool
	PrincipalOrg      string
	PrincipalLabel    string
	SessionID         string

	PeerIP        string
	ClientIP      string
	ClientPort    uint16
	XFFChain      []string
	ClientCountry string
	ClientApp     string
	DeviceID      string
	RequestID     string

	Protocol     string
	Operation    string
	Action       string
	ResourceType string
	ResourceName string
	SystemKey    string
	Dataset      string
	URLTemplate  string
	// ResourceDeclared: the data map declares the resource; URLTemplate is
	// the declared pattern then, else a derived one.
	ResourceDeclared bool
	QueryKeys        []string

	Subjects          []string
	SubjectKinds      []string
	SubjectCategories []string
	SubjectCount      uint32
	Categories        []string
	SpecialCategory   bool
	FoundKinds        []string
	FoundPlaces       []string
	Purpose           string
	PurposeSource     string
	PurposeDocumented bool
	DataUse           string
	LegalBasis        string
	ConsentRef        string
	ContractRef       string
	Recipient         string

	ServiceCountry string
	DestCountry    string
	TransferKind   string
	TransferRef    string

	TLSVersion        string
	TLSCipher         string
	SNI               string
	ClientCertSubject string
	ClientCertHash    string
	MTLSVerified      bool

	StatusCode uint16
	Outcome    string
	DenyBy     string
	BytesIn    uint64
	BytesOut   uint64
	DurationUS uint64
	Upstream   string
	Labels     map[string]string

	Method    string
	Target    string
	Host      string
	Referer   string
	UserAgent string

	// Carries what the format can show, for controls that answer "not
	// evidenced": any of tls, purpose, principal, target, outcome.
	Carries []string

	// Where the entry stands in the record; set by the auditor.
	Chunk   string
	Version uint16
	Row     uint32 // index in the chunk, in origin order
	Mark    uint32 // Line.Mark
}

// EntryID is the id of the entry: see Origin.EntryID.
func (e *Entry) EntryID() string {
	return Origin{Stream: e.Stream, Generation: e.Generation, Offset: e.Offset}.EntryID()
}
