-- Counts per quarter of an hour by all that console and reports count entries by.
-- A zone is whole quarters off UTC, so a day of any zone is whole quarters. Counts
-- per hour and of received lines are sums of these: one view reads each entry, and
-- a smaller one what that wrote.

DROP VIEW IF EXISTS entries_hourly_filled;

DROP VIEW IF EXISTS completeness_of_entries;

DROP VIEW IF EXISTS entries_quarterly_filled;

CREATE TABLE IF NOT EXISTS entries_quarterly_all
(
    quarter DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    source LowCardinality(String) CODEC(ZSTD(1)),
    source_format LowCardinality(String) CODEC(ZSTD(1)),
    system_key LowCardinality(String) CODEC(ZSTD(1)),
    outcome LowCardinality(String) CODEC(ZSTD(1)),
    deny_by LowCardinality(String) CODEC(ZSTD(1)),
    principal_type LowCardinality(String) CODEC(ZSTD(1)),
    principal_auth LowCardinality(String) CODEC(ZSTD(1)),
    tls_version LowCardinality(String) CODEC(ZSTD(1)),
    purpose LowCardinality(String) CODEC(ZSTD(1)),
    purpose_source LowCardinality(String) CODEC(ZSTD(1)),
    recipient LowCardinality(String) CODEC(ZSTD(1)),
    dest_country LowCardinality(String) CODEC(ZSTD(1)),
    transfer_kind LowCardinality(String) CODEC(ZSTD(1)),
    categories Array(LowCardinality(String)) CODEC(ZSTD(1)),
    carries Array(LowCardinality(String)) CODEC(ZSTD(1)),
    newest SimpleAggregateFunction(max, Tuple(DateTime64(9, 'UTC'), DateTime64(9, 'UTC'))) CODEC(ZSTD(1)),
    chunk LowCardinality(String) CODEC(ZSTD(1)),
    version UInt16 CODEC(ZSTD(1)),
    entries UInt64 CODEC(T64, ZSTD(1)),
    documented UInt64 CODEC(T64, ZSTD(1)),
    special UInt64 CODEC(T64, ZSTD(1)),
    special_documented UInt64 CODEC(T64, ZSTD(1)),
    with_subjects UInt64 CODEC(T64, ZSTD(1)),
    named UInt64 CODEC(T64, ZSTD(1)),
    verified UInt64 CODEC(T64, ZSTD(1)),
    named_mtls UInt64 CODEC(T64, ZSTD(1)),
    mtls UInt64 CODEC(T64, ZSTD(1)),
    partial UInt64 CODEC(T64, ZSTD(1)),
    doubtful UInt64 CODEC(T64, ZSTD(1)),
    bytes_out UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = SummingMergeTree
PARTITION BY toYYYYMM(quarter)
ORDER BY (source, quarter, source_format, system_key, outcome, deny_by, principal_type, principal_auth, tls_version,
    purpose, purpose_source, recipient, dest_country, transfer_kind, categories, carries, chunk, version)
SETTINGS non_replicated_deduplication_window = 10000;

-- What the record holds already: what readers see, then versions of chunks that
-- are complete and not seen yet, and what takes the versions before them off.

TRUNCATE TABLE IF EXISTS entries_quarterly_all;

INSERT INTO entries_quarterly_all (quarter, source, source_format, system_key, outcome, deny_by, principal_type, principal_auth, tls_version, purpose, purpose_source, recipient, dest_country, transfer_kind, categories, carries, newest, chunk, version, entries, documented, special, special_documented, with_subjects, named, verified, named_mtls, mtls, partial, doubtful, bytes_out)
SETTINGS insert_deduplicate = 0, max_partitions_per_insert_block = 0
SELECT toStartOfFifteenMinutes(event_time) AS quarter, source, source_format, system_key, outcome, deny_by, principal_type, principal_auth, tls_version,
    purpose, purpose_source, recipient, dest_country, transfer_kind, categories, carries,
    max((ingest_time, event_time)), '' AS of_chunk, toUInt16(0) AS of_version, count(), sum(purpose_documented), sum(special_category), sum(special_category AND purpose_documented), sum(subject_count > 0), sum(principal_id != ''), sum(principal_id != '' AND principal_verified), sum(principal_id != '' AND mtls_verified), sum(mtls_verified), sum(parse_status != 'ok'), sum(integrity != 'ok'), sum(bytes_out)
FROM entries
GROUP BY quarter, source, source_format, system_key, outcome, deny_by, principal_type, principal_auth, tls_version,
    purpose, purpose_source, recipient, dest_country, transfer_kind, categories, carries, of_chunk, of_version;

INSERT INTO entries_quarterly_all (quarter, source, source_format, system_key, outcome, deny_by, principal_type, principal_auth, tls_version, purpose, purpose_source, recipient, dest_country, transfer_kind, categories, carries, newest, chunk, version, entries, documented, special, special_documented, with_subjects, named, verified, named_mtls, mtls, partial, doubtful, bytes_out)
SETTINGS insert_deduplicate = 0, max_partitions_per_insert_block = 0
SELECT toStartOfFifteenMinutes(event_time) AS quarter, source, source_format, system_key, outcome, deny_by, principal_type, principal_auth, tls_version,
    purpose, purpose_source, recipient, dest_country, transfer_kind, categories, carries,
    max((ingest_time, event_time)), t.chunk AS of_chunk, t.version AS of_version, count(), sum(purpose_documented), sum(special_category), sum(special_category AND purpose_documented), sum(subject_count > 0), sum(principal_id != ''), sum(principal_id != '' AND principal_verified), sum(principal_id != '' AND mtls_verified), sum(mtls_verified), sum(parse_status != 'ok'), sum(integrity != 'ok'), sum(bytes_out)
FROM entries_all AS t
WHERE version > 1 AND (chunk, version) IN (SELECT id, version FROM chunks WHERE state = 'closed')
    AND (chunk, toUInt16(version - 1)) NOT IN (SELECT chunk, version FROM superseded)
GROUP BY quarter, source, source_format, system_key, outcome, deny_by, principal_type, principal_auth, tls_version,
    purpose, purpose_source, recipient, dest_country, transfer_kind, categories, carries, of_chunk, of_version;

INSERT INTO entries_quarterly_all (quarter, source, source_format, system_key, outcome, deny_by, principal_type, principal_auth, tls_version, purpose, purpose_source, recipient, dest_country, transfer_kind, categories, carries, newest, chunk, version, entries, documented, special, special_documented, with_subjects, named, verified, named_mtls, mtls, partial, doubtful, bytes_out)
SETTINGS insert_deduplicate = 0, max_partitions_per_insert_block = 0
SELECT toStartOfFifteenMinutes(event_time) AS quarter, source, source_format, system_key, outcome, deny_by, principal_type, principal_auth, tls_version,
    purpose, purpose_source, recipient, dest_country, transfer_kind, categories, carries,
    max((ingest_time, event_time)), t.chunk AS of_chunk, toUInt16(t.version + 1) AS of_version, toUInt64(-toInt64(count())), toUInt64(-toInt64(sum(purpose_documented))), toUInt64(-toInt64(sum(special_category))), toUInt64(-toInt64(sum(special_category AND purpose_documented))), toUInt64(-toInt64(sum(subject_count > 0))), toUInt64(-toInt64(sum(principal_id != ''))), toUInt64(-toInt64(sum(principal_id != '' AND principal_verified))), toUInt64(-toInt64(sum(principal_id != '' AND mtls_verified))), toUInt64(-toInt64(sum(mtls_verified))), toUInt64(-toInt64(sum(parse_status != 'ok'))), toUInt64(-toInt64(sum(integrity != 'ok'))), toUInt64(-toInt64(sum(bytes_out)))
FROM entries_all AS t
WHERE (chunk, version) NOT IN (SELECT chunk, version FROM superseded)
    AND (chunk, toUInt16(version + 1)) IN (SELECT id, version FROM chunks WHERE state = 'closed' AND version > 1)
GROUP BY quarter, source, source_format, system_key, outcome, deny_by, principal_type, principal_auth, tls_version,
    purpose, purpose_source, recipient, dest_country, transfer_kind, categories, carries, of_chunk, of_version;

-- Counts per hour that rest on entries which went by their age since.

INSERT INTO entries_quarterly_all (quarter, source, system_key, outcome, tls_version, principal_type, transfer_kind, entries, documented, with_subjects, special, bytes_out)
SETTINGS insert_deduplicate = 0, max_partitions_per_insert_block = 0
SELECT hour, source, system_key, outcome, tls_version, principal_type, transfer_kind,
    sum(n), 0, sum(w), sum(s), sum(b)
FROM
(
    SELECT hour, source, system_key, outcome, tls_version, principal_type, transfer_kind, entries AS n, with_subjects AS w, special AS s, h.bytes_out AS b
    FROM entries_hourly_all AS h
    WHERE version = 0 OR (chunk, toUInt16(version - 1)) IN (SELECT chunk, version FROM superseded)
    UNION ALL
    SELECT toStartOfHour(quarter), source, system_key, outcome, tls_version, principal_type, transfer_kind,
        toUInt64(-toInt64(entries)), toUInt64(-toInt64(with_subjects)), toUInt64(-toInt64(special)), toUInt64(-toInt64(q.bytes_out))
    FROM entries_quarterly_all AS q
    WHERE version = 0
)
GROUP BY hour, source, system_key, outcome, tls_version, principal_type, transfer_kind
HAVING sum(n) != 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS entries_quarterly_filled TO entries_quarterly_all AS
SELECT
    toStartOfFifteenMinutes(event_time) AS quarter,
    source, source_format, system_key, outcome, deny_by, principal_type, principal_auth, tls_version,
    purpose, purpose_source, recipient, dest_country, transfer_kind, categories, carries,
    max((ingest_time, event_time)) AS newest,
    if(entries_all.version = 1, '', entries_all.chunk) AS chunk,
    if(entries_all.version = 1, toUInt16(0), entries_all.version) AS version,
    count() AS entries,
    sum(purpose_documented) AS documented,
    sum(special_category) AS special,
    sum(special_category AND purpose_documented) AS special_documented,
    sum(subject_count > 0) AS with_subjects,
    sum(principal_id != '') AS named,
    sum(principal_id != '' AND principal_verified) AS verified,
    sum(principal_id != '' AND mtls_verified) AS named_mtls,
    sum(mtls_verified) AS mtls,
    sum(parse_status != 'ok') AS partial,
    sum(integrity != 'ok') AS doubtful,
    sum(bytes_out) AS bytes_out
FROM entries_all
GROUP BY quarter, source, source_format, system_key, outcome, deny_by, principal_type, principal_auth, tls_version,
    purpose, purpose_source, recipient, dest_country, transfer_kind, categories, carries, chunk, version;

CREATE MATERIALIZED VIEW IF NOT EXISTS completeness_of_entries TO completeness_all AS
SELECT source, toStartOfHour(quarter) AS hour, sum(entries) AS received, 0 AS missing, 0 AS rejected, chunk, version
FROM entries_quarterly_all
GROUP BY source, hour, chunk, version;

CREATE VIEW IF NOT EXISTS entries_quarterly AS
SELECT * EXCEPT (chunk, version)
FROM entries_quarterly_all
WHERE version = 0 OR (chunk, toUInt16(version - 1)) IN (SELECT chunk, version FROM superseded);

CREATE OR REPLACE VIEW entries_hourly AS
SELECT toStartOfHour(quarter) AS hour, source, system_key, outcome, tls_version, principal_type, transfer_kind,
    entries, if(outcome = 'denied', entries, 0) AS denied, with_subjects, special,
    if(notEmpty(categories), toUInt64(entries - documented), 0) AS undocumented, bytes_out
FROM entries_quarterly_all
WHERE version = 0 OR (chunk, toUInt16(version - 1)) IN (SELECT chunk, version FROM superseded);
