package audit

import (
	"time"

	"github.com/tallystick/tallystick/masking/plain"
)

// Event is a normalised line with its clear values. It exists in memory only,
// between parse and mask. Every value that could identify a person is a
// plain.Text; plain strings hold only values from closed lists, from the data
// map or from the configuration.
type Event struct {
	Origin   Origin
	Rejected bool // set by Batch.Reject; later stages skip the event
	Received time.Time

	// Filled by parse.

	Source             string // name of the source
	Format             string // nginx:combined, envoy:json, kafka:authorizer
	ParseStatus        ParseStatus
	Integrity          Integrity
	Time               time.Time // UTC; when the server says that it happened
	TimeQuality        TimeQuality
	Protocol           string     // http, kafka, mqtt, tcp, or "" if the format does not say
	Method             plain.Text // as in the line; normalize maps it to Operation
	Target             plain.Text // request target as in the line, un-escaped, with its query
	Host               plain.Text
	Referer            plain.Text
	UserAgent          plain.Text
	User               plain.Text // remote user, Kafka principal name, MQTT user name
	UserVerified       bool       // the server itself authenticated User
	Auth               string     // none, basic, sasl, mtls, jwt, unverified
	Session            plain.Text
	DeviceID           plain.Text
	RequestID          plain.Text
	PeerAddr           plain.Text // IP address of the connection, without port
	PeerPort           uint16
	Forwarded          []plain.Text // X-Forwarded-For, first hop first
	Status             uint16       // 0 if the format has none
	BytesIn            uint64
	BytesOut           uint64
	Duration           time.Duration
	TLSVersion         plain.Text // as in the line; normalize maps it
	TLSCipher          plain.Text
	SNI                plain.Text
	ClientCertSubject  plain.Text
	ClientCertSAN      plain.Text
	ClientCertHash     plain.Text
	ClientCertVerified bool
	Upstream           plain.Text
	Denied             bool       // the format itself says allowed or denied (Kafka)
	DenyBy             string     // proxy, authz, upstream
	ResourceType       plain.Text // Topic, Group... as in the line
	ResourceName       plain.Text
	// Fields are the remaining named values of the line, for field:NAME and
	// header:NAME in the configuration. Header names are lower case and begin
	// with "header:".
	Fields []Field
	// Carries says what the format with its configuration can show at all,
	// whether or not this line does.
	Carries Carries

	// Filled by normalize.

	Operation  string // GET, POST... or the Kafka operation; OTHER for what no list knows
	Action     Action // what it means
	Outcome    Outcome
	TLS        string     // none, SSLv3, 1.0, 1.1, 1.2, 1.3, or "" if the format does not say
	ClientAddr plain.Text // after trusted proxies were taken off
	Path       plain.Text // decoded path of Target
	Query      []Field    // decoded query of Target, in order

	// Filled by enrich.

	Principal         plain.Text
	PrincipalKind     PrincipalKind
	PrincipalVerified bool
	PrincipalDeclared bool     // the data map declares it: long epoch and label
	PrincipalLabel    string   // the data map's label, never a name from the line
	PrincipalOrg      string   // key of an organisation in the data map; own is "own"
	PrincipalCountry  string   // where the map says that the principal sits
	ClientCountry     string   // ISO 3166-1 alpha-2 of ClientAddr, "" if unknown
	System            string   // key of the system in the data map, "" if undeclared
	QueryKeys         []string // keys of Query as they may be shown: known words, else [redacted]
	HostShown         string   // Host with its unknown labels hidden, "" if it is no host name
	RefererShown      string   // the same of Referer's host
	SNIShown          string   // the same of SNI
	UpstreamShown     string   // the same of Upstream: a forward proxy goes where its client says
	Resource          string   // template of the data map, or a derived one if undeclared
	Dataset           string   // dataset or collection of the data map
	ResourceMapped    bool
	Subjects          []Subject
	SubjectTypes      []string // fideslang data subject types
	Categories        []string // fideslang data categories of the resource, from the data map
	Special           bool     // a category of GDPR Art 9 or 10
	Purpose           string   // key of a purpose; "" if none
	PurposeSource     PurposeSource
	PurposeStated     plain.Text // as the header or claim has it, when no key matches
	PurposeDocumented bool       // Purpose is in the map, allowed there and effective at Time
	DataUse           string     // fideslang data use of the purpose
	LegalBasis        string
	ContractRef       string
	Recipient         string // key of the recipient when the principal's organisation is another
	ServiceCountry    string
	DestCountry       string // importing country: where the principal's organisation is
	Transfer          Transfer
	TransferRef       string // instrument of the safeguard
	Labels            map[string]string

	// Filled by classify.

	Found []Found
}

// Field is a named clear value of a line. Name comes from the format or the
// configuration; for a query it is a plain key, see Event.Query.
type Field struct {
	Name  string
	Value plain.Text
}

// Subject is a person whose data the line is about: a kind (customer_id,
// email, card...) and the value. mask normalises it and makes the pseudonym.
type Subject struct {
	Kind  string
	Value plain.Text
}

// Found is personal data that a detector saw in a field of the line. It has no
// value, so it may be stored.
type Found struct {
	Kind  string // email, ipv4, ipv6, card
	Place string // target, query, path, referer, user_agent, host, user or the name of a field
}

// Carries are the facts that a format can show; a control that needs one that
// is missing answers "not evidenced".
type Carries struct {
	TLS, Purpose, Principal, Target, Outcome bool
}
