package registers

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// KindErasure is the kind of approvals of erasures.
const KindErasure = "erasure"

// Erasure is the erasing of a person, as a request asked for it.
type Erasure struct {
	ID          string // random; the ledger has it
	Request     string // id in the register of requests
	Approval    int64
	RequestedBy string
	RequestedAt time.Time
	Marks       []string // tombstones to be, keyed; empty once done or refused
	Begun       time.Time
	Done        time.Time
	Refused     time.Time
	Answer      string // JSON of counts and dates
	// Decision and DecidedBy are those of the approval.
	Decision, DecidedBy string
}

// Open reports whether the erasure is neither done nor refused.
func (e *Erasure) Open() bool { return e.Done.IsZero() && e.Refused.IsZero() }

// ErrErasureOpen says that a request has an erasure that is not done yet.
var ErrErasureOpen = errors.New("an erasure of this request is under way already")

// RequestErasure records an erasure together with the approval that it waits
// for, and returns the approval's number.
func (d *DB) RequestErasure(ctx context.Context, e Erasure) (int64, error) {
	marks, err := json.Marshal(e.Marks)
	if err != nil {
		return 0, err
	}
	a := Approval{Kind: KindErasure, Object: e.Request, Payload: "{}", Role: RoleKeyOfficer, RequestedBy: e.RequestedBy}
	err = d.tx(ctx, func(tx *sql.Tx) error {
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM erasures WHERE request = ? AND done = 0 AND refused = 0`, e.Request).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			return ErrErasureOpen
		}
		if err := d.requestApproval(ctx, tx, &a); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO erasures (id, request, approval, requested_by, requested_at, marks, begun, done, refused, answer)
			VALUES (?, ?, ?, ?, ?, ?, 0, 0, 0, ?)`, e.ID, e.Request, a.ID, e.RequestedBy, millis(d.now()), string(marks), e.Answer)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("failed to request an erasure: %w", err)
	}
	return a.ID, nil
}

const selectErasure = `SELECT e.id, e.request, e.approval, e.requested_by, e.requested_at, e.marks, e.begun, e.done, e.refused, e.answer, a.decision, a.decided_by
	FROM erasures e JOIN approvals a ON a.id = e.approval `

// ErasureOf returns the newest erasure of a request, or ErrNotFound.
func (d *DB) ErasureOf(ctx context.Context, request string) (Erasure, error) {
	list, err := d.erasures(ctx, `WHERE e.request = ? ORDER BY e.requested_at DESC, e.approval DESC LIMIT 1`, request)
	if err == nil && len(list) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Erasure{}, err
	}
	return list[0], nil
}

// OpenErasures are those neither done nor refused, oldest first.
func (d *DB) OpenErasures(ctx context.Context) ([]Erasure, error) {
	return d.erasures(ctx, `WHERE e.done = 0 AND e.refused = 0 ORDER BY e.requested_at, e.approval`)
}

// DoneErasures are those that are done, oldest first.
func (d *DB) DoneErasures(ctx context.Context) ([]Erasure, error) {
	return d.erasures(ctx, `WHERE e.done > 0 ORDER BY e.done, e.approval`)
}

// KnownErasures are the ids of all erasures that were ever begun.
func (d *DB) KnownErasures(ctx context.Context) (map[string]bool, error) {
	list, err := d.erasures(ctx, `WHERE e.begun > 0`)
	out := make(map[string]bool, len(list))
	for i := range list {
		out[list[i].ID] = true
	}
	return out, err
}

func (d *DB) erasures(ctx context.Context, rest string, args ...any) ([]Erasure, error) {
	rows, err := d.sql.QueryContext(ctx, selectErasure+rest, args...)
	if err != nil {
		return nil, fmt.Errorf("failed to read the erasures: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []Erasure
	for rows.Next() {
		var e Erasure
		var requested, begun, done, refused int64
		var marks string
		if err := rows.Scan(&e.ID, &e.Request, &e.Approval, &e.RequestedBy, &requested, &marks, &begun, &done, &refused, &e.Answer, &e.Decision, &e.DecidedBy); err != nil {
			return nil, fmt.Errorf("failed to read the erasures: %w", err)
		}
		if marks != "" {
			if err := json.Unmarshal([]byte(marks), &e.Marks); err != nil {
				return nil, fmt.Errorf("failed to read the erasures: %w", err)
			}
		}
		e.RequestedAt, e.Begun, e.Done, e.Refused = fromMillis(requested), fromMillis(begun), fromMillis(done), fromMillis(refused)
		out = append(out, e)
	}
	return out, rows.Err()
}

// BeginErasure puts an approved erasure in force: its tombstones, the leaf of
// the act, and what was found. It must have been approved by a second person.
// Beginning again changes nothing.
func (d *DB) BeginErasure(ctx context.Context, e Erasure, at time.Time, through uint16, leaf []byte, answer string) error {
	err := d.tx(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, `UPDATE erasures SET begun = ?, answer = ? WHERE id = ? AND begun = 0 AND refused = 0
			AND approval IN (SELECT id FROM approvals WHERE kind = ? AND decision = ?)`, millis(at), answer, e.ID, KindErasure, Approved)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return err
		}
		for _, m := range e.Marks {
			if _, err := tx.ExecContext(ctx, `INSERT INTO tombstones (mark, at, through) VALUES (?, ?, ?)
				ON CONFLICT (mark) DO UPDATE SET at = CASE WHEN excluded.at > at THEN excluded.at ELSE at END,
				through = CASE WHEN excluded.through > through THEN excluded.through ELSE through END`, m, millis(at)/dayMillis*dayMillis, through); err != nil {
				return err
			}
		}
		return addErasureLeaf(ctx, tx, ErasureLeaf{Erasure: e.ID, Leaf: leaf})
	})
	if err != nil {
		return fmt.Errorf("failed to begin an erasure: %w", err)
	}
	return nil
}

// SetErasureAnswer records how far an erasure is that began and is not done.
func (d *DB) SetErasureAnswer(ctx context.Context, id, answer string) error {
	if _, err := d.sql.ExecContext(ctx, `UPDATE erasures SET answer = ? WHERE id = ? AND begun > 0 AND done = 0`, answer, id); err != nil {
		return fmt.Errorf("failed to record how far an erasure is: %w", err)
	}
	return nil
}

// FinishErasure records the answer. What tied the request to the person goes.
func (d *DB) FinishErasure(ctx context.Context, id, answer string) error {
	return d.closeErasure(ctx, `UPDATE erasures SET done = ?, answer = ?, marks = '' WHERE id = ? AND done = 0`, millis(d.now()), answer, id)
}

// RefuseErasure closes an erasure that was not approved.
func (d *DB) RefuseErasure(ctx context.Context, id string) error {
	return d.closeErasure(ctx, `UPDATE erasures SET refused = ?, marks = '' WHERE id = ? AND begun = 0`, millis(d.now()), id)
}

// closeErasure also empties the write-ahead log, which has the marks.
func (d *DB) closeErasure(ctx context.Context, query string, args ...any) error {
	if _, err := d.sql.ExecContext(ctx, query, args...); err != nil {
		return fmt.Errorf("failed to close an erasure: %w", err)
	}
	// A busy reader may hold it back: then a later one or closing empties it.
	if _, err := d.sql.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
		return fmt.Errorf("failed to empty the log of a closed erasure: %w", err)
	}
	return nil
}

// dayMillis is a day in milliseconds. Tombstones have the day of the erasure
// alone: by its moment, which the erasure has, they would be those of a request.
const dayMillis = 24 * 3600 * 1000

// Tombstone is a keyed mark of a person who was erased.
type Tombstone struct {
	Mark    string
	Day     uint16 // of the erasure, days since 1970-01-01
	Through uint16 // last day without links
}

// Tombstones are those of all who were erased.
func (d *DB) Tombstones(ctx context.Context) ([]Tombstone, error) {
	rows, err := d.sql.QueryContext(ctx, `SELECT mark, at, through FROM tombstones`)
	if err != nil {
		return nil, fmt.Errorf("failed to read the tombstones: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []Tombstone
	for rows.Next() {
		var t Tombstone
		var at int64
		if err := rows.Scan(&t.Mark, &at, &t.Through); err != nil {
			return nil, fmt.Errorf("failed to read the tombstones: %w", err)
		}
		t.Day = uint16(at / dayMillis)
		out = append(out, t)
	}
	return out, rows.Err()
}

// Request returns a request of the register, or ErrNotFound.
func (d *DB) Request(ctx context.Context, id string) (Request, error) {
	var q Request
	err := d.sql.QueryRowContext(ctx, `SELECT id, law, type, received_day, manner, verification, acknowledged_day, extended_day, responded_day, outcome, denial_reason FROM requests WHERE id = ?`, id).
		Scan(&q.ID, &q.Law, &q.Type, &q.Received, &q.Manner, &q.Verification, &q.Acknowledged, &q.Extended, &q.Responded, &q.Outcome, &q.DenialReason)
	if errors.Is(err, sql.ErrNoRows) {
		return q, ErrNotFound
	}
	if err != nil {
		return q, fmt.Errorf("failed to read the register of requests: %w", err)
	}
	return q, nil
}

// EraseRun takes the files of a report run out of the register.
func (d *DB) EraseRun(ctx context.Context, id string) error {
	err := d.tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM report_files WHERE run = ?`, id); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE report_runs SET state = 'erased' WHERE id = ?`, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("failed to record that a report was erased: %w", err)
	}
	return nil
}
