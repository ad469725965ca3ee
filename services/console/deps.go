package console

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/tallystick/tallystick/audit/control"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/text"
)

// Deps are what the console reads from and writes to. Store, Registers, Text
// and Log are needed; a part that is nil is shown as not running here.
type Deps struct {
	Log       *slog.Logger
	Text      *text.Catalogue
	Store     Store
	Registers Registers
	Ledger    Ledger
	Sources   Sources
	Reports   Reports
	Erasures  Erasures
	Controls  *control.Set
	Masking   Masking
	Names     Names                       // nil: keys stand for themselves
	Docs      fs.FS                       // Markdown, served at /docs
	Metrics   http.Handler                // answers /metrics
	Ready     func(context.Context) error // nil: ready as soon as it serves
	Now       func() time.Time            // nil: time.Now
}

// ErrBadSchedule is what Reports returns for a schedule with a wrong cron
// expression, zone or span.
var ErrBadSchedule = errors.New("the schedule is not valid")

// Names gives keys of the data map their names, or the keys themselves.
type Names interface {
	System(key string) string
	Organisation(key string) string
}

// Store reads the record.
type Store interface {
	// Select runs one read-only query. The arguments are store.Named values of
	// type string or int64 that fill {name:Type} in the query, and store.MaxRows.
	Select(ctx context.Context, query string, args ...any) (*store.Result, error)
}

// Registers are the accounts, the trail, the approvals, the suppressions and the holds;
// *registers.DB is them.
type Registers interface {
	Accounts
	SignIns
	Trail
	Approvals
	Suppressions
	Alerts
	Holds
}

// Accounts keeps the users.
type Accounts interface {
	AddUser(ctx context.Context, name, password string, roles ...registers.Role) error
	ResetPassword(ctx context.Context, name, password string) error
	SetDisabled(ctx context.Context, name string, disabled bool) error
	SetRoles(ctx context.Context, name string, roles ...registers.Role) error
	Users(ctx context.Context) ([]registers.User, error)
}

// SignIns checks passwords and keeps sessions and the link to the first account.
type SignIns interface {
	CheckPassword(ctx context.Context, name, password string) (registers.User, error)
	CreateSession(ctx context.Context, user string, life time.Duration) (string, error)
	SessionUser(ctx context.Context, token string) (registers.User, error)
	EndSession(ctx context.Context, token string) error
	SignInLinkValid(ctx context.Context, token string) error
	FirstUser(ctx context.Context, token, name, password string, roles ...registers.Role) error
}

// Trail keeps the operators' own acts. Record must be durable when it returns.
type Trail interface {
	Record(ctx context.Context, actor, act, object string, allowed bool, reason string) error
	Acts(ctx context.Context, limit int) ([]registers.Act, error)
}

// Approvals keeps the requests that a second person decides on.
type Approvals interface {
	Approvals(ctx context.Context, limit int) ([]registers.Approval, error)
	DecideApproval(ctx context.Context, id int64, by registers.User, approve bool) error
}

// Suppressions keeps what is known and accepted for a time.
type Suppressions interface {
	Suppressions(ctx context.Context) ([]registers.Suppression, error)
	Suppress(ctx context.Context, s registers.Suppression) (int64, error)
	EndSuppression(ctx context.Context, id int64, by string) error
}

// Alerts are what people were told of, and how the notices got there.
type Alerts interface {
	AlertGroups(ctx context.Context, limit int) ([]*registers.AlertGroup, error)
	Deliveries(ctx context.Context, limit int) ([]registers.OutboxMessage, error)
	DisabledReceivers(ctx context.Context) (map[string]time.Time, error)
}

// LedgerState says how far the record is committed to.
type LedgerState struct {
	Leaves    uint64    // leaves in the log
	Root      string    // root of the newest checkpoint
	Signed    time.Time // when it was signed; zero if none is
	Witnesses int       // how many others keep a checkpoint; 0: unwitnessed
	Waiting   int       // closed chunks without a leaf
}

// Ledger says how far the record is committed to.
type Ledger interface {
	State(ctx context.Context) (LedgerState, error)
}

// SourceState is one source of lines as it stands now. Whoever implements
// Sources fills name, format, system and, if known, silent.
type SourceState struct {
	Name     string        `json:"name"`
	Format   string        `json:"format"`
	System   string        `json:"system"`
	Silent   bool          `json:"silent"`    // no line for longer than expected
	LastLine time.Time     `json:"last_line"` // receipt of the newest line; zero if none
	Behind   time.Duration `json:"behind"`    // from the newest line's own time to its receipt
}

// SourceHour is what arrived of one source for one hour of its log.
type SourceHour struct {
	Source   string    `json:"source"`
	Hour     time.Time `json:"hour"`
	Received uint64    `json:"received"` // lines that became entries or rejections
	Entries  uint64    `json:"entries"`
	Rejected uint64    `json:"rejected"`
	Missing  uint64    `json:"missing"` // lines that the tap's numbering shows to be missing
}

// Sources knows the configured sources.
type Sources interface {
	Sources(ctx context.Context) ([]SourceState, error)
}

// ReportKind is one kind of report, in one language.
type ReportKind struct {
	Kind      string   `json:"kind"` // for example gdpr-accountability
	Title     string   `json:"title"`
	Law       string   `json:"law"`
	Languages []string `json:"languages"`
	Formats   []string `json:"formats"`
}

// ReportOrder is what to render.
type ReportOrder struct {
	Kind     string    `json:"kind"`
	Language string    `json:"language"`
	From     time.Time `json:"from"`
	Until    time.Time `json:"until"`
	By       string    `json:"by"` // user name
}

// ReportRun is one rendering of a report.
type ReportRun struct {
	ID       string         `json:"id"`
	Kind     string         `json:"kind"`
	Title    string         `json:"title"`
	Language string         `json:"language"`
	From     time.Time      `json:"from"`
	Until    time.Time      `json:"until"`
	At       time.Time      `json:"at"`
	By       string         `json:"by"`
	State    string         `json:"state"`             // waiting, running, done or failed
	Problem  string         `json:"problem,omitempty"` // of a failed run
	Formats  []string       `json:"formats"`
	Digest   string         `json:"digest"` // SHA-256 of the JSON form
	Numbers  []ReportNumber `json:"numbers,omitempty"`
}

// ReportNumber is one number of a run and where it comes from.
type ReportNumber struct {
	ID       string `json:"id"`
	Label    string `json:"label"`
	Value    string `json:"value"`    // formatted
	Sentence string `json:"sentence"` // 412 = entries with ...
	SQL      string `json:"sql"`
	Store    bool   `json:"store"` // SQL is over the record, not over the registers
}

// ReportSchedule renders a report by the clock.
type ReportSchedule struct {
	ID       string    `json:"id"`
	Kind     string    `json:"kind"`
	Title    string    `json:"title"`
	Language string    `json:"language"`
	Cron     string    `json:"cron"`
	Zone     string    `json:"zone"`
	Span     string    `json:"span"` // day, week, month, quarter or year before the run
	Next     time.Time `json:"next"` // zero: never
	By       string    `json:"by"`
	Fixed    bool      `json:"fixed"` // of the configuration: it cannot be removed here
}

// ReportFile is one rendered file. The console closes Body.
type ReportFile struct {
	Name        string
	ContentType string
	Body        io.ReadCloser
}

// Reports renders reports. Errors that a person can mend are *text.Hint.
type Reports interface {
	ReportRuns
	ReportSchedules
}

// ReportRuns renders and keeps runs.
type ReportRuns interface {
	Kinds(lang string) []ReportKind
	// Order begins a report and returns the run's id; the report is made beside.
	Order(ctx context.Context, o ReportOrder) (string, error)
	Runs(ctx context.Context, limit int) ([]ReportRun, error)
	// Run returns one run with its numbers, or registers.ErrNotFound.
	Run(ctx context.Context, id string) (ReportRun, error)
	File(ctx context.Context, id, format string) (ReportFile, error)
	// Rows runs a number's query again.
	Rows(ctx context.Context, id, number string) (*store.Result, error)
}

// ReportSchedules keeps the schedules.
type ReportSchedules interface {
	Schedules(ctx context.Context) ([]ReportSchedule, error)
	// CheckSchedule returns an ErrBadSchedule if AddSchedule would.
	CheckSchedule(s ReportSchedule) error
	AddSchedule(ctx context.Context, s ReportSchedule) error
	RemoveSchedule(ctx context.Context, id string) error
}

func (d *Deps) fill() {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Docs == nil {
		d.Docs = emptyFS{}
	}
	if d.Names == nil {
		d.Names = keyNames{}
	}
	if d.Ready == nil {
		d.Ready = func(context.Context) error { return nil }
	}
}

// keyNames lets keys stand for themselves.
type keyNames struct{}

func (keyNames) System(key string) string       { return key }
func (keyNames) Organisation(key string) string { return key }
