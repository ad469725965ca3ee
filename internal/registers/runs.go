package registers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// ReportRun is one rendering of a report, asked for or by schedule.
type ReportRun struct {
	ID, Kind, Language string
	From, Until        time.Time
	Zone               string
	Public             bool
	AskedBy            string // user, os:NAME or schedule:ID
	State              string // running, done or failed
	Problem            string // of a failed run; no personal value
	Started, Finished  time.Time
	// Coverage is the share of lines received and read, -1 if none came.
	Coverage       float64
	CheckpointSize uint64
	CheckpointRoot string // hexadecimal
	Files          []ReportFile
}

// ReportFile is one file of a run.
type ReportFile struct {
	Name, Format string
	SHA256       string // hexadecimal
	Bytes        int64
	Ledgered     bool // the ledger has taken the digest
}

// StartRun records a run before its work begins.
func (d *DB) StartRun(ctx context.Context, r ReportRun) error {
	public := 0
	if r.Public {
		public = 1
	}
	_, err := d.sql.ExecContext(ctx, `INSERT INTO report_runs (id, kind, language, from_at, until_at, zone, public, asked_by, state, problem, started, finished, coverage_ppm, checkpoint_size, checkpoint_root)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'running', '', ?, 0, -1, 0, '')`,
		r.ID, r.Kind, r.Language, millis(r.From), millis(r.Until), r.Zone, public, r.AskedBy, millis(d.now()))
	if err != nil {
		return fmt.Errorf("failed to record the report run: %w", err)
	}
	return nil
}

// FinishRun records what a run made.
func (d *DB) FinishRun(ctx context.Context, r ReportRun) error {
	ppm := int64(-1)
	if r.Coverage >= 0 {
		ppm = int64(r.Coverage * 1e6)
	}
	err := d.tx(ctx, func(tx *sql.Tx) error {
		for _, f := range r.Files {
			if _, err := tx.ExecContext(ctx, `INSERT INTO report_files (run, name, format, sha256, bytes, ledgered) VALUES (?, ?, ?, ?, ?, 0)`, r.ID, f.Name, f.Format, f.SHA256, f.Bytes); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `UPDATE report_runs SET state = 'done', finished = ?, language = ?, coverage_ppm = ?, checkpoint_size = ?, checkpoint_root = ? WHERE id = ?`,
			millis(d.now()), r.Language, ppm, int64(r.CheckpointSize), r.CheckpointRoot, r.ID)
		return err
	})
	if err != nil {
		return fmt.Errorf("failed to record the report run: %w", err)
	}
	return nil
}

// FailRun records why a run failed.
func (d *DB) FailRun(ctx context.Context, id, problem string) error {
	_, err := d.sql.ExecContext(ctx, `UPDATE report_runs SET state = 'failed', problem = ?, finished = ? WHERE id = ?`, problem, millis(d.now()), id)
	if err != nil {
		return fmt.Errorf("failed to record the report run: %w", err)
	}
	return nil
}

// FailUnfinishedRuns marks the runs that a stop left running.
func (d *DB) FailUnfinishedRuns(ctx context.Context) error {
	_, err := d.sql.ExecContext(ctx, `UPDATE report_runs SET state = 'failed', problem = 'interrupted', finished = ? WHERE state = 'running'`, millis(d.now()))
	if err != nil {
		return fmt.Errorf("failed to record the report run: %w", err)
	}
	return nil
}

// LedgerFile records that the ledger has taken a file's digest.
func (d *DB) LedgerFile(ctx context.Context, run, name string) error {
	_, err := d.sql.ExecContext(ctx, `UPDATE report_files SET ledgered = 1 WHERE run = ? AND name = ?`, run, name)
	if err != nil {
		return fmt.Errorf("failed to record a report file: %w", err)
	}
	return nil
}

// Runs returns the newest runs with their files, newest first.
func (d *DB) Runs(ctx context.Context, limit int) ([]ReportRun, error) {
	return d.runs(ctx, `ORDER BY started DESC, id DESC LIMIT ?`, limit)
}

// Run returns one run with its files, or ErrNotFound.
func (d *DB) Run(ctx context.Context, id string) (ReportRun, error) {
	rs, err := d.runs(ctx, `WHERE id = ?`, id)
	if err == nil && len(rs) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return ReportRun{}, err
	}
	return rs[0], nil
}

// UnledgeredRuns returns the done runs with files whose digest the ledger has not taken.
func (d *DB) UnledgeredRuns(ctx context.Context) ([]ReportRun, error) {
	return d.runs(ctx, `WHERE state = 'done' AND id IN (SELECT run FROM report_files WHERE ledgered = 0) ORDER BY started, id`)
}

func (d *DB) runs(ctx context.Context, rest string, args ...any) ([]ReportRun, error) {
	rows, err := d.sql.QueryContext(ctx, `SELECT id, kind, language, from_at, until_at, zone, public, asked_by, state, problem, started, finished, coverage_ppm, checkpoint_size, checkpoint_root FROM report_runs `+rest, args...)
	if err != nil {
		return nil, fmt.Errorf("failed to read the report runs: %w", err)
	}
	out, err := scanRuns(rows)
	if err != nil {
		return nil, fmt.Errorf("failed to read the report runs: %w", err)
	}
	for i := range out {
		if out[i].Files, err = d.runFiles(ctx, out[i].ID); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func scanRuns(rows *sql.Rows) (out []ReportRun, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var r ReportRun
		var from, until, public, started, finished, ppm, size int64
		if err := rows.Scan(&r.ID, &r.Kind, &r.Language, &from, &until, &r.Zone, &public, &r.AskedBy, &r.State, &r.Problem, &started, &finished, &ppm, &size, &r.CheckpointRoot); err != nil {
			return nil, err
		}
		r.From, r.Until, r.Public = fromMillis(from), fromMillis(until), public == 1
		r.Started, r.Finished = fromMillis(started), fromMillis(finished)
		r.Coverage, r.CheckpointSize = -1, uint64(size)
		if ppm >= 0 {
			r.Coverage = float64(ppm) / 1e6
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

func (d *DB) runFiles(ctx context.Context, run string) ([]ReportFile, error) {
	rows, err := d.sql.QueryContext(ctx, `SELECT name, format, sha256, bytes, ledgered FROM report_files WHERE run = ? ORDER BY name`, run)
	if err != nil {
		return nil, fmt.Errorf("failed to read the report files: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []ReportFile
	for rows.Next() {
		var f ReportFile
		var ledgered int64
		if err := rows.Scan(&f.Name, &f.Format, &f.SHA256, &f.Bytes, &ledgered); err != nil {
			return nil, fmt.Errorf("failed to read the report files: %w", err)
		}
		f.Ledgered = ledgered == 1
		out = append(out, f)
	}
	return out, rows.Err()
}
