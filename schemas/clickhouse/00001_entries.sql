-- Entries: one row per masked line. The columns are audit.EntryFields in their
-- order; a test holds the two equal. Plain MergeTree: the insert token makes a
-- repeated insert count once, so readers need no FINAL.

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
    -- Merges of this many columns at once would take ten times the memory.
    min_columns_to_activate_adaptive_write_buffer = 1,
    vertical_merge_algorithm_min_rows_to_activate = 1;

-- Versions of chunks that a later version replaced.

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

-- Counts per hour, filled with each insert under its token.

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
