CREATE DATABASE IF NOT EXISTS tallystick;

USE tallystick;

CREATE TABLE IF NOT EXISTS migrations
(version UInt32, name String, checksum String, applied DateTime64(3, 'UTC'))
ENGINE = MergeTree ORDER BY version SETTINGS non_replicated_deduplication_window = 100;

CREATE TABLE IF NOT EXISTS entries_all
(
    schema_version UInt16,
    event_time DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    ingest_time DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    source LowCardinality(String),
    source_format LowCardinality(String),
    time_quality LowCardinality(String),
    stream LowCardinality(String),
    generation UInt32,
    `offset` UInt64 CODEC(Delta(8), ZSTD(1)),
    parse_status LowCardinality(String),
    integrity LowCardinality(String),
    principal_id String CODEC(ZSTD(1)),
    principal_type LowCardinality(String),
    principal_auth LowCardinality(String),
    principal_verified Bool,
    principal_org LowCardinality(String),
    principal_label LowCardinality(String),
    session_id String CODEC(ZSTD(1)),
    peer_ip String CODEC(ZSTD(1)),
    client_ip String CODEC(ZSTD(1)),
    client_port UInt16 CODEC(ZSTD(1)),
    xff_chain Array(String) CODEC(ZSTD(1)),
    client_country LowCardinality(String),
    client_app LowCardinality(String),
    device_id String CODEC(ZSTD(1)),
    request_id String CODEC(ZSTD(1)),
    protocol LowCardinality(String),
    operation LowCardinality(String),
    action LowCardinality(String),
    resource_type LowCardinality(String),
    resource_name String CODEC(ZSTD(1)),
    system_key LowCardinality(String),
    dataset LowCardinality(String),
    url_template LowCardinality(String),
    resource_declared Bool,
    query_keys Array(LowCardinality(String)),
    subjects Array(String) CODEC(ZSTD(1)),
    subject_kinds Array(LowCardinality(String)),
    subject_categories Array(LowCardinality(String)),
    subject_count UInt32,
    categories Array(LowCardinality(String)),
    special_category Bool,
    found_kinds Array(LowCardinality(String)),
    found_places Array(LowCardinality(String)),
    purpose LowCardinality(String),
    purpose_source LowCardinality(String),
    purpose_documented Bool,
    data_use LowCardinality(String),
    legal_basis LowCardinality(String),
    consent_ref String CODEC(ZSTD(1)),
    contract_ref LowCardinality(String),
    recipient LowCardinality(String),
    service_country LowCardinality(String),
    dest_country LowCardinality(String),
    transfer_kind LowCardinality(String),
    transfer_ref LowCardinality(String),
    tls_version LowCardinality(String),
    tls_cipher LowCardinality(String),
    sni String CODEC(ZSTD(1)),
    client_cert_subject String CODEC(ZSTD(1)),
    client_cert_sha256 String CODEC(ZSTD(1)),
    mtls_verified Bool,
    status_code UInt16,
    outcome LowCardinality(String),
    deny_by LowCardinality(String),
    bytes_in UInt64 CODEC(ZSTD(1)),
    bytes_out UInt64 CODEC(ZSTD(1)),
    duration_us UInt64 CODEC(ZSTD(1)),
    upstream String CODEC(ZSTD(1)),
    labels Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    method LowCardinality(String),
    target String CODEC(ZSTD(1)),
    host String CODEC(ZSTD(1)),
    referer String CODEC(ZSTD(1)),
    user_agent LowCardinality(String),
    carries Array(LowCardinality(String)),
    chunk LowCardinality(String),
    version UInt16,
    `row` UInt32 CODEC(Delta(4), ZSTD(1)),
    mark UInt32 CODEC(NONE),
    event_id String ALIAS concat(stream, '-', toString(generation), '-', toString(`offset`)),
    INDEX subjects_index subjects TYPE bloom_filter(0.01) GRANULARITY 2,
    INDEX principal_index principal_id TYPE bloom_filter(0.01) GRANULARITY 2,
    INDEX resource_index (system_key, url_template) TYPE bloom_filter(0.01) GRANULARITY 2,
    INDEX chunk_index chunk TYPE bloom_filter(0.001) GRANULARITY 2
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(event_time)
ORDER BY (source, toStartOfHour(event_time), stream, `offset`)
SETTINGS
    non_replicated_deduplication_window = 1000,
    min_columns_to_activate_adaptive_write_buffer = 1,
    vertical_merge_algorithm_min_rows_to_activate = 1;

CREATE TABLE IF NOT EXISTS superseded
(
    chunk String,
    version UInt16,
    at DateTime64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY (chunk, version)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE VIEW IF NOT EXISTS entries AS
SELECT *, event_id
FROM entries_all
WHERE (chunk, version) NOT IN (SELECT chunk, version FROM superseded);

CREATE TABLE IF NOT EXISTS entries_hourly
(
    hour DateTime('UTC'),
    source LowCardinality(String),
    system_key LowCardinality(String),
    outcome LowCardinality(String),
    tls_version LowCardinality(String),
    principal_type LowCardinality(String),
    transfer_kind LowCardinality(String),
    entries UInt64,
    denied UInt64,
    with_subjects UInt64,
    special UInt64,
    undocumented UInt64,
    bytes_out UInt64
)
ENGINE = SummingMergeTree
PARTITION BY toYYYYMM(hour)
ORDER BY (source, hour, system_key, outcome, tls_version, principal_type, transfer_kind)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE MATERIALIZED VIEW IF NOT EXISTS entries_hourly_mv TO entries_hourly AS
SELECT
    toStartOfHour(event_time) AS hour,
    source, system_key, outcome, tls_version, principal_type, transfer_kind,
    count() AS entries,
    countIf(outcome = 'denied') AS denied,
    countIf(subject_count > 0) AS with_subjects,
    countIf(special_category) AS special,
    countIf(notEmpty(categories) AND NOT purpose_documented) AS undocumented,
    sum(bytes_out) AS bytes_out
FROM entries_all
GROUP BY hour, source, system_key, outcome, tls_version, principal_type, transfer_kind;

INSERT INTO migrations VALUES (1, '00001_entries.sql', '059e3f8477731ca5a4c2e7f718f06737173f3f39d4cc1bf804d97302de53984f', now64(3));

CREATE TABLE IF NOT EXISTS findings_all
(
    id String CODEC(ZSTD(1)),
    kind LowCardinality(String),
    control LowCardinality(String),
    control_version UInt16,
    severity LowCardinality(String),
    time DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    until DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    detected DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    source LowCardinality(String),
    system LowCardinality(String),
    principal String CODEC(ZSTD(1)),
    principal_kind LowCardinality(String),
    principal_label LowCardinality(String),
    resource LowCardinality(String),
    purpose LowCardinality(String),
    categories Array(LowCardinality(String)),
    subjects Array(String) CODEC(ZSTD(1)),
    entry_id String CODEC(ZSTD(1)),
    count UInt64 CODEC(ZSTD(1)),
    facts Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    chunk LowCardinality(String),
    version UInt16,
    `row` UInt32 CODEC(Delta(4), ZSTD(1)),
    INDEX chunk_index chunk TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (id, detected)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE VIEW IF NOT EXISTS findings AS
SELECT *
FROM findings_all
WHERE (chunk, version) NOT IN (SELECT chunk, version FROM superseded)
ORDER BY id, detected
LIMIT 1 BY id;

CREATE TABLE IF NOT EXISTS rejections
(
    stream LowCardinality(String),
    generation UInt32,
    `offset` UInt64 CODEC(Delta(8), ZSTD(1)),
    source LowCardinality(String),
    format LowCardinality(String),
    received DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    reason LowCardinality(String),
    `column` UInt32 CODEC(ZSTD(1)),
    expected LowCardinality(String),
    length UInt64 CODEC(ZSTD(1)),
    mark UInt32 CODEC(NONE),
    sealed_key String CODEC(ZSTD(1)),
    sealed String CODEC(NONE),
    chunk LowCardinality(String),
    version UInt16,
    `row` UInt32 CODEC(Delta(4), ZSTD(1)),
    event_id String ALIAS concat(stream, '-', toString(generation), '-', toString(`offset`)),
    INDEX chunk_index chunk TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(received)
ORDER BY (source, stream, `offset`)
TTL toDateTime(received) + INTERVAL 30 DAY
SETTINGS non_replicated_deduplication_window = 1000, ttl_only_drop_parts = 1;

CREATE TABLE IF NOT EXISTS chunks
(
    id String,
    version UInt16,
    state LowCardinality(String),
    partition UInt32,
    from UInt64 CODEC(Delta(8), ZSTD(1)),
    until UInt64 CODEC(Delta(8), ZSTD(1)),
    opened DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    at DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    parser LowCardinality(String),
    policy LowCardinality(String),
    data_map LowCardinality(String),
    controls LowCardinality(String),
    country LowCardinality(String),
    keys LowCardinality(String),
    salt String CODEC(NONE),
    streams Array(LowCardinality(String)),
    stream_generations Array(UInt64),
    stream_from Array(UInt64),
    stream_until Array(UInt64),
    stream_taps Array(LowCardinality(String)),
    stream_boots Array(LowCardinality(String)),
    stream_sequences Array(UInt64),
    stream_heads Array(String),
    entries UInt32,
    rejections UInt32,
    findings UInt32,
    roots Map(LowCardinality(String), String),
    row_marks Map(LowCardinality(String), String) CODEC(NONE)
)
ENGINE = MergeTree
ORDER BY (partition, from, id, version, state)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS stream_ranges
(
    stream LowCardinality(String),
    generation UInt32,
    from UInt64 CODEC(Delta(8), ZSTD(1)),
    until UInt64 CODEC(Delta(8), ZSTD(1)),
    tap LowCardinality(String),
    boot LowCardinality(String),
    sequence UInt64,
    head String,
    chunk String,
    version UInt16,
    at DateTime64(9, 'UTC')
)
ENGINE = MergeTree
ORDER BY (stream, generation, from)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE MATERIALIZED VIEW IF NOT EXISTS stream_ranges_mv TO stream_ranges AS
SELECT
    r.1 AS stream, toUInt32(r.2) AS generation, r.3 AS from, r.4 AS until,
    r.5 AS tap, r.6 AS boot, r.7 AS sequence, r.8 AS head,
    id AS chunk, version, at
FROM chunks
ARRAY JOIN arrayZip(streams, stream_generations, stream_from, stream_until,
    stream_taps, stream_boots, stream_sequences, stream_heads) AS r
WHERE state = 'closed';

CREATE TABLE IF NOT EXISTS leaves
(
    chunk String,
    version UInt16,
    leaf UInt64,
    at DateTime64(9, 'UTC')
)
ENGINE = MergeTree
ORDER BY (chunk, version)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS completeness
(
    source LowCardinality(String),
    hour DateTime('UTC'),
    received UInt64,
    missing UInt64,
    rejected UInt64
)
ENGINE = SummingMergeTree
ORDER BY (source, hour)
SETTINGS non_replicated_deduplication_window = 1000;

INSERT INTO migrations VALUES (2, '00002_record.sql', 'b415be87b5044a051babba876d39b989e5978da510d047307fd9ed3c3f494458', now64(3));

ALTER TABLE entries_all MODIFY SETTING min_rows_for_wide_part = 131072, merge_selector_base = 40;

ALTER TABLE findings_all MODIFY SETTING min_rows_for_wide_part = 131072;

INSERT INTO migrations VALUES (4, '00004_parts.sql', 'b014c00ef359d3f9c2509b9ba9059f45dd7e2e3c4d48705050c7f854951f4fd1', now64(3));

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

INSERT INTO migrations VALUES (5, '00005_versions.sql', 'cac1c7b9ecd854f85e76a16a6359796ab776c929af1ad477e8dd8bd886540af0', now64(3));

CREATE TABLE IF NOT EXISTS capsules
(
    id String,
    class LowCardinality(String),
    month LowCardinality(String),
    delegator String,
    key_id LowCardinality(String),
    capsule String,
    first DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    last DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    originals UInt32,
    chunk String,
    version UInt16
)
ENGINE = MergeTree
ORDER BY (chunk, version, class, month, id)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS originals
(
    stream LowCardinality(String),
    generation UInt32,
    `offset` UInt64 CODEC(Delta(8), ZSTD(1)),
    class LowCardinality(String),
    month LowCardinality(String),
    field LowCardinality(String),
    capsule LowCardinality(String),
    sealed String CODEC(NONE),
    chunk LowCardinality(String),
    version UInt16,
    `row` UInt32 CODEC(Delta(4), ZSTD(1)),
    event_id String ALIAS concat(stream, '-', toString(generation), '-', toString(`offset`)),
    INDEX chunk_index chunk TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY month
ORDER BY (stream, `offset`, field)
SETTINGS non_replicated_deduplication_window = 10000;

ALTER TABLE chunks ADD COLUMN IF NOT EXISTS capsules UInt32;

ALTER TABLE chunks ADD COLUMN IF NOT EXISTS originals UInt32;

INSERT INTO migrations VALUES (6, '00006_originals.sql', 'd28e7e5feb34434aaa5979c589adee03eccc81d9acd1a04f5ad173230222945d', now64(3));

CREATE TABLE IF NOT EXISTS subject_links
(
    tag String CODEC(ZSTD(1)),
    day UInt16,
    pseudonym String CODEC(ZSTD(1)),
    date Date ALIAS toDate(day),
    INDEX tag_index tag TYPE bloom_filter(0.01) GRANULARITY 2
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(toDate(day))
ORDER BY (day, pseudonym)
SETTINGS
    non_replicated_deduplication_window = 10000,
    old_parts_lifetime = 1,
    min_rows_to_fsync_after_merge = 1,
    fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS erasing
(
    job String,
    tag String,
    through UInt16,
    secret String,
    chunk String,
    version UInt16,
    `row` UInt32
)
ENGINE = Memory;

ALTER TABLE originals MODIFY SETTING old_parts_lifetime = 1, min_rows_to_fsync_after_merge = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS erasures
(
    id String,
    at DateTime64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY id
SETTINGS non_replicated_deduplication_window = 1000;

INSERT INTO migrations VALUES (7, '00007_links.sql', 'c8fc691443b942bac894c90de29f893f3ba0e620827a8a0f042a5d23a8b357c7', now64(3));

ALTER TABLE rejections_all MODIFY TTL toDateTime(received) + INTERVAL 20 YEAR SETTINGS materialize_ttl_after_modify = 0;

ALTER TABLE rejections_all REMOVE TTL;

CREATE TABLE IF NOT EXISTS expired_all
(
    class LowCardinality(String),
    chunk String,
    version UInt16,
    source LowCardinality(String),
    first DateTime64(9, 'UTC'),
    last DateTime64(9, 'UTC'),
    rows UInt64,
    at DateTime64(9, 'UTC')
)
ENGINE = MergeTree
ORDER BY (class, chunk, version, source)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE VIEW IF NOT EXISTS expired AS
SELECT class, chunk, version, source, min(e.first) AS first, max(e.last) AS last, max(e.rows) AS rows, max(e.at) AS at
FROM expired_all AS e
GROUP BY class, chunk, version, source;

CREATE TABLE IF NOT EXISTS kept_capsules
(
    chunk String,
    version UInt16,
    id String
)
ENGINE = MergeTree
ORDER BY (chunk, version, id)
SETTINGS non_replicated_deduplication_window = 1000;

INSERT INTO migrations VALUES (8, '00008_retention.sql', '83e04cd79f3f1254a2b7dcccec18d704b50dabff43e5bd8f4537585dbe985809', now64(3));

ALTER TABLE entries_all
    MODIFY COLUMN schema_version CODEC(ZSTD(1)),
    MODIFY COLUMN event_time CODEC(GCD, Delta(8), ZSTD(1)),
    MODIFY COLUMN source CODEC(ZSTD(1)),
    MODIFY COLUMN source_format CODEC(ZSTD(1)),
    MODIFY COLUMN time_quality CODEC(ZSTD(1)),
    MODIFY COLUMN stream CODEC(ZSTD(1)),
    MODIFY COLUMN generation CODEC(ZSTD(1)),
    MODIFY COLUMN parse_status CODEC(ZSTD(1)),
    MODIFY COLUMN integrity CODEC(ZSTD(1)),
    MODIFY COLUMN principal_type CODEC(ZSTD(1)),
    MODIFY COLUMN principal_auth CODEC(ZSTD(1)),
    MODIFY COLUMN principal_verified CODEC(ZSTD(1)),
    MODIFY COLUMN principal_org CODEC(ZSTD(1)),
    MODIFY COLUMN principal_label CODEC(ZSTD(1)),
    MODIFY COLUMN peer_ip CODEC(ZSTD(3)),
    MODIFY COLUMN client_ip CODEC(ZSTD(3)),
    MODIFY COLUMN client_country CODEC(ZSTD(1)),
    MODIFY COLUMN client_app CODEC(ZSTD(1)),
    MODIFY COLUMN protocol CODEC(ZSTD(1)),
    MODIFY COLUMN operation CODEC(ZSTD(1)),
    MODIFY COLUMN action CODEC(ZSTD(1)),
    MODIFY COLUMN resource_type CODEC(ZSTD(1)),
    MODIFY COLUMN system_key CODEC(ZSTD(1)),
    MODIFY COLUMN dataset CODEC(ZSTD(1)),
    MODIFY COLUMN url_template CODEC(ZSTD(1)),
    MODIFY COLUMN resource_declared CODEC(ZSTD(1)),
    MODIFY COLUMN query_keys CODEC(ZSTD(1)),
    MODIFY COLUMN subject_kinds CODEC(ZSTD(1)),
    MODIFY COLUMN subject_categories CODEC(ZSTD(1)),
    MODIFY COLUMN subject_count CODEC(T64, ZSTD(1)),
    MODIFY COLUMN categories CODEC(ZSTD(1)),
    MODIFY COLUMN special_category CODEC(ZSTD(1)),
    MODIFY COLUMN found_kinds CODEC(ZSTD(1)),
    MODIFY COLUMN found_places CODEC(ZSTD(1)),
    MODIFY COLUMN purpose CODEC(ZSTD(1)),
    MODIFY COLUMN purpose_source CODEC(ZSTD(1)),
    MODIFY COLUMN purpose_documented CODEC(ZSTD(1)),
    MODIFY COLUMN data_use CODEC(ZSTD(1)),
    MODIFY COLUMN legal_basis CODEC(ZSTD(1)),
    MODIFY COLUMN contract_ref CODEC(ZSTD(1)),
    MODIFY COLUMN recipient CODEC(ZSTD(1)),
    MODIFY COLUMN service_country CODEC(ZSTD(1)),
    MODIFY COLUMN dest_country CODEC(ZSTD(1)),
    MODIFY COLUMN transfer_kind CODEC(ZSTD(1)),
    MODIFY COLUMN transfer_ref CODEC(ZSTD(1)),
    MODIFY COLUMN tls_version CODEC(ZSTD(1)),
    MODIFY COLUMN tls_cipher CODEC(ZSTD(1)),
    MODIFY COLUMN mtls_verified CODEC(ZSTD(1)),
    MODIFY COLUMN status_code CODEC(ZSTD(1)),
    MODIFY COLUMN outcome CODEC(ZSTD(1)),
    MODIFY COLUMN deny_by CODEC(ZSTD(1)),
    MODIFY COLUMN bytes_out CODEC(T64, ZSTD(1)),
    MODIFY COLUMN upstream CODEC(ZSTD(3)),
    MODIFY COLUMN labels CODEC(ZSTD(3)),
    MODIFY COLUMN method CODEC(ZSTD(1)),
    MODIFY COLUMN target CODEC(ZSTD(3)),
    MODIFY COLUMN user_agent CODEC(ZSTD(1)),
    MODIFY COLUMN carries CODEC(ZSTD(3)),
    MODIFY COLUMN chunk CODEC(ZSTD(1)),
    MODIFY COLUMN version CODEC(ZSTD(1));

ALTER TABLE entries_all ADD INDEX IF NOT EXISTS offset_index `offset` TYPE minmax GRANULARITY 1;

INSERT INTO migrations VALUES (9, '00009_codecs.sql', 'db6673c8913e8e2d672eab9837865ec313fb4315aca7b68981d022c225e08943', now64(3));

ALTER TABLE subject_links ADD COLUMN IF NOT EXISTS at DateTime('UTC') DEFAULT toDateTime(0, 'UTC') CODEC(Delta(4), ZSTD(1));

ALTER TABLE subject_links ADD INDEX IF NOT EXISTS at_index at TYPE minmax GRANULARITY 1;

CREATE TABLE IF NOT EXISTS sweeps
(
    at DateTime64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY at
SETTINGS non_replicated_deduplication_window = 1000;

INSERT INTO migrations VALUES (10, '00010_sweeps.sql', '64264450c346146792cb6ece1688840a89f6bfac02fc6610f4c3135f4475dd22', now64(3));

ALTER TABLE entries_all MODIFY SETTING merge_selector_base = 1000;

INSERT INTO migrations VALUES (11, '00011_merges.sql', '39684a48488bfd1a857b01650cf99227c5bea3533fdeb641e3ece504aaa7b7c2', now64(3));

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

INSERT INTO migrations VALUES (13, '00013_quarters.sql', 'c5b9c091df063da71dde8ef3a5f72baabac051b191882a05e7344a56edb0a852', now64(3));

DROP TABLE IF EXISTS entries_hourly_all;

ALTER TABLE findings_all ADD COLUMN IF NOT EXISTS recurs Bool MATERIALIZED NOT (kind = 'violation' AND entry_id != '' AND chunk LIKE 'lines.%') CODEC(ZSTD(1));

CREATE OR REPLACE VIEW findings AS
SELECT *
FROM findings_all
WHERE NOT recurs
    AND (chunk, version) NOT IN (SELECT chunk, version FROM superseded)
    AND (version <= 1 OR (chunk, toUInt16(version - 1)) IN (SELECT chunk, version FROM superseded))
UNION ALL
SELECT *
FROM
(
    SELECT *
    FROM findings_all
    WHERE recurs
        AND (chunk, version) NOT IN (SELECT chunk, version FROM superseded)
        AND (version <= 1 OR (chunk, toUInt16(version - 1)) IN (SELECT chunk, version FROM superseded))
    ORDER BY id, detected
    LIMIT 1 BY id
);

INSERT INTO migrations VALUES (14, '00014_findings.sql', '247de5fd90e345f7e3271775e12240dbbe67272ac8928af6079c55ef0fb7de5f', now64(3));

DROP VIEW IF EXISTS stream_ranges_mv;

DROP TABLE IF EXISTS stream_ranges;

ALTER TABLE chunks ADD INDEX IF NOT EXISTS streams_index streams TYPE bloom_filter(0.01) GRANULARITY 1;

ALTER TABLE chunks MATERIALIZE INDEX streams_index;

CREATE OR REPLACE VIEW stream_ranges AS
SELECT
    streams,
    r.1 AS stream, toUInt32(r.2) AS generation, r.3 AS from, r.4 AS until,
    r.5 AS tap, r.6 AS boot, r.7 AS sequence, r.8 AS head,
    id AS chunk, version, at
FROM chunks
ARRAY JOIN arrayZip(streams, stream_generations, stream_from, stream_until,
    stream_taps, stream_boots, stream_sequences, stream_heads) AS r
WHERE state = 'closed';

DROP VIEW IF EXISTS completeness_of_entries;

INSERT INTO completeness_all (source, hour, received, missing, rejected, chunk, version)
SETTINGS insert_deduplicate = 1, insert_deduplication_token = '00015_quiet', max_threads = 1, max_insert_threads = 1,
    max_block_size = 1000000000, max_insert_block_size = 1000000000, min_insert_block_size_rows = 1000000000, min_insert_block_size_bytes = 0
SELECT source, toStartOfHour(quarter) AS hour, toUInt64(-toInt64(sum(entries))), 0, 0, chunk, version
FROM entries_quarterly_all
GROUP BY source, hour, chunk, version
ORDER BY source, hour, chunk, version;

CREATE OR REPLACE VIEW completeness AS
SELECT source, hour, received, missing, rejected
FROM completeness_all
WHERE version = 0 OR (chunk, toUInt16(version - 1)) IN (SELECT chunk, version FROM superseded)
UNION ALL
SELECT source, toStartOfHour(quarter) AS hour, entries AS received, 0 AS missing, 0 AS rejected
FROM entries_quarterly_all
WHERE version = 0 OR (chunk, toUInt16(version - 1)) IN (SELECT chunk, version FROM superseded);

ALTER TABLE entries_all MODIFY SETTING write_marks_for_substreams_in_compact_parts = 0;

ALTER TABLE entries_quarterly_all MODIFY SETTING write_marks_for_substreams_in_compact_parts = 0;

ALTER TABLE findings_all MODIFY SETTING write_marks_for_substreams_in_compact_parts = 0;

ALTER TABLE chunks MODIFY SETTING write_marks_for_substreams_in_compact_parts = 0;

ALTER TABLE leaves MODIFY SETTING write_marks_for_substreams_in_compact_parts = 0;

ALTER TABLE chunks MODIFY SETTING merge_selector_base = 40;

ALTER TABLE leaves MODIFY SETTING merge_selector_base = 1000;

ALTER TABLE findings_all MODIFY SETTING merge_selector_base = 1000;

ALTER TABLE entries_quarterly_all MODIFY SETTING merge_selector_base = 1000;

INSERT INTO migrations VALUES (15, '00015_quiet.sql', '2bb49e26705f9fc28f82ca5f6f3664295ba2c10ef857abc96a92df0f1528aab4', now64(3));

CREATE USER IF NOT EXISTS `tallystick_writer` IDENTIFIED WITH sha256_password BY 'CHOOSE ONE';

CREATE USER IF NOT EXISTS `tallystick_reader` IDENTIFIED WITH sha256_password BY 'CHOOSE ONE';

GRANT SELECT ON tallystick.* TO `tallystick_reader`;

GRANT INSERT, ALTER UPDATE, ALTER DELETE ON tallystick.* TO `tallystick_writer`;

GRANT SELECT(event_time, source, system_key, outcome, tls_version, principal_type, transfer_kind, subject_count, special_category, categories, purpose_documented, bytes_out, chunk, version) ON tallystick.entries_all TO `tallystick_writer`;

GRANT SELECT(source, hour, reason, stream, generation, offset, chunk, version) ON tallystick.rejections_all TO `tallystick_writer`;

GRANT SELECT(source, hour, reason, chunk, version) ON tallystick.rejections TO `tallystick_writer`;

GRANT SELECT(chunk, version, capsule) ON tallystick.originals TO `tallystick_writer`;

GRANT SELECT(chunk, version, id) ON tallystick.kept_capsules TO `tallystick_writer`;

GRANT SELECT(chunk, version) ON tallystick.superseded TO `tallystick_writer`;

GRANT SELECT(stream, generation, offset, chunk) ON tallystick.replayed TO `tallystick_writer`;

GRANT SELECT(job, tag, through, secret, chunk, version, `row`) ON tallystick.erasing TO `tallystick_writer`;
