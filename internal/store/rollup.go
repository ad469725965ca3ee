package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/tallystick/tallystick/audit"
)

// quarterKeys are the columns that entries_quarterly_all counts by, besides the
// quarter of an hour.
const quarterKeys = `source, source_format, system_key, outcome, deny_by, principal_type, principal_auth, tls_version,
	purpose, purpose_source, recipient, dest_country, transfer_kind, categories, carries`

// quarterSums are its counts over entries_all, as the view that fills it has them.
var quarterSums = [][2]string{
	{"entries", "count()"},
	{"documented", "sum(purpose_documented)"},
	{"special", "sum(special_category)"},
	{"special_documented", "sum(special_category AND purpose_documented)"},
	{"with_subjects", "sum(subject_count > 0)"},
	{"named", "sum(principal_id != '')"},
	{"verified", "sum(principal_id != '' AND principal_verified)"},
	{"named_mtls", "sum(principal_id != '' AND mtls_verified)"},
	{"mtls", "sum(mtls_verified)"},
	{"partial", "sum(parse_status != 'ok')"},
	{"doubtful", "sum(integrity != 'ok')"},
	{"bytes_out", "sum(bytes_out)"},
}

// quartersOff inserts what takes version {before} of a chunk off the counts per
// quarter. A view of those takes its entries off completeness.
func quartersOff() string {
	var names, sums []string
	for _, s := range quarterSums {
		names, sums = append(names, s[0]), append(sums, "toUInt64(-toInt64("+s[1]+"))")
	}
	return "INSERT INTO entries_quarterly_all (quarter, " + quarterKeys + ", chunk, version, " + strings.Join(names, ", ") + `)
		SELECT toStartOfFifteenMinutes(event_time) AS quarter, ` + quarterKeys + ", {chunk:String}, {version:UInt16}, " + strings.Join(sums, ", ") + `
		FROM entries_all WHERE chunk = {chunk:String} AND version = {before:UInt16} GROUP BY quarter, ` + quarterKeys
}

// TakeOff adds to the rollups the rows that take the version before c's off.
// Nobody sees them until that version is superseded.
func (s *Store) TakeOff(ctx context.Context, c *audit.Chunk) error {
	params := ofChunk(c.ID, c.Version)
	params["before"] = fmt.Sprint(c.Version - 1)
	for _, sql := range []string{
		quartersOff(),
		`INSERT INTO completeness_all SELECT source, toStartOfHour(rejections.hour) AS h, toUInt64(-toInt64(count())), 0, toUInt64(-toInt64(count())), {chunk:String}, {version:UInt16}
			FROM rejections WHERE chunk = {chunk:String} AND version = {before:UInt16} AND reason != 'tap' GROUP BY source, h`,
	} {
		ctx := clickhouse.Context(ctx, clickhouse.WithSettings(withoutTokens()), clickhouse.WithParameters(params))
		if err := s.conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("failed to take version %d of a chunk off its rollups: %w", c.Version-1, err)
		}
	}
	return nil
}

// withoutTokens are settings for rows of an attempt, which is discarded whole.
func withoutTokens() clickhouse.Settings {
	set := base()
	set["async_insert"], set["insert_deduplicate"] = 0, 0
	return set
}
