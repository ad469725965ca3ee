package console

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tallystick/tallystick/internal/store"
)

// sourceShare is a source with what of it arrived in the period.
type sourceShare struct {
	SourceState
	Received, Entries, Rejected, Missing uint64
	Share                                float64      // of the known lines, those that became entries or rejections
	Known                                bool         // any line is known, so that there is a share
	Hours                                []SourceHour // newest first
}

type sourcesView struct {
	Period     period
	Sources    []sourceShare
	Rejections []record
}

const rejectionsQuery = `SELECT source, format, reason, count() AS n, max(received) AS last_received FROM rejections`

const rejectionSamples = `SELECT source, format, reason, "column", expected, length, received, stream, generation, "offset" FROM rejections`

const hoursQuery = `SELECT source, hour, sum(received) AS lines, sum(rejected) AS refused, sum(missing) AS lost FROM completeness
 WHERE hour >= toStartOfHour(fromUnixTimestamp64Nano({from:Int64}, 'UTC')) AND hour < fromUnixTimestamp64Nano({until:Int64}, 'UTC')
 GROUP BY source, hour ORDER BY hour DESC`

// lastLinesQuery reads of each source when its newest line was received, and how
// long after its own time.
const lastLinesQuery = `SELECT source, max(newest) AS line, line.1 AS last_line, dateDiff('millisecond', line.2, line.1) AS behind FROM entries_quarterly GROUP BY source`

// hours reads the hours of the logs in p that have lines, newest first.
func (s *Console) hours(ctx context.Context, p period) ([]SourceHour, error) {
	rows, err := s.query(ctx, hoursQuery, store.Named("from", p.From.UnixNano()), store.Named("until", p.Until.UnixNano()))
	if err != nil {
		return nil, err
	}
	out := make([]SourceHour, len(rows))
	for i, row := range rows {
		h := SourceHour{Source: row.Str("source"), Hour: row.Time("hour"), Received: row.Uint("lines"), Rejected: row.Uint("refused"), Missing: row.Uint("lost")}
		h.Entries = h.Received - min(h.Rejected, h.Received)
		out[i] = h
	}
	return out, nil
}

// sourceStates are the configured sources and those that the store knows, with
// their newest lines.
func (s *Console) sourceStates(ctx context.Context) ([]SourceState, error) {
	var out []SourceState
	if s.deps.Sources != nil {
		var err error
		if out, err = s.deps.Sources.Sources(ctx); err != nil {
			return nil, err
		}
	}
	rows, err := s.query(ctx, lastLinesQuery)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		i := slices.IndexFunc(out, func(x SourceState) bool { return x.Name == row.Str("source") })
		if i < 0 {
			i = len(out)
			out = append(out, SourceState{Name: row.Str("source")})
		}
		out[i].LastLine = row.Time("last_line")
		out[i].Behind = time.Duration(row.Int("behind")) * time.Millisecond
	}
	slices.SortFunc(out, func(a, b SourceState) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// sourceShares adds up the hours of the period by source.
func (s *Console) sourceShares(ctx context.Context, p period) ([]sourceShare, error) {
	states, err := s.sourceStates(ctx)
	if err != nil {
		return nil, err
	}
	hours, err := s.hours(ctx, p)
	if err != nil {
		return nil, err
	}
	out := make([]sourceShare, 0, len(states))
	index := map[string]int{}
	for _, st := range states {
		index[st.Name] = len(out)
		out = append(out, sourceShare{SourceState: st})
	}
	for _, h := range hours {
		i, ok := index[h.Source]
		if !ok {
			i = len(out)
			index[h.Source] = i
			out = append(out, sourceShare{SourceState: SourceState{Name: h.Source}})
		}
		out[i].add(h)
	}
	return out, nil
}

// add counts an hour in.
func (x *sourceShare) add(h SourceHour) {
	x.Received, x.Entries, x.Rejected, x.Missing = x.Received+h.Received, x.Entries+h.Entries, x.Rejected+h.Rejected, x.Missing+h.Missing
	x.Hours = append(x.Hours, h)
	if known := x.Received + x.Missing; known > 0 {
		x.Known, x.Share = true, float64(min(x.Entries+x.Rejected, known))/float64(known)
	}
}

func (s *Console) sourcesPage(r *request) error {
	p, err := r.ofPeriod("24h")
	if err != nil {
		return err
	}
	v := sourcesView{Period: p}
	if v.Sources, err = s.sourceShares(r.Request.Context(), p); err != nil {
		return err
	}
	var c conditions
	c.between("received", p)
	if v.Rejections, err = s.query(r.Request.Context(), rejectionsQuery+c.where()+" GROUP BY source, format, reason ORDER BY n DESC LIMIT 100", c.args...); err != nil {
		return err
	}
	for _, row := range v.Rejections {
		c := c
		c.parts = append(slices.Clone(c.parts), "source = {source:String}", "reason = {reason:String}")
		args := append(slices.Clone(c.args), store.Named("source", row.Str("source")), store.Named("reason", row.Str("reason")))
		samples, err := s.query(r.Request.Context(), rejectionSamples+c.where()+" ORDER BY received DESC LIMIT 3", args...)
		if err != nil {
			return err
		}
		row["samples"] = samples
	}
	r.renderLive(http.StatusOK, "sources", "console.nav.sources", v, true)
	return nil
}

// Samples are the newest rejections of the row's source and reason.
func (r record) Samples() []record {
	out, _ := r["samples"].([]record)
	return out
}

// Known is the number of lines that are known to exist.
func (h SourceHour) Known() uint64 { return h.Received + h.Missing }

// Bar draws the share of the hour's known lines that arrived.
func (h SourceHour) Bar() any {
	if h.Known() == 0 {
		return share(1, "good")
	}
	return bar(float64(min(h.Entries+h.Rejected, h.Known())) / float64(h.Known()))
}

// Bar draws the source's share.
func (x sourceShare) Bar() any {
	if !x.Known {
		return ""
	}
	return bar(x.Share)
}

func bar(v float64) any {
	class := "good"
	if v < 1 {
		class = "lacking"
	}
	return share(v, class)
}

// Bar draws the control's part of the findings.
func (c controlCount) Bar() any { return share(c.Share, "sev-"+c.Severity) }
