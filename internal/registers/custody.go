package registers

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// KeepGrantDocument registers a reader or a request, or its newer signatures,
// and writes the act to the trail, both or neither.
func (d *DB) KeepGrantDocument(ctx context.Context, id, kind, document, actor, reason string) error {
	return d.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO grant_documents (id, kind, document, changed) VALUES (?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET document = excluded.document, changed = excluded.changed`, id, kind, document, millis(d.now()))
		if err != nil {
			return fmt.Errorf("failed to register a %s: %w", kind, err)
		}
		return d.record(ctx, tx, actor, "grant."+kind, kind+" "+id, true, reason)
	})
}

// GrantDocument returns a registered document, or ErrNotFound.
func (d *DB) GrantDocument(ctx context.Context, id, kind string) (document string, err error) {
	err = d.sql.QueryRowContext(ctx, `SELECT document FROM grant_documents WHERE id = ? AND kind = ?`, id, kind).Scan(&document)
	if errors.Is(err, sql.ErrNoRows) {
		return "", ErrNotFound
	}
	if err != nil {
		return "", fmt.Errorf("failed to read the register of grants: %w", err)
	}
	return document, nil
}

// LastCustodyAct is the number of the last act that was read of a custodian, 0
// if there is none.
func (d *DB) LastCustodyAct(ctx context.Context, custodian string) (int64, error) {
	var last int64
	err := d.sql.QueryRowContext(ctx, `SELECT COALESCE(MAX(last), 0) FROM custody WHERE custodian = ?`, custodian).Scan(&last)
	if err != nil {
		return 0, fmt.Errorf("failed to read the register of custodians' acts: %w", err)
	}
	return last, nil
}

// KeepCustodyActs keeps a batch of a custodian's acts, in order, and copies them
// into the trail, all or none.
func (d *DB) KeepCustodyActs(ctx context.Context, custodian string, acts []Act) error {
	if len(acts) == 0 {
		return nil
	}
	b, err := json.Marshal(acts)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(b)
	return d.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO custody (custodian, last, acts, digest, ledgered) VALUES (?, ?, ?, ?, 0)`,
			custodian, acts[len(acts)-1].ID, string(b), hex.EncodeToString(sum[:]))
		if err != nil {
			return fmt.Errorf("failed to keep a custodian's acts: %w", err)
		}
		for _, a := range acts {
			if err := d.record(ctx, tx, "custodian:"+custodian+" "+a.Actor, a.Act, a.Object, a.Allowed, a.Reason); err != nil {
				return err
			}
		}
		return nil
	})
}

// CustodyBatch is a batch of a custodian's acts.
type CustodyBatch struct {
	Custodian string
	Last      int64
	SHA256    string // hexadecimal
}

// UnledgeredCustody returns the batches whose digests the ledger has not taken.
func (d *DB) UnledgeredCustody(ctx context.Context) ([]CustodyBatch, error) {
	rows, err := d.sql.QueryContext(ctx, `SELECT custodian, last, digest FROM custody WHERE ledgered = 0 ORDER BY custodian, last`)
	if err != nil {
		return nil, fmt.Errorf("failed to read the register of custodians' acts: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []CustodyBatch
	for rows.Next() {
		var b CustodyBatch
		if err := rows.Scan(&b.Custodian, &b.Last, &b.SHA256); err != nil {
			return nil, fmt.Errorf("failed to read the register of custodians' acts: %w", err)
		}
		out = append(out, b)
	}
	return out, rows.Err()
}

// LedgerCustody records that the ledger took a batch's digest.
func (d *DB) LedgerCustody(ctx context.Context, custodian string, last int64) error {
	if _, err := d.sql.ExecContext(ctx, `UPDATE custody SET ledgered = 1 WHERE custodian = ? AND last = ?`, custodian, last); err != nil {
		return fmt.Errorf("failed to record the leaf of a custodian's acts: %w", err)
	}
	return nil
}
