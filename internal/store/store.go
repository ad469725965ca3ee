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
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/private"
	"github.com/tallystick/tallystick/internal/text"
)

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
	conn   driver.Conn // writes
	reads  driver.Conn // reads, and can't write
	layout layout
	log    *slog.Logger
	now    func() time.Time

	entries    *table[audit.Entry]
	rejections *table[rejection]
	findings   *table[finding]
	chunks     *table[chunk]
	leafed     *table[chunk] // of chunks, what a leaf is made of
	leaves     *table[leaf]
	complete   *table[Completeness]
	ranges     *table[streamRange]
	marks      *table[Mark]
	capsules   *table[capsule]
	originals  *table[original]
	links      *table[link]
}

// base are the settings of every statement. The query log would keep literals,
// and numbers in it name nobody: it stays off.
func base() clickhouse.Settings {
	return clickhouse.Settings{"log_queries": 0, "session_timezone": "UTC"}
}

// Open connects, creates the database if it is missing and brings it to the
// newest migration. The caller closes the store.
func Open(ctx context.Context, cfg Config, deps Deps) (_ *Store, err error) {
	if cfg, err = cfg.withDefaults(); err != nil {
		return nil, fmt.Errorf("failed to open the store: %w", err)
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	s := &Store{
		layout: cfg.layout(), log: deps.Log, now: deps.Now,
		entries: entriesTable(), rejections: rejectionsTable(), findings: findingsTable(),
		chunks: chunksTable(), leafed: leafedTable(), leaves: leavesTable(), complete: completenessTable(),
		ranges: streamRangesTable(), marks: marksTable(),
		capsules: capsulesTable(), originals: originalsTable(), links: linksTable(),
	}
	if err := s.connect(ctx, cfg, deps); err != nil {
		return nil, err
	}
	if err := s.prepare(ctx, migrations()); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// connect opens the connections of the writer and the reader. What a connection
// says of each statement holds beside what the statement says of itself.
func (s *Store) connect(ctx context.Context, cfg Config, deps Deps) error {
	write, err := options(cfg, deps, UserConfig{cfg.User, cfg.PasswordFile})
	if err != nil {
		return err
	}
	reader := cfg.Reader
	if reader.User == "" {
		reader = UserConfig{cfg.User, cfg.PasswordFile}
	}
	read, err := options(cfg, deps, reader)
	if err != nil {
		return err
	}
	maps.Copy(write.Settings, s.layout.settings())
	maps.Copy(write.Settings, writeSettings())
	maps.Copy(read.Settings, s.layout.settings())
	maps.Copy(read.Settings, readLimits())
	if err := createDatabase(ctx, *write, s.layout); err != nil {
		return unreachable(cfg, err)
	}
	if s.conn, err = clickhouse.Open(write); err != nil {
		return unreachable(cfg, err)
	}
	if s.reads, err = clickhouse.Open(read); err != nil {
		_ = s.conn.Close()
		return unreachable(cfg, err)
	}
	return nil
}

// writeSettings are the settings of every statement that writes. ClickHouse 26
// gathers inserts by default, forgets them in a crash and takes their tokens for
// nothing.
func writeSettings() clickhouse.Settings {
	return clickhouse.Settings{"async_insert": 0, "wait_for_async_insert": 1, "async_insert_deduplicate": 1}
}

// readLimits are the settings of every statement that reads: it changes nothing
// but settings, and ends. The longest are those of verify, over 200,000 rows.
func readLimits() clickhouse.Settings {
	return clickhouse.Settings{"readonly": 2, "max_execution_time": 600}
}

func options(cfg Config, deps Deps, user UserConfig) (*clickhouse.Options, error) {
	o := &clickhouse.Options{
		Protocol: clickhouse.HTTP,
		Addr:     []string{"embedded:8123"},
		Auth:     clickhouse.Auth{Database: cfg.Database, Username: user.User},
		Settings: base(),
		// Each waiting caller has a connection of the driver's pool; the engine
		// or server bounds what runs at once.
		MaxOpenConns: 64, MaxIdleConns: 16,
		DialTimeout: 10 * time.Second, ReadTimeout: 5 * time.Minute, ConnMaxLifetime: time.Hour,
	}
	if user.PasswordFile != "" {
		b, err := private.Read("clickhouse.password_file", user.PasswordFile)
		if err != nil {
			return nil, err
		}
		o.Auth.Password = strings.TrimRight(string(b), "\r\n") // may be empty
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

// createDatabase makes the database, unless it is there: then the user needs no
// right to make one.
func createDatabase(ctx context.Context, o clickhouse.Options, l layout) error {
	o.Auth.Database = ""
	conn, err := clickhouse.Open(&o)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	var there uint8
	if err := conn.QueryRow(ctx, "EXISTS DATABASE "+l.database).Scan(&there); err != nil || there == 1 {
		return err
	}
	return conn.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+l.database+l.on())
}

func unreachable(cfg Config, err error) error {
	hint := "check that the data folder can be written"
	if cfg.Address != "" {
		hint = "check that the server runs and that address, user, reader and their passwords under clickhouse are right"
	}
	return &text.Hint{Err: fmt.Errorf("failed to open the store: %w", err), Hint: hint}
}

// Close closes the connections. The embedded engine is closed by who opened it.
func (s *Store) Close() error { return errors.Join(s.conn.Close(), s.reads.Close()) }

// Ping asks whether ClickHouse answers.
func (s *Store) Ping(ctx context.Context) error {
	for _, c := range []driver.Conn{s.conn, s.reads} {
		if err := c.Ping(ctx); err != nil {
			return fmt.Errorf("the store does not answer: %w", err)
		}
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
