package main

import (
	"fmt"
	"slices"
	"strconv"
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
// templates/reports. Values come as parameters.
var questions = []question{
	{"explorer: newest", explorer + newest},
	{"explorer: newest, within an hour", explorer + ` AND event_time >= fromUnixTimestamp64Nano({until:Int64} - 3600000000000, 'UTC')` + newest},
	{"explorer: by source and outcome", explorer + ` AND source = 'desk' AND outcome = 'denied'` + newest},
	{"explorer: one subject", explorer + ` AND has(subjects, {subject:String})` + newest},
	{"explorer: one member of staff", explorer + ` AND principal_id = {principal:String}` + newest},
	{"finding: its entry", `SELECT * FROM entries WHERE stream = {stream:String} AND generation = 0 AND "offset" = {offset:UInt64} LIMIT 1`},
	{"finding: evidence of an hour", explorer + ` AND event_time >= fromUnixTimestamp64Nano({hour:Int64}, 'UTC') AND event_time < fromUnixTimestamp64Nano({hour:Int64} + 3600000000000, 'UTC')
 AND principal_id = {principal:String} AND system_key = 'crm' AND source = 'desk' ORDER BY event_time LIMIT 50`},
	{"overview: totals", `SELECT count() AS entries, countIf(notEmpty(categories)) AS personal, countIf(outcome = 'denied') AS denied FROM entries` + span},
	{"overview: chart", `SELECT intDiv(toInt64(toUnixTimestamp(hour)), 86400) AS bucket, outcome AS part, sum(entries) AS n FROM entries_hourly
 WHERE hour >= toStartOfHour(fromUnixTimestamp64Nano({from:Int64}, 'UTC')) AND hour < fromUnixTimestamp64Nano({until:Int64}, 'UTC') GROUP BY bucket, part ORDER BY bucket`},
	{"sources: last lines, of all entries", `SELECT source, max(ingest_time) AS last_line,
 dateDiff('millisecond', argMax(event_time, (ingest_time, event_time)), max(ingest_time)) AS behind FROM entries GROUP BY source`},
	{"sources: last lines, of 26 hours", `SELECT source, max(ingest_time) AS last_line,
 dateDiff('millisecond', argMax(event_time, (ingest_time, event_time)), max(ingest_time)) AS behind FROM entries
 WHERE (source, toStartOfHour(event_time)) IN (SELECT source, hour FROM entries_hourly GROUP BY source, hour ORDER BY hour DESC LIMIT 26 BY source) GROUP BY source`},
	{"explorer: choices of a filter", `SELECT DISTINCT purpose AS v FROM entries WHERE purpose != '' ORDER BY v LIMIT 200`},
	{"report: entries by day", `SELECT toString(toDate(event_time, 'UTC')) AS day, outcome, count() AS entries FROM entries` + span + ` GROUP BY day, outcome ORDER BY day, outcome`},
	{"report: entries and subjects by system", `SELECT system_key, count() AS entries, countIf(notEmpty(categories)) AS personal, countIf(outcome = 'denied') AS denied,
 uniqExactArray(subjects) AS subject_days FROM entries` + span + ` GROUP BY system_key ORDER BY entries DESC, system_key LIMIT 20`},
}

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
	return p, nil
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
	return nil
}

// whole reads a whole number, exactly.
func whole(v any) int64 {
	n, _ := strconv.ParseInt(fmt.Sprint(v), 10, 64)
	return n
}
