package main

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/tallystick/tallystick/reports"
)

// question is a statement of the console or of a report, with its values.
type question struct{ name, sql string }

const (
	explorer = `SELECT event_id, event_time, source, principal_id, principal_type, principal_label, system_key, operation, action, url_template,
 resource_name, subjects, subject_count, categories, special_category, purpose, purpose_source, purpose_documented, outcome, status_code,
 client_country, dest_country, tls_version, found_kinds FROM entries
 WHERE event_time >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND event_time < fromUnixTimestamp64Nano({until:Int64}, 'UTC')`
	newest = ` ORDER BY event_time DESC, stream DESC, generation DESC, "offset" DESC LIMIT 51`
	span   = ` WHERE event_time >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND event_time < fromUnixTimestamp64Nano({until:Int64}, 'UTC')`
)

// questions are what people ask most, in the words of services/console and of
// templates/reports; before are the same as they would be asked without the counts
// per quarter and the view of findings. Values come as parameters.
var questions = []question{
	{"explorer: newest, within an hour", explorer + ` AND event_time >= fromUnixTimestamp64Nano({until:Int64} - 3600000000000, 'UTC')` + newest},
	{"explorer: by source and outcome", explorer + ` AND source = 'desk' AND outcome = 'denied'` + newest},
	{"explorer: one member of staff", explorer + ` AND principal_id = {principal:String}` + newest},
	{"explorer: choices of a filter", `SELECT DISTINCT purpose AS v FROM entries_quarterly WHERE purpose != '' ORDER BY v LIMIT 200`},
	{"  before", `SELECT DISTINCT purpose AS v FROM entries WHERE purpose != '' ORDER BY v LIMIT 200`},
	{"subject: entries of a day", explorer + ` AND has(subjects, {subject:String})` + newest},
	{"finding: its entry", `SELECT * FROM entries WHERE stream = {stream:String} AND generation = 0 AND "offset" = {offset:UInt64} LIMIT 1`},
	{"finding: evidence of an hour", explorer + ` AND event_time >= fromUnixTimestamp64Nano({hour:Int64}, 'UTC') AND event_time < fromUnixTimestamp64Nano({hour:Int64} + 3600000000000, 'UTC')
 AND principal_id = {principal:String} AND system_key = 'crm' AND source = 'desk' ORDER BY event_time LIMIT 50`},
	{"overview: totals", `SELECT sum(q.entries) AS entries, sumIf(q.entries, notEmpty(categories)) AS personal, sumIf(q.entries, outcome = 'denied') AS denied FROM entries_quarterly AS q` + quarters},
	{"  before", `SELECT count() AS entries, countIf(notEmpty(categories)) AS personal, countIf(outcome = 'denied') AS denied FROM entries` + span},
	{"overview: chart", `SELECT intDiv(toInt64(toUnixTimestamp(quarter)), 86400) AS bucket, outcome AS part, sum(entries) AS n FROM entries_quarterly` + quarters + ` GROUP BY bucket, part ORDER BY bucket`},
	{"overview: last lines", `SELECT source, max(newest) AS line, line.1 AS last_line, dateDiff('millisecond', line.2, line.1) AS behind FROM entries_quarterly GROUP BY source`},
	{"  before", `SELECT source, max(ingest_time) AS last_line, dateDiff('millisecond', argMax(event_time, (ingest_time, event_time)), max(ingest_time)) AS behind FROM entries
 WHERE (source, toStartOfHour(event_time)) IN (SELECT source, hour FROM entries_hourly GROUP BY source, hour ORDER BY hour DESC LIMIT 26 BY source) GROUP BY source`},
	{"findings: by control and principal", groups + ` FROM findings` + times + groupsBy},
	{"  before", groups + ` FROM ` + firsts + times + groupsBy},
	{"findings: a page", page + ` FROM findings` + times + pageOf},
	{"  before", page + ` FROM ` + firsts + times + pageOf},
	{"findings: a page of an hour", page + ` FROM findings` + hour + pageOf},
	{"  before", page + ` FROM ` + firsts + hour + pageOf},
	{"findings: one", page + ` FROM findings WHERE id = {finding:String} LIMIT 1`},
	{"  before", page + ` FROM ` + firsts + ` WHERE id = {finding:String} LIMIT 1`},
	{"report: entries by day", `SELECT toString(toDate(quarter, 'UTC')) AS day, outcome, sum(q.entries) AS entries FROM entries_quarterly AS q` + quarters + ` GROUP BY day, outcome ORDER BY day, outcome`},
	{"  before", `SELECT toString(toDate(event_time, 'UTC')) AS day, outcome, count() AS entries FROM entries` + span + ` GROUP BY day, outcome ORDER BY day, outcome`},
	{"report: entries and subjects by system", `SELECT system_key, uniqExactArray(subjects) AS people FROM entries` + span + ` GROUP BY system_key`},
}

const (
	quarters = ` WHERE quarter >= toStartOfHour(fromUnixTimestamp64Nano({from:Int64}, 'UTC')) AND quarter < fromUnixTimestamp64Nano({until:Int64}, 'UTC')`
	times    = ` WHERE kind = 'violation' AND time >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND time < fromUnixTimestamp64Nano({until:Int64}, 'UTC')`
	hour     = ` WHERE kind = 'violation' AND time >= fromUnixTimestamp64Nano({hour:Int64}, 'UTC') AND time < fromUnixTimestamp64Nano({hour:Int64} + 3600000000000, 'UTC')`
	groups   = `SELECT kind, control, severity, system, principal_label AS label, if(principal_label = '', principal, '') AS unlabelled, uniqExact(principal) AS principals,
 groupUniqArray(50)(resource) AS resources, groupUniqArrayArray(20)(categories) AS all_categories, count() AS n, sum(count) AS entries, uniqExactArray(subjects) AS people,
 min(time) AS first_time, max(until) AS last_time, max(detected) AS last_detected, argMax(id, time) AS one`
	groupsBy = ` GROUP BY kind, control, severity, system, label, unlabelled ORDER BY last_time DESC LIMIT 1000`
	page     = `SELECT id, kind, control, control_version, severity, time, until, detected, source, system, principal, principal_kind, principal_label,
 resource, purpose, categories, subjects, entry_id, count, facts, chunk`
	pageOf = ` ORDER BY time DESC, id DESC LIMIT 51`
	firsts = `(SELECT * FROM findings_all WHERE (chunk, version) NOT IN (SELECT chunk, version FROM superseded) ORDER BY id, detected LIMIT 1 BY id)`
)

// values are the parameters: the last 30 days, and a person, a member of staff
// and an entry of the middle of the record.
func (t *table) values() (map[string]string, error) {
	a, err := t.engine.ask(t.layout.database(), `SELECT toUnixTimestamp64Nano(min(event_time)), toUnixTimestamp64Nano(max(event_time)) FROM entries_all`, nil)
	if err != nil {
		return nil, err
	}
	first, last := whole(a.Data[0][0]), whole(a.Data[0][1])
	middle := first + (last-first)/2
	p := map[string]string{"param_from": strconv.FormatInt(max(first, last-30*86400e9), 10), "param_until": strconv.FormatInt(last+1e9, 10)}
	a, err = t.engine.ask(t.layout.database(), fmt.Sprintf(`SELECT subjects[1], principal_id, stream, "offset", toUnixTimestamp64Nano(toDateTime64(toStartOfHour(event_time), 9))
 FROM entries_all WHERE source = 'desk' AND notEmpty(subjects) AND event_time >= fromUnixTimestamp64Nano(%d) LIMIT 1`, middle), nil)
	if err != nil {
		return nil, err
	}
	for i, name := range []string{"subject", "principal", "stream", "offset", "hour"} {
		p["param_"+name] = fmt.Sprint(a.Data[0][i])
	}
	a, err = t.engine.ask(t.layout.database(), "SELECT any(id) FROM findings_all", nil)
	if err == nil {
		p["param_finding"] = fmt.Sprint(a.Data[0][0])
	}
	return p, err
}

// askAll asks each question three times and prints medians.
func (t *table) askAll() error {
	params, err := t.values()
	if err != nil {
		return err
	}
	fmt.Printf("  %-42s %9s %9s %14s\n", "question", "ms", "CPU ms", "rows read")
	for _, q := range questions {
		var ms, used []float64
		var read uint64
		for range 3 {
			began := cpu()
			a, err := t.engine.ask(t.layout.database(), q.sql, params)
			if err != nil {
				return err
			}
			used = append(used, float64((cpu()-began).Microseconds())/1000)
			ms, read = append(ms, a.Statistics.Elapsed*1000), a.Statistics.RowsRead
		}
		slices.Sort(ms)
		slices.Sort(used)
		fmt.Printf("  %-42s %9.1f %9.1f %14d\n", q.name, ms[1], used[1], read)
	}
	return t.askReport(params)
}

// askReport asks all that gdpr-accountability asks the store for a period, once.
func (t *table) askReport(params map[string]string) error {
	d, err := reports.Lookup("gdpr-accountability")
	if err != nil {
		return err
	}
	from, until := time.Unix(0, whole(params["param_from"])).UTC(), time.Unix(0, whole(params["param_until"])).UTC()
	bounds := map[string]string{"from": from.Truncate(time.Hour).Format(time.DateTime), "until": until.Truncate(time.Hour).Add(time.Hour).Format(time.DateTime), "zone": "UTC"}
	var ms, slowest float64
	var read uint64
	name, began := "", cpu()
	for _, q := range append(reports.CoverageQueries(), d.Queries...) {
		if q.SQL == "" {
			continue
		}
		a, err := t.engine.ask(t.layout.database(), reports.Bind(q.SQL, bounds), nil)
		if err != nil {
			return err
		}
		took := a.Statistics.Elapsed * 1000
		if ms, read = ms+took, read+a.Statistics.RowsRead; took > slowest {
			slowest, name = took, q.Name
		}
	}
	fmt.Printf("  %-42s %9.1f %9.1f %14d  of it %s %.1f ms\n", "report: all of gdpr-accountability", ms, float64((cpu()-began).Microseconds())/1000, read, name, slowest)
	return nil
}

// whole reads a whole number, exactly.
func whole(v any) int64 {
	n, _ := strconv.ParseInt(fmt.Sprint(v), 10, 64)
	return n
}
