package datamap

import "github.com/tallystick/tallystick/audit/law"

// Map is a data map: what an organisation declares about its systems, the data
// behind them, who uses it and why. Fields are as in datamap.yaml; their
// comments are its reference. It never changes once loaded.
type Map struct {
	// Organisation is the controller. Required.
	Organisation Organisation `yaml:"organisation"`
	// Systems are what sources guard. Required.
	Systems []System `yaml:"systems"`
	// Purposes are why data is processed.
	Purposes []Purpose `yaml:"purposes"`
	// Resources are the URLs and topics, and what data is behind them.
	Resources []Resource `yaml:"resources"`
	// Principals are who uses them; the first that matches wins.
	Principals []Principal `yaml:"principals"`
	// Organisations are the others: processors, recipients.
	Organisations []Organisation `yaml:"organisations"`
	// Transfers are the safeguards for other countries.
	Transfers []Transfer `yaml:"transfers"`

	name     string
	digest   string
	warnings []string
	compiled *compiled
}

// Words is a text in several languages. A plain value in YAML is for all.
type Words map[string]string

// SetScalar takes a plain value.
func (w *Words) SetScalar(s string) { *w = Words{"": s} }

// In returns the text in a language, else the plain one, else the English one,
// else the first by language tag.
func (w Words) In(lang string) string {
	for _, l := range []string{lang, "", "en"} {
		if s := w[l]; s != "" {
			return s
		}
	}
	best := ""
	for l := range w {
		if best == "" || l < best {
			best = l
		}
	}
	return w[best]
}

// Contact is a person or office to write to.
type Contact struct {
	Name  string `yaml:"name"`
	Email string `yaml:"email"`
	Phone string `yaml:"phone"`
}

// Organisation is a legal person: the controller, or one that data goes to.
type Organisation struct {
	// Key names it in the map. The controller's is "own" by convention.
	Key  string `yaml:"key"`
	Name string `yaml:"name"`
	// Country is ISO 3166-1 alpha-2.
	Country string `yaml:"country"`
	Address string `yaml:"address"`
	// Type is processor, controller, joint-controller, service-provider,
	// contractor or third-party. For others than the own organisation.
	Type           string   `yaml:"type"`
	DPO            *Contact `yaml:"dpo"`
	Encarregado    *Contact `yaml:"encarregado"`
	Representative *Contact `yaml:"representative"`
	// Contract is the reference of the contract (GDPR Art. 28(3)); it counts
	// from ContractFrom until the end of ContractUntil, both optional.
	Contract      string `yaml:"contract"`
	ContractFrom  string `yaml:"contract_from"`
	ContractUntil string `yaml:"contract_until"`

	contract law.Period
}

// System is an application or store that a source guards.
type System struct {
	Key     string `yaml:"key"`
	Name    string `yaml:"name"`
	Country string `yaml:"country"`
	// Hosts are the host names under which the system is reached. Entries show
	// them whole, and of other host names only labels that are common words.
	Hosts []string `yaml:"hosts"`
	// Security describes the measures of GDPR Art. 32, for the records.
	Security Words `yaml:"security"`
}

// LegalBasis is the ground of a purpose under each law.
type LegalBasis struct {
	// GDPR is 6(1)(a) to 6(1)(f).
	GDPR string `yaml:"gdpr"`
	// Special is 9(2)(a) to 9(2)(j): the condition for special categories.
	Special string `yaml:"gdpr_special"`
	// LGPD is 7-I to 7-X, 11-I or 11-II-a to 11-II-g.
	LGPD string `yaml:"lgpd"`
}

// Purpose is why data is processed: a row of the records of processing.
type Purpose struct {
	Key  string `yaml:"key"`
	Name Words  `yaml:"name"`
	// DataUse is a fideslang data use.
	DataUse    string     `yaml:"data_use"`
	LegalBasis LegalBasis `yaml:"legal_basis"`
	// BusinessPurpose is one of Cal. Civ. Code § 1798.140(e).
	BusinessPurpose string `yaml:"business_purpose"`
	// Categories are fideslang data categories; user.contact covers
	// user.contact.email.
	Categories []string `yaml:"categories"`
	// SubjectTypes are fideslang data subjects.
	SubjectTypes []string `yaml:"subject_types"`
	// Recipients are keys of organisations.
	Recipients []string `yaml:"recipients"`
	Retention  Words    `yaml:"retention"`
	// From and Until are the first and the last day on which the purpose is
	// in effect (UTC); both optional.
	From  string `yaml:"from"`
	Until string `yaml:"until"`
	// Reviewed is the day of the last review.
	Reviewed string `yaml:"reviewed"`
	// Source says where the data comes from.
	Source Words  `yaml:"source"`
	Owner  string `yaml:"owner"`
	// DPIA, LIA, RIPD and RiskAssessment are references of documents.
	DPIA           string `yaml:"dpia"`
	LIA            string `yaml:"lia"`
	RIPD           string `yaml:"ripd"`
	RiskAssessment string `yaml:"risk_assessment"`
	Notice         string `yaml:"notice"`

	period law.Period
	basis  string
}

// Resource is a set of URLs, a topic or a group of one system.
type Resource struct {
	System string `yaml:"system"`
	// Match is "METHOD /path/{subject:KIND}/{name}?key={subject:KIND}" or
	// "topic NAME", "group NAME". See Pattern in the package comment.
	Match   string `yaml:"match"`
	Dataset string `yaml:"dataset"`
	// Categories are fideslang data categories; an empty list says that the
	// resource has no personal data.
	Categories   []string `yaml:"categories"`
	SubjectTypes []string `yaml:"subject_types"`
	// Purposes are keys of the purposes allowed here. When a source states no
	// purpose, the first one in effect is inferred.
	Purposes []string `yaml:"purposes"`

	index    int
	special  bool
	purposes []*Purpose
	pattern  pattern
}

// Principal is a rule for the names of principals.
type Principal struct {
	// Match is a name, or the beginning of one followed by *.
	Match string `yaml:"match"`
	// Kind is staff, service, recipient, broker or self.
	Kind string `yaml:"kind"`
	// Org is the key of an organisation; "own", the default, is the controller.
	Org string `yaml:"org"`
	// Country is where the principal sits; default its organisation's.
	Country string `yaml:"country"`
	// Label is what officers see: a department or staff number, not a name.
	Label string `yaml:"label"`
	// Subject is the kind of subject that a principal of kind self can be.
	Subject string `yaml:"subject"`
}

// Transfer is a safeguard for an organisation in a country (GDPR Art. 46, LGPD
// Art. 33).
type Transfer struct {
	Organisation string `yaml:"organisation"`
	Country      string `yaml:"country"`
	// Mechanism is adequacy (with its condition met), scc, bcr, code,
	// certification, consent or derogation.
	Mechanism  string `yaml:"mechanism"`
	Instrument string `yaml:"instrument"`
	From       string `yaml:"from"`
	Until      string `yaml:"until"`
	// TIA is the day of the transfer impact assessment.
	TIA string `yaml:"tia"`

	period law.Period
}
