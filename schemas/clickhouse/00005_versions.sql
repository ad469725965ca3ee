-- Versions of a chunk. Version n+1 of a chunk is written beside version n and is
-- seen by nobody until (chunk, n) is in superseded, which is one insert: all
-- readers, rollups included, change from n to n+1 with it. Rollups get, beside
-- the rows of version n+1, rows that take those of n off again; both carry chunk
-- and version and count from the same moment. Numbers below nought are kept as
-- UInt64 wraps them; sums over all rows of a key are right.
--
-- An auditor that announces a chunk, or takes an announced one over, looks how
-- long the insert tokens reach: 10,000 blocks a table.

ALTER TABLE entries_all MODIFY SETTING non_replicated_deduplication_window = 10000;
ALTER TABLE findings_all MODIFY SETTING non_replicated_deduplication_window = 10000;
ALTER TABLE chunks MODIFY SETTING non_replicated_deduplication_window = 10000;

CREATE OR REPLACE VIEW entries AS
SELECT *, event_id
FROM entries_all
WHERE (chunk, version) NOT IN (SELECT chunk, version FROM superseded)
    AND (version <= 1 OR (chunk, toUInt16(version - 1)) IN (SELECT chunk, version FROM superseded));

CREATE OR REPLACE VIEW findings AS
SELECT *
FROM findings_all
WHERE (chunk, version) NOT IN (SELECT chunk, version FROM superseded)
    AND (version <= 1 OR (chunk, toUInt16(version - 1)) IN (SELECT chunk, version FROM superseded))
ORDER BY id, detected
LIMIT 1 BY id;

-- Rejections that a later parser could read are entries of a chunk of their own
-- now; replayed names their origins, and the rejections are seen no more from
-- the moment at which that chunk is seen. hour is the one in which completeness
-- counts the line.

--unless-exists rejections_all
RENAME TABLE rejections TO rejections_all;

ALTER TABLE rejections_all ADD COLUMN IF NOT EXISTS hour DateTime64(9, 'UTC') DEFAULT toStartOfHour(received) CODEC(Delta(8), ZSTD(1));
ALTER TABLE rejections_all MODIFY SETTING non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS replayed
(
    stream LowCardinality(String),
    generation UInt32,
    `offset` UInt64 CODEC(Delta(8), ZSTD(1)),
    chunk String
)
ENGINE = MergeTree
ORDER BY (chunk, stream, generation, `offset`)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE VIEW IF NOT EXISTS rejections AS
SELECT *, event_id
FROM rejections_all
WHERE (chunk, version) NOT IN (SELECT chunk, version FROM superseded)
    AND (version <= 1 OR (chunk, toUInt16(version - 1)) IN (SELECT chunk, version FROM superseded))
    AND (stream, generation, `offset`) NOT IN (
        SELECT stream, generation, `offset` FROM replayed WHERE chunk IN (SELECT chunk FROM superseded));

DROP VIEW IF EXISTS entries_hourly_mv;

--unless-exists entries_hourly_all
RENAME TABLE entries_hourly TO entries_hourly_all;

ALTER TABLE entries_hourly_all
    ADD COLUMN IF NOT EXISTS chunk LowCardinality(String),
    ADD COLUMN IF NOT EXISTS version UInt16,
    MODIFY ORDER BY (source, hour, system_key, outcome, tls_version, principal_type, transfer_kind, chunk, version);
ALTER TABLE entries_hourly_all MODIFY SETTING non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS entries_hourly_filled TO entries_hourly_all AS
SELECT
    toStartOfHour(event_time) AS hour,
    source, system_key, outcome, tls_version, principal_type, transfer_kind,
    count() AS entries,
    countIf(outcome = 'denied') AS denied,
    countIf(subject_count > 0) AS with_subjects,
    countIf(special_category) AS special,
    countIf(notEmpty(categories) AND NOT purpose_documented) AS undocumented,
    sum(bytes_out) AS bytes_out,
    if(entries_all.version = 1, '', entries_all.chunk) AS chunk,
    if(entries_all.version = 1, toUInt16(0), entries_all.version) AS version
FROM entries_all
GROUP BY hour, source, system_key, outcome, tls_version, principal_type, transfer_kind, chunk, version;

CREATE VIEW IF NOT EXISTS entries_hourly AS
SELECT * EXCEPT (chunk, version)
FROM entries_hourly_all
WHERE version = 0 OR (chunk, toUInt16(version - 1)) IN (SELECT chunk, version FROM superseded);

-- Completeness is counted from the rows themselves, under their tokens.

--unless-exists completeness_all
RENAME TABLE completeness TO completeness_all;

ALTER TABLE completeness_all
    ADD COLUMN IF NOT EXISTS chunk LowCardinality(String),
    ADD COLUMN IF NOT EXISTS version UInt16,
    MODIFY ORDER BY (source, hour, chunk, version);
ALTER TABLE completeness_all MODIFY SETTING non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW IF NOT EXISTS completeness_of_entries TO completeness_all AS
SELECT source, toStartOfHour(event_time) AS hour, count() AS received, 0 AS missing, 0 AS rejected,
    if(entries_all.version = 1, '', entries_all.chunk) AS chunk,
    if(entries_all.version = 1, toUInt16(0), entries_all.version) AS version
FROM entries_all
GROUP BY source, hour, chunk, version;

CREATE MATERIALIZED VIEW IF NOT EXISTS completeness_of_rejections TO completeness_all AS
SELECT source, toStartOfHour(rejections_all.hour) AS hour, count() AS received, 0 AS missing, count() AS rejected,
    if(rejections_all.version = 1, '', rejections_all.chunk) AS chunk,
    if(rejections_all.version = 1, toUInt16(0), rejections_all.version) AS version
FROM rejections_all
WHERE reason != 'tap'
GROUP BY source, hour, chunk, version;

CREATE VIEW IF NOT EXISTS completeness AS
SELECT * EXCEPT (chunk, version)
FROM completeness_all
WHERE version = 0 OR (chunk, toUInt16(version - 1)) IN (SELECT chunk, version FROM superseded);
