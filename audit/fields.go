package audit

import "time"

// Kind is the type of a field, in Go and in ClickHouse.
type Kind uint8

// The kinds. A Word has few values and is dictionary-encoded; a Text has many.
const (
	Word   Kind = iota // string, LowCardinality(String)
	Text               // string, String
	Words              // []string, Array(LowCardinality(String))
	Texts              // []string, Array(String)
	Bool               // bool, Bool
	Uint16             // uint16, UInt16
	Uint32             // uint32, UInt32
	Uint64             // uint64, UInt64
	Time               // time.Time, DateTime64(9, 'UTC')
	Map                // map[string]string, Map(LowCardinality(String), String)
)

// EntryField is one field of an Entry: its one name in SQL, JSON, controls and documentation,
// and how to reach it. Exactly the accessor that fits Kind is set.
type EntryField struct {
	Name string
	Kind Kind
	Doc  string

	Str  func(*Entry) *string            // Word, Text
	Strs func(*Entry) *[]string          // Words, Texts
	Bool func(*Entry) *bool              // Bool
	U16  func(*Entry) *uint16            // Uint16
	U32  func(*Entry) *uint32            // Uint32
	U64  func(*Entry) *uint64            // Uint64
	Time func(*Entry) *time.Time         // Time
	Map  func(*Entry) *map[string]string // Map
}

// EntryFields are the fields of an Entry in the order of the store's columns
// and of the canonical row that the ledger hashes. A field is added at the end
// of its group together with a new SchemaVersion; none is renamed or removed.
var EntryFields = []EntryField{
	{Name: "schema_version", Kind: Uint16, Doc: "Version of this table of fields.", U16: func(e *Entry) *uint16 { return &e.SchemaVersion }},
	{Name: "event_time", Kind: Time, Doc: "When the server says that it happened, UTC, nanoseconds.", Time: func(e *Entry) *time.Time { return &e.EventTime }},
	{Name: "ingest_time", Kind: Time, Doc: "When the tap read the line, UTC.", Time: func(e *Entry) *time.Time { return &e.IngestTime }},
	{Name: "source", Kind: Word, Doc: "Name of the source in tallystick.yaml.", Str: func(e *Entry) *string { return &e.Source }},
	{Name: "source_format", Kind: Word, Doc: "Format of the line: nginx:combined, envoy:json, kafka:authorizer.", Str: func(e *Entry) *string { return &e.SourceFormat }},
	{Name: "time_quality", Kind: Word, Doc: "zoned, assumed (the format has no zone) or ahead (over a day in the future).", Str: func(e *Entry) *string { return &e.TimeQuality }},
	{Name: "stream", Kind: Word, Doc: "Keyed name of the file, partition or connection.", Str: func(e *Entry) *string { return &e.Stream }},
	{Name: "generation", Kind: Uint32, Doc: "Counts how often other bytes appeared under known offsets.", U32: func(e *Entry) *uint32 { return &e.Generation }},
	{Name: "offset", Kind: Uint64, Doc: "Offset of the line in the decompressed stream, bytes.", U64: func(e *Entry) *uint64 { return &e.Offset }},
	{Name: "parse_status", Kind: Word, Doc: "ok, partial or truncated.", Str: func(e *Entry) *string { return &e.ParseStatus }},
	{Name: "integrity", Kind: Word, Doc: "ok, ambiguous (a client could have forged it), truncated or untrusted.", Str: func(e *Entry) *string { return &e.Integrity }},
	{Name: "principal_id", Kind: Text, Doc: "Pseudonym of who acted; empty for anonymous.", Str: func(e *Entry) *string { return &e.PrincipalID }},
	{Name: "principal_type", Kind: Word, Doc: "staff, service, recipient, self, anonymous, unknown or broker.", Str: func(e *Entry) *string { return &e.PrincipalType }},
	{Name: "principal_auth", Kind: Word, Doc: "none, basic, sasl, mtls, jwt or unverified.", Str: func(e *Entry) *string { return &e.PrincipalAuth }},
	{Name: "principal_verified", Kind: Bool, Doc: "The proxy or broker itself authenticated the principal.", Bool: func(e *Entry) *bool { return &e.PrincipalVerified }},
	{Name: "principal_org", Kind: Word, Doc: "Key of the principal's organisation; own is the controller.", Str: func(e *Entry) *string { return &e.PrincipalOrg }},
	{Name: "principal_label", Kind: Word, Doc: "Label of the data map: department or staff number, never a name from the log.", Str: func(e *Entry) *string { return &e.PrincipalLabel }},
	{Name: "session_id", Kind: Text, Doc: "Pseudonym of the session, day key.", Str: func(e *Entry) *string { return &e.SessionID }},
	{Name: "peer_ip", Kind: Text, Doc: "Truncated address of the connection: /24 or /48.", Str: func(e *Entry) *string { return &e.PeerIP }},
	{Name: "client_ip", Kind: Text, Doc: "Truncated address of the client behind trusted proxies.", Str: func(e *Entry) *string { return &e.ClientIP }},
	{Name: "client_port", Kind: Uint16, Doc: "Port of the connection; 0 if unknown.", U16: func(e *Entry) *uint16 { return &e.ClientPort }},
	{Name: "xff_chain", Kind: Texts, Doc: "Truncated X-Forwarded-For chain, first hop first.", Strs: func(e *Entry) *[]string { return &e.XFFChain }},
	{Name: "client_country", Kind: Word, Doc: "ISO 3166-1 alpha-2 of the client address's registration; empty if unknown.", Str: func(e *Entry) *string { return &e.ClientCountry }},
	{Name: "client_app", Kind: Word, Doc: "Family and major version of the user agent or client software.", Str: func(e *Entry) *string { return &e.ClientApp }},
	{Name: "device_id", Kind: Text, Doc: "Pseudonym of the device, day key.", Str: func(e *Entry) *string { return &e.DeviceID }},
	{Name: "request_id", Kind: Text, Doc: "Pseudonym of the request id, day key.", Str: func(e *Entry) *string { return &e.RequestID }},
	{Name: "protocol", Kind: Word, Doc: "http, kafka, mqtt or tcp.", Str: func(e *Entry) *string { return &e.Protocol }},
	{Name: "operation", Kind: Word, Doc: "Method or Kafka operation; OTHER for what no list knows.", Str: func(e *Entry) *string { return &e.Operation }},
	{Name: "action", Kind: Word, Doc: "read, list, write, create, update, delete, connect, subscribe, admin or other.", Str: func(e *Entry) *string { return &e.Action }},
	{Name: "resource_type", Kind: Word, Doc: "endpoint, topic, group, cluster...", Str: func(e *Entry) *string { return &e.ResourceType }},
	{Name: "resource_name", Kind: Text, Doc: "Masked name of the resource where it is not a URL.", Str: func(e *Entry) *string { return &e.ResourceName }},
	{Name: "system_key", Kind: Word, Doc: "Key of the system in the data map; empty if undeclared.", Str: func(e *Entry) *string { return &e.SystemKey }},
	{Name: "dataset", Kind: Word, Doc: "Dataset or collection of the data map.", Str: func(e *Entry) *string { return &e.Dataset }},
	{Name: "url_template", Kind: Word, Doc: "Template of the resource, declared or derived.", Str: func(e *Entry) *string { return &e.URLTemplate }},
	{Name: "resource_declared", Kind: Bool, Doc: "The data map declares the resource.", Bool: func(e *Entry) *bool { return &e.ResourceDeclared }},
	{Name: "query_keys", Kind: Words, Doc: "Keys of the query; values are dropped. A key that holds personal data shows as [redacted].", Strs: func(e *Entry) *[]string { return &e.QueryKeys }},
	{Name: "subjects", Kind: Texts, Doc: "Pseudonyms of the people whose data the access is about.", Strs: func(e *Entry) *[]string { return &e.Subjects }},
	{Name: "subject_kinds", Kind: Words, Doc: "Kind of each subject: customer_id, email...", Strs: func(e *Entry) *[]string { return &e.SubjectKinds }},
	{Name: "subject_categories", Kind: Words, Doc: "Fideslang data subject types: customer, employee...", Strs: func(e *Entry) *[]string { return &e.SubjectCategories }},
	{Name: "subject_count", Kind: Uint32, Doc: "How many subjects the line names.", U32: func(e *Entry) *uint32 { return &e.SubjectCount }},
	{Name: "categories", Kind: Words, Doc: "Fideslang data categories of the resource, from the data map.", Strs: func(e *Entry) *[]string { return &e.Categories }},
	{Name: "special_category", Kind: Bool, Doc: "One of the categories falls under GDPR Art. 9 or 10.", Bool: func(e *Entry) *bool { return &e.SpecialCategory }},
	{Name: "found_kinds", Kind: Words, Doc: "What detectors saw in the line: email, phone, ipv4, ipv6, card, iban, national_id, credential, location...; erased: a person who was erased before the access.", Strs: func(e *Entry) *[]string { return &e.FoundKinds }},
	{Name: "found_places", Kind: Words, Doc: "Where each was: query, path, referer...; subjects or principal of who was erased.", Strs: func(e *Entry) *[]string { return &e.FoundPlaces }},
	{Name: "purpose", Kind: Word, Doc: "Key of the purpose; [redacted] if one was stated that the data map does not know.", Str: func(e *Entry) *string { return &e.Purpose }},
	{Name: "purpose_source", Kind: Word, Doc: "stated, inferred or none.", Str: func(e *Entry) *string { return &e.PurposeSource }},
	{Name: "purpose_documented", Kind: Bool, Doc: "The purpose is in the data map, allowed for the resource and in effect at event_time.", Bool: func(e *Entry) *bool { return &e.PurposeDocumented }},
	{Name: "data_use", Kind: Word, Doc: "Fideslang data use of the purpose.", Str: func(e *Entry) *string { return &e.DataUse }},
	{Name: "legal_basis", Kind: Word, Doc: "Legal basis of the purpose in the data map.", Str: func(e *Entry) *string { return &e.LegalBasis }},
	{Name: "consent_ref", Kind: Text, Doc: "Reference of a consent, where the line has one.", Str: func(e *Entry) *string { return &e.ConsentRef }},
	{Name: "contract_ref", Kind: Word, Doc: "Contract with the recipient.", Str: func(e *Entry) *string { return &e.ContractRef }},
	{Name: "recipient", Kind: Word, Doc: "Key of the recipient whose principal acted.", Str: func(e *Entry) *string { return &e.Recipient }},
	{Name: "service_country", Kind: Word, Doc: "Country of the system.", Str: func(e *Entry) *string { return &e.ServiceCountry }},
	{Name: "dest_country", Kind: Word, Doc: "Country to which the access discloses the data.", Str: func(e *Entry) *string { return &e.DestCountry }},
	{Name: "transfer_kind", Kind: Word, Doc: "none, eea, adequate, safeguard, third or unknown.", Str: func(e *Entry) *string { return &e.TransferKind }},
	{Name: "transfer_ref", Kind: Word, Doc: "Instrument of the safeguard.", Str: func(e *Entry) *string { return &e.TransferRef }},
	{Name: "tls_version", Kind: Word, Doc: "none, SSLv3, 1.0, 1.1, 1.2, 1.3; empty if the format does not say.", Str: func(e *Entry) *string { return &e.TLSVersion }},
	{Name: "tls_cipher", Kind: Word, Doc: "Cipher suite.", Str: func(e *Entry) *string { return &e.TLSCipher }},
	{Name: "sni", Kind: Text, Doc: "Server name of the handshake, masked.", Str: func(e *Entry) *string { return &e.SNI }},
	{Name: "client_cert_subject", Kind: Text, Doc: "Pseudonym of the client certificate's subject, day key.", Str: func(e *Entry) *string { return &e.ClientCertSubject }},
	{Name: "client_cert_sha256", Kind: Text, Doc: "Pseudonym of the client certificate's hash, day key.", Str: func(e *Entry) *string { return &e.ClientCertHash }},
	{Name: "mtls_verified", Kind: Bool, Doc: "The client certificate was verified.", Bool: func(e *Entry) *bool { return &e.MTLSVerified }},
	{Name: "status_code", Kind: Uint16, Doc: "Status of the response; 0 if there is none.", U16: func(e *Entry) *uint16 { return &e.StatusCode }},
	{Name: "outcome", Kind: Word, Doc: "allowed, denied, error, aborted or unknown.", Str: func(e *Entry) *string { return &e.Outcome }},
	{Name: "deny_by", Kind: Word, Doc: "proxy, authz or upstream.", Str: func(e *Entry) *string { return &e.DenyBy }},
	{Name: "bytes_in", Kind: Uint64, Doc: "Bytes received.", U64: func(e *Entry) *uint64 { return &e.BytesIn }},
	{Name: "bytes_out", Kind: Uint64, Doc: "Bytes sent.", U64: func(e *Entry) *uint64 { return &e.BytesOut }},
	{Name: "duration_us", Kind: Uint64, Doc: "Duration, microseconds.", U64: func(e *Entry) *uint64 { return &e.DurationUS }},
	{Name: "upstream", Kind: Text, Doc: "Upstream of the last try, addresses truncated.", Str: func(e *Entry) *string { return &e.Upstream }},
	{Name: "labels", Kind: Map, Doc: "Labels of the source in tallystick.yaml.", Map: func(e *Entry) *map[string]string { return &e.Labels }},
	{Name: "method", Kind: Word, Doc: "HTTP method.", Str: func(e *Entry) *string { return &e.Method }},
	{Name: "target", Kind: Text, Doc: "Masked request target.", Str: func(e *Entry) *string { return &e.Target }},
	{Name: "host", Kind: Text, Doc: "Masked host.", Str: func(e *Entry) *string { return &e.Host }},
	{Name: "referer", Kind: Text, Doc: "Masked referer.", Str: func(e *Entry) *string { return &e.Referer }},
	{Name: "user_agent", Kind: Word, Doc: "Family and major version of the user agent.", Str: func(e *Entry) *string { return &e.UserAgent }},
	{Name: "carries", Kind: Words, Doc: "What the format can show: tls, purpose, principal, target, outcome.", Strs: func(e *Entry) *[]string { return &e.Carries }},
	{Name: "chunk", Kind: Word, Doc: "Chunk that the entry is stored and committed in.", Str: func(e *Entry) *string { return &e.Chunk }},
	{Name: "version", Kind: Uint16, Doc: "Version of the chunk, 1 unless re-processed.", U16: func(e *Entry) *uint16 { return &e.Version }},
	{Name: "row", Kind: Uint32, Doc: "Index of the entry in its chunk, in origin order.", U32: func(e *Entry) *uint32 { return &e.Row }},
	{Name: "mark", Kind: Uint32, Doc: "Keyed mark of the line, to tell other bytes at the same offset.", U32: func(e *Entry) *uint32 { return &e.Mark }},
}

// SchemaVersion is the version of EntryFields that this program writes.
const SchemaVersion = 1
