//go:build faults && linux

package faults_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/alert"
	"github.com/tallystick/tallystick/internal/registers"
)

// stall is how long the record may stand still before that is a failure.
const stall = 90 * time.Second

// ask runs tallystick to its end.
func (e *episode) ask(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), stall)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary(e.t), args...)
	cmd.Dir, cmd.Env = e.dir, e.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("tallystick %s: %w: %s", args[0], err, out)
	}
	return string(out), nil
}

// count is the one number that a statement answers.
func (e *episode) count(sql string) (int, error) {
	out, err := e.ask("sql", "--format", "csv", sql)
	if err != nil {
		return 0, err
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return strconv.Atoi(lines[len(lines)-1])
}

// settle waits until a statement answers n.
func (e *episode) settle(n int, sql string) {
	e.t.Helper()
	last, failed := -1, error(nil)
	for deadline := time.Now().Add(stall); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		got, err := e.count(sql)
		switch {
		case err != nil:
			failed = err
		case got == n:
			return
		case got != last:
			last, deadline = got, time.Now().Add(stall)
		}
	}
	e.t.Fatalf("%s: stands at %d, want %d (%v)", sql, last, n, failed)
}

// check asks, once all lines have had time to arrive, whether each is there once.
func (e *episode) check() {
	e.settle(e.written, "SELECT count() FROM entries")
	e.settle(0, "SELECT toInt64(uniqExact(id)) - toInt64(uniqExactIf(id, state = 'closed')) FROM chunks WHERE (partition, from) NOT IN (SELECT partition, from FROM chunks WHERE state = 'closed')")
	for what, sql := range map[string]string{
		"entries beside the view":   fmt.Sprintf("SELECT toInt64(count()) - %d FROM entries_all", e.written),
		"entries twice":             "SELECT toInt64(count()) - toInt64(uniqExact(event_id)) FROM entries",
		"rejections":                "SELECT count() FROM rejections",
		"lines missing":             "SELECT toInt64(sum(missing)) FROM completeness",
		"lines counted wrongly":     fmt.Sprintf("SELECT toInt64(sum(received)) - %d FROM completeness", e.written),
		"hourly counts off":         fmt.Sprintf("SELECT toInt64(sum(entries)) - %d FROM entries_hourly", e.written),
		"hours off":                 "SELECT count() FROM (SELECT hour, sum(entries) AS n FROM entries_hourly GROUP BY hour) AS r FULL JOIN (SELECT toStartOfHour(event_time) AS hour, count() AS n FROM entries GROUP BY hour) AS e ON r.hour = e.hour WHERE r.n != e.n",
		"findings about the record": "SELECT count() FROM findings WHERE control = 'GV-03' AND facts['reason'] != 'leaf-missing'",
		"violations off":            fmt.Sprintf("SELECT toInt64(count()) - %d FROM findings WHERE control = 'EX-03'", e.violations),
		"violations stored twice":   "SELECT toInt64(count()) - toInt64(uniqExact(id)) FROM findings_all WHERE control = 'EX-03'",
		"chunks closed twice":       "SELECT toInt64(count()) - toInt64(uniqExact(partition, from, version)) FROM chunks WHERE state = 'closed'",
	} {
		n, err := e.count(sql)
		if err != nil {
			e.t.Error(err)
		} else if n != 0 {
			e.t.Errorf("%s: %d", what, n)
		}
	}
	out, err := e.ask("ledger", "verify")
	if err != nil || !strings.Contains(out, "verified") {
		e.t.Errorf("verify: %v %s", err, out)
	}
	e.awaitAlerts()
}

// groups counts the groups of violations in the register of alerts, and their
// findings.
func (e *episode) groups() (groups, findings int) {
	ctx := context.Background()
	db, err := registers.Open(ctx, filepath.Join(e.dir, "data", "registers.db"))
	if err != nil {
		e.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	list, err := db.AlertGroups(ctx, 1000)
	if err != nil {
		e.t.Fatal(err)
	}
	for _, row := range list {
		var g alert.Group
		if err := json.Unmarshal(row.Body, &g); err != nil {
			e.t.Fatal(err)
		}
		if g.Kind == audit.Violation && g.Control == "EX-03" {
			groups++
			findings += int(g.Findings)
		}
	}
	return groups, findings
}

// awaitAlerts waits until the alerter has grouped as many findings as there are
// and every group has its ticket.
func (e *episode) awaitAlerts() {
	for deadline := time.Now().Add(stall); ; time.Sleep(200 * time.Millisecond) {
		groups, findings := e.groups()
		if findings >= e.violations && e.tickets() >= groups {
			return
		}
		if time.Now().After(deadline) {
			e.t.Errorf("the alerter has grouped %d of %d violations, and there are %d tickets for %d groups", findings, e.violations, e.tickets(), groups)
			return
		}
	}
}

// tickets counts the receiver's tickets of violations.
func (e *episode) tickets() (n int) {
	for _, t := range e.receiver.Tickets() {
		if t.Control == "EX-03" {
			n++
		}
	}
	return n
}

// checkAlerts asks, once everything has stopped, whether each violation was
// raised once and each group has its ticket.
func (e *episode) checkAlerts() {
	groups, findings := e.groups()
	if findings != e.violations {
		e.t.Errorf("%d violations are raised, want %d", findings, e.violations)
	}
	if n := e.tickets(); n != groups {
		e.t.Errorf("%d tickets for %d groups of violations", n, groups)
	}
	if _, refused := e.receiver.Counts(); refused != 0 {
		e.t.Errorf("%d notices without a valid signature", refused)
	}
}
