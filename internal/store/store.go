// Package store keeps the record in ClickHouse: entries, rejections, findings,
// chunks and the leaves that the ledger gave them. It is the only importer of
// clickhouse-go, and speaks HTTP to a server and to the embedded engine alike.
//
// Every insert carries a token made of chunk, version and table, so that the
// same chunk inserted again counts once, rollups included. The package decides
// nothing about chunks: the auditor says when one opens and closes. Entries are
// masked before they come here.
package store

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/text"
)

// Config says where ClickHouse is. The zero value, with Deps.Transport set,
// means the embedded one.
type Config struct {
	// Address is the URL of ClickHouse's HTTP interface:
	// https://clickhouse.example:8443. Empty: Deps.Transport must be set.
	Address string `yaml:"address,omitempty"`
	// Database is created if it is missing. Default tallystick.
	Database string `yaml:"database,omitempty"`
	// User and PasswordFile are the user's name and the path of a file with the
	// password. Optional.
	User         string `yaml:"user,omitempty"`
	PasswordFile string `yaml:"password_file,omitempty"`
}

// Deps are what a Store needs.
type Deps struct {
	// Transport replaces the network: the embedded engine. Optional when
	// Config.Address is set.
	Transport http.RoundTripper
	// Log gets migrations and repeated inserts. Optional.
	Log *slog.Logger
	// Now is the clock of what the store itself dates. Optional.
	Now func() time.Time
}

// Store is an open store. It is safe for use by several goroutines.
type Store struct {
	conn driver.Conn
	log  *slog.Logger
	now  func() time.Time

	entries    *table[audit.Entry]
	rejections *table[rejection]
	findings   *table[finding]
	chunks     *table[chunk]
	leaves     *table[leaf]
	complete   *table[Completeness]
	ranges     *table[streamRange]
	marks      *table[Mark]
	capsules   *table[capsule]
	originals  *table[original]
	links      *table[audit.Link]
}

// base are the settings of every statement. The query log would keep literals,
// and numbers in it name nobody: it stays off.
func base() clickhouse.Settings {
	return clickhouse.Settings{"log_queries": 0, "session_timezone": "UTC"}
}

var databasePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Open connects, creates the database if it is missing and brings it to the
// newest migration. The caller closes the store.
func Open(ctx context.Context, cfg Config, deps Deps) (*Store, error) {
	if cfg.Database == "" {
		cfg.Database = "tallystick"
	}
	if !databasePattern.MatchString(cfg.Database) {
		return nil, fmt.Errorf("failed to open the store: %q is not a name of letters, digits and _ for a database", cfg.Database)
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	opts, err := options(cfg, deps)
	if err != nil {
		return nil, err
	}
	if err := createDatabase(ctx, *opts, cfg.Database); err != nil {
		return nil, unreachable(cfg, err)
	}
	conn, err := clickhouse.Open(opts)
	if err != nil {
		return nil, unreachable(cfg, err)
	}
	s := &Store{
		conn: conn, log: deps.Log, now: deps.Now,
		entries: entriesTable(), rejections: rejectionsTable(), findings: findingsTable(),
		chunks: chunksTable(), leaves: leavesTable(), complete: completenessTable(),
		ranges: streamRangesTable(), marks: marksTable(),
		capsules: capsulesTable(), originals: originalsTable(), links: linksTable(),
	}
	if err := s.migrate(ctx, migrations()); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return s, nil
}

func options(cfg Config, deps Deps) (*clickhouse.Options, error) {
	o := &clickhouse.Options{
		Protocol: clickhouse.HTTP,
		Addr:     []string{"embedded:8123"},
		Auth:     clickhouse.Auth{Database: cfg.Database, Username: cfg.User},
		Settings: base(),
		// Each waiting caller has a connection of the driver's pool; the engine
		// or server bounds what runs at once.
		MaxOpenConns: 64, MaxIdleConns: 16,
		DialTimeout: 10 * time.Second, ReadTimeout: 5 * time.Minute, ConnMaxLifetime: time.Hour,
	}
	if cfg.PasswordFile != "" {
		b, err := os.ReadFile(cfg.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("clickhouse.password_file: %w", err)
		}
		o.Auth.Password = strings.TrimRight(string(b), "\r\n")
	}
	if deps.Transport != nil {
		o.TransportFunc = func(*http.Transport) (http.RoundTripper, error) { return helloTransport{deps.Transport}, nil }
		return o, nil
	}
	o.TransportFunc = func(rt *http.Transport) (http.RoundTripper, error) { return helloTransport{rt}, nil }
	u, err := url.Parse(cfg.Address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, &text.Hint{
			Err:  errors.New("clickhouse.address: not the URL of ClickHouse's HTTP interface"),
			Hint: "write it like https://clickhouse.example:8443",
		}
	}
	o.Addr, o.HttpUrlPath = []string{u.Host}, u.Path
	if u.Scheme == "https" {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: u.Hostname()}
	}
	return o, nil
}

func createDatabase(ctx context.Context, o clickhouse.Options, name string) error {
	o.Auth.Database = ""
	conn, err := clickhouse.Open(&o)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	return conn.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+name)
}

func unreachable(cfg Config, err error) error {
	hint := "check that the data folder can be written"
	if cfg.Address != "" {
		hint = "check that the server runs and that address, user and password_file under store are right"
	}
	return &text.Hint{Err: fmt.Errorf("failed to open the store: %w", err), Hint: hint}
}

// Close closes the connections. The embedded engine is closed by who opened it.
func (s *Store) Close() error { return s.conn.Close() }

// Ping asks whether ClickHouse answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.conn.Ping(ctx); err != nil {
		return fmt.Errorf("the store does not answer: %w", err)
	}
	return nil
}

// Code returns the number of a ClickHouse exception in err's chain, 0 if there
// is none.
func Code(err error) int32 {
	var ex *clickhouse.Exception
	if errors.As(err, &ex) {
		return ex.Code
	}
	return 0
}
