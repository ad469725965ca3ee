package reports

import (
	"context"
	"time"

	"github.com/tallystick/tallystick/internal/text"
)

// Rows are the answer to a query. A value is a string, bool, whole number,
// floating number, time.Time or []string.
type Rows struct {
	Columns []string
	Rows    [][]any
}

// Querier answers a read-only query. Parameters are by name: the store's are
// written {name:Type} in the SQL, the registers' :name. Rows come in the order
// that the query asks for.
type Querier interface {
	Query(ctx context.Context, sql string, params map[string]string) (*Rows, error)
}

// Inputs is all that a report depends on.
type Inputs struct {
	Store     Querier
	Registers Querier
	Map       DataMap
	// Controls are the controls in force, for titles and articles.
	Controls   []Control
	Checkpoint Checkpoint
	Now        time.Time // goes on the report as generated at
	Generator  string    // name and version of the program
	RuleSet    string    // version over controls, policy and data map
	Catalogue  *text.Catalogue
	Language   string // "" means the definition's
	Public     bool   // leave internal sections out
	// Approved names who approved the report; "" is a draft.
	Approved string
}

// Control is what a report says about a control in force.
type Control struct {
	ID       string
	Version  uint16
	Title    string
	Severity string
	Kind     string   // violation or gap
	Articles []string // references of all laws
	Needs    []string // facts that it evaluates, see audit.Entry.Carries
	Windowed bool
}

// DataMap is the part of the data map that reports show.
type DataMap struct {
	Version       string
	Organisation  Organisation
	Systems       []System
	Purposes      []Purpose
	Organisations []Party
	Transfers     []Transfer
	// Resources says which systems have a declared resource.
	Resources []Resource
}

// Organisation is the controller.
type Organisation struct {
	Key, Name, Country, Address string
	DPO, Encarregado            Contact
}

// Contact is a person or office to write to.
type Contact struct{ Name, Email string }

// System is a declared system.
type System struct{ Key, Name, Country, Security string }

// Purpose is a declared purpose: one operation of the record of processing.
type Purpose struct {
	Key          string
	Name         string // in the report's language
	DataUse      string
	GDPR, LGPD   string // legal bases
	Business     string // Cal. Civ. Code 1798.140(e)
	Categories   []string
	SubjectTypes []string
	Retention    string
	From, Until  time.Time
	Reviewed     time.Time
	Source       string
	RIPD, LIA    string
	DPIA         string
}

// Resource is a declared resource.
type Resource struct {
	System     string
	Categories []string
	Purposes   []string
}

// Party is another organisation.
type Party struct {
	Key, Name, Type, Country, Contract string
	ContractUntil                      time.Time
}

// Transfer is a declared transfer.
type Transfer struct {
	Organisation, Country, Mechanism, Instrument string
	From, Until, TIA                             time.Time
}
