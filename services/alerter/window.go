package alerter

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/control"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/store"
)

const (
	// sqlTime is how a DateTime64(9) parameter is written.
	sqlTime = "2006-01-02 15:04:05.000000000"
	// lookBack covers chunks whose closing became visible after later ones.
	lookBack = time.Minute
	// after is how far past the newest line a burst may still be completed by
	// lines that were there before.
	after = 15 * time.Minute
)

// newHours are the hours of event time into which chunks that closed since a
// time brought entries, those of versions that nobody sees included: looking at an
// hour once more does no harm. History that is ingested late is looked at like this.
const newHours = `SELECT toStartOfHour(event_time) AS hour FROM entries_all
WHERE chunk IN (SELECT id FROM chunks WHERE state = 'closed' AND at >= {since:DateTime64(9, 'UTC')})
GROUP BY hour ORDER BY hour`

// Window runs a windowed control over the time into which entries came since it
// last ran, and handles what it finds. A burst that touches one that was found
// before is the same burst: nothing is raised again.
func (a *Alerter) Window(ctx context.Context, c *control.Control) error {
	since, err := a.deps.Groups.Progress(ctx, c.ID)
	if err != nil {
		return err
	}
	if since.IsZero() {
		since = time.Unix(0, 0)
	}
	now := a.deps.Now().UTC()
	hours, err := a.deps.Store.Select(ctx, newHours, store.Named("since", since.UTC().Format(sqlTime)), store.MaxRows(100_000), store.RowsOnly{})
	if err != nil {
		return fmt.Errorf("failed to run control %s: %w", c.ID, err)
	}
	var found []windowed
	for _, span := range spans(hours) {
		fs, err := a.query(ctx, c, span[0], span[1].Add(after), now)
		if err != nil {
			return err
		}
		found = append(found, fs...)
	}
	if found, err = a.unraised(ctx, found); err != nil {
		return err
	}
	fs := make([]audit.Finding, len(found))
	for i := range found {
		fs[i] = found[i].Finding
	}
	if err := a.Raise(ctx, fs...); err != nil {
		return err
	}
	return a.deps.Groups.Alerts(ctx, func(tx *registers.AlertTx) error {
		for i := range found {
			if _, err := tx.ClaimBurst(found[i].burst()); err != nil {
				return err
			}
		}
		return tx.SetProgress(c.ID, now.Add(-lookBack))
	})
}

// spans joins neighbouring hours.
func spans(hours *store.Result) [][2]time.Time {
	var out [][2]time.Time
	for _, row := range hours.Rows {
		h, ok := row[0].(time.Time)
		if !ok {
			continue
		}
		if n := len(out); n > 0 && !h.After(out[n-1][1]) {
			out[n-1][1] = h.Add(time.Hour)
			continue
		}
		out = append(out, [2]time.Time{h, h.Add(time.Hour)})
	}
	return out
}

func (a *Alerter) query(ctx context.Context, c *control.Control, from, until, now time.Time) ([]windowed, error) {
	res, err := a.deps.Store.Select(ctx, c.Window.SQL, store.Named("from", from.UTC().Format(sqlTime)), store.Named("until", until.UTC().Format(sqlTime)), store.RowsOnly{})
	if err != nil {
		return nil, fmt.Errorf("failed to run control %s: %w", c.ID, err)
	}
	if res.Cut {
		a.deps.Logger.Warn("a windowed control found more than is read at once; the rest is left out", "control", c.ID, "rows", len(res.Rows))
	}
	fs := make([]windowed, 0, len(res.Rows))
	for _, row := range res.Rows {
		r := toRow(res.Columns, row)
		fs = append(fs, windowed{Finding: c.WindowFinding(r, now), key: r.Key + "\x1f" + r.System})
	}
	return fs, nil
}

// windowed is a finding of a windowed control with the key of its burst.
type windowed struct {
	audit.Finding
	key string
}

func (w *windowed) burst() registers.Burst {
	return registers.Burst{Control: w.Control, Key: w.key, FindingID: w.ID, From: w.Time, Until: w.Until}
}

// toRow reads a row by the names of its columns; what Row does not know is a
// fact.
func toRow(cols []store.Column, row []any) control.Row {
	r := control.Row{Facts: map[string]string{}}
	texts := map[string]*string{
		"key": &r.Key, "principal": &r.Principal, "principal_type": &r.PrincipalType, "principal_label": &r.PrincipalLabel,
		"source": &r.Source, "system": &r.System, "entry_id": &r.EntryID,
	}
	for i, col := range cols {
		v := row[i]
		if p := texts[col.Name]; p != nil {
			*p, _ = v.(string)
			continue
		}
		switch col.Name {
		case "count":
			r.Count, _ = v.(uint64)
		case "from":
			r.From, _ = v.(time.Time)
		case "until":
			r.Until, _ = v.(time.Time)
		default:
			r.Facts[col.Name] = fmt.Sprint(v)
		}
	}
	return r
}

// unraised leaves out bursts that touch known ones or one another.
func (a *Alerter) unraised(ctx context.Context, fs []windowed) ([]windowed, error) {
	var out []windowed
	slices.SortStableFunc(fs, func(x, y windowed) int { return x.Time.Compare(y.Time) })
	last := map[string]time.Time{} // by key: where the burst before ended
	err := a.deps.Groups.Alerts(ctx, func(tx *registers.AlertTx) error {
		for i := range fs {
			b := fs[i].burst()
			near, err := tx.NearBurst(b)
			if err != nil {
				return err
			}
			if end, ok := last[b.Key]; !near && (!ok || b.From.After(end)) {
				out = append(out, fs[i])
				last[b.Key] = b.Until
			}
		}
		return nil
	})
	return out, err
}

// Raise stores findings that come from no lines and handles them. Raising one
// again does nothing.
func (a *Alerter) Raise(ctx context.Context, fs ...audit.Finding) error {
	if len(fs) == 0 {
		return nil
	}
	ids := make([]string, len(fs))
	for i := range fs {
		ids[i] = fs[i].ID
	}
	sum := sha256.Sum256([]byte(strings.Join(ids, " ")))
	if err := a.deps.Store.InsertOtherFindings(ctx, hex.EncodeToString(sum[:16]), fs); err != nil {
		return err
	}
	return a.Handle(ctx, fs)
}

// LateLeaf raises GV-03 for chunks that wait for a leaf of the ledger.
func (a *Alerter) LateLeaf(ctx context.Context, chunk string, waiting int, since, now time.Time) error {
	f, err := a.deps.Controls.Raise("GV-03", control.Fault{
		Reason: "leaf-missing", Key: []string{chunk}, Time: since, Until: now, Count: uint64(waiting),
	}, now)
	if err != nil {
		return err
	}
	return a.Raise(ctx, f)
}
