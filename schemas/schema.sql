-- The tables of an empty database: what the numbered migrations lead to, as
-- the engine tells it. Generated: go test ./internal/store -run TestSchema -update.

CREATE TABLE IF NOT EXISTS capsules
(
    `id` String,
    `class` LowCardinality(String),
    `month` LowCardinality(String),
    `delegator` String,
    `key_id` LowCardinality(String),
    `capsule` String,
    `first` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `last` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `originals` UInt32,
    `chunk` String,
    `version` UInt16
)
ENGINE = MergeTree
ORDER BY (chunk, version, class, month, id)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS chunks
(
    `id` String,
    `version` UInt16,
    `state` LowCardinality(String),
    `partition` UInt32,
    `from` UInt64 CODEC(Delta(8), ZSTD(1)),
    `until` UInt64 CODEC(Delta(8), ZSTD(1)),
    `opened` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `at` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `parser` LowCardinality(String),
    `policy` LowCardinality(String),
    `data_map` LowCardinality(String),
    `controls` LowCardinality(String),
    `country` LowCardinality(String),
    `keys` LowCardinality(String),
    `salt` String CODEC(NONE),
    `streams` Array(LowCardinality(String)),
    `stream_generations` Array(UInt64),
    `stream_from` Array(UInt64),
    `stream_until` Array(UInt64),
    `stream_taps` Array(LowCardinality(String)),
    `stream_boots` Array(LowCardinality(String)),
    `stream_sequences` Array(UInt64),
    `stream_heads` Array(String),
    `entries` UInt32,
    `rejections` UInt32,
    `findings` UInt32,
    `roots` Map(LowCardinality(String), String),
    `row_marks` Map(LowCardinality(String), String) CODEC(NONE),
    `capsules` UInt32,
    `originals` UInt32,
    INDEX streams_index streams TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
ORDER BY (partition, `from`, id, version, state)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192, write_marks_for_substreams_in_compact_parts = 0, merge_selector_base = 40;

CREATE TABLE IF NOT EXISTS completeness_all
(
    `source` LowCardinality(String),
    `hour` DateTime('UTC'),
    `received` UInt64,
    `missing` UInt64,
    `rejected` UInt64,
    `chunk` LowCardinality(String),
    `version` UInt16
)
ENGINE = SummingMergeTree
PRIMARY KEY (source, hour)
ORDER BY (source, hour, chunk, version)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS entries_all
(
    `schema_version` UInt16 CODEC(ZSTD(1)),
    `event_time` DateTime64(9, 'UTC') CODEC(GCD, Delta(8), ZSTD(1)),
    `ingest_time` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `source` LowCardinality(String) CODEC(ZSTD(1)),
    `source_format` LowCardinality(String) CODEC(ZSTD(1)),
    `time_quality` LowCardinality(String) CODEC(ZSTD(1)),
    `stream` LowCardinality(String) CODEC(ZSTD(1)),
    `generation` UInt32 CODEC(ZSTD(1)),
    `offset` UInt64 CODEC(Delta(8), ZSTD(1)),
    `parse_status` LowCardinality(String) CODEC(ZSTD(1)),
    `integrity` LowCardinality(String) CODEC(ZSTD(1)),
    `principal_id` String CODEC(ZSTD(1)),
    `principal_type` LowCardinality(String) CODEC(ZSTD(1)),
    `principal_auth` LowCardinality(String) CODEC(ZSTD(1)),
    `principal_verified` Bool CODEC(ZSTD(1)),
    `principal_org` LowCardinality(String) CODEC(ZSTD(1)),
    `principal_label` LowCardinality(String) CODEC(ZSTD(1)),
    `session_id` String CODEC(ZSTD(1)),
    `peer_ip` String CODEC(ZSTD(3)),
    `client_ip` String CODEC(ZSTD(3)),
    `client_port` UInt16 CODEC(ZSTD(1)),
    `xff_chain` Array(String) CODEC(ZSTD(1)),
    `client_country` LowCardinality(String) CODEC(ZSTD(1)),
    `client_app` LowCardinality(String) CODEC(ZSTD(1)),
    `device_id` String CODEC(ZSTD(1)),
    `request_id` String CODEC(ZSTD(1)),
    `protocol` LowCardinality(String) CODEC(ZSTD(1)),
    `operation` LowCardinality(String) CODEC(ZSTD(1)),
    `action` LowCardinality(String) CODEC(ZSTD(1)),
    `resource_type` LowCardinality(String) CODEC(ZSTD(1)),
    `resource_name` String CODEC(ZSTD(1)),
    `system_key` LowCardinality(String) CODEC(ZSTD(1)),
    `dataset` LowCardinality(String) CODEC(ZSTD(1)),
    `url_template` LowCardinality(String) CODEC(ZSTD(1)),
    `resource_declared` Bool CODEC(ZSTD(1)),
    `query_keys` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `subjects` Array(String) CODEC(ZSTD(1)),
    `subject_kinds` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `subject_categories` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `subject_count` UInt32 CODEC(T64, ZSTD(1)),
    `categories` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `special_category` Bool CODEC(ZSTD(1)),
    `found_kinds` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `found_places` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `purpose` LowCardinality(String) CODEC(ZSTD(1)),
    `purpose_source` LowCardinality(String) CODEC(ZSTD(1)),
    `purpose_documented` Bool CODEC(ZSTD(1)),
    `data_use` LowCardinality(String) CODEC(ZSTD(1)),
    `legal_basis` LowCardinality(String) CODEC(ZSTD(1)),
    `consent_ref` String CODEC(ZSTD(1)),
    `contract_ref` LowCardinality(String) CODEC(ZSTD(1)),
    `recipient` LowCardinality(String) CODEC(ZSTD(1)),
    `service_country` LowCardinality(String) CODEC(ZSTD(1)),
    `dest_country` LowCardinality(String) CODEC(ZSTD(1)),
    `transfer_kind` LowCardinality(String) CODEC(ZSTD(1)),
    `transfer_ref` LowCardinality(String) CODEC(ZSTD(1)),
    `tls_version` LowCardinality(String) CODEC(ZSTD(1)),
    `tls_cipher` LowCardinality(String) CODEC(ZSTD(1)),
    `sni` String CODEC(ZSTD(1)),
    `client_cert_subject` String CODEC(ZSTD(1)),
    `client_cert_sha256` String CODEC(ZSTD(1)),
    `mtls_verified` Bool CODEC(ZSTD(1)),
    `status_code` UInt16 CODEC(ZSTD(1)),
    `outcome` LowCardinality(String) CODEC(ZSTD(1)),
    `deny_by` LowCardinality(String) CODEC(ZSTD(1)),
    `bytes_in` UInt64 CODEC(ZSTD(1)),
    `bytes_out` UInt64 CODEC(T64, ZSTD(1)),
    `duration_us` UInt64 CODEC(ZSTD(1)),
    `upstream` String CODEC(ZSTD(3)),
    `labels` Map(LowCardinality(String), String) CODEC(ZSTD(3)),
    `method` LowCardinality(String) CODEC(ZSTD(1)),
    `target` String CODEC(ZSTD(3)),
    `host` String CODEC(ZSTD(1)),
    `referer` String CODEC(ZSTD(1)),
    `user_agent` LowCardinality(String) CODEC(ZSTD(1)),
    `carries` Array(LowCardinality(String)) CODEC(ZSTD(3)),
    `chunk` LowCardinality(String) CODEC(ZSTD(1)),
    `version` UInt16 CODEC(ZSTD(1)),
    `row` UInt32 CODEC(Delta(4), ZSTD(1)),
    `mark` UInt32 CODEC(NONE),
    `event_id` String ALIAS concat(stream, '-', toString(generation), '-', toString(offset)),
    INDEX subjects_index subjects TYPE bloom_filter(0.01) GRANULARITY 2,
    INDEX principal_index principal_id TYPE bloom_filter(0.01) GRANULARITY 2,
    INDEX resource_index (system_key, url_template) TYPE bloom_filter(0.01) GRANULARITY 2,
    INDEX chunk_index chunk TYPE bloom_filter(0.001) GRANULARITY 2,
    INDEX offset_index offset TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(event_time)
ORDER BY (source, toStartOfHour(event_time), stream, offset)
SETTINGS non_replicated_deduplication_window = 10000, min_columns_to_activate_adaptive_write_buffer = 1, vertical_merge_algorithm_min_rows_to_activate = 1, index_granularity = 8192, min_rows_for_wide_part = 131072, merge_selector_base = 1000, write_marks_for_substreams_in_compact_parts = 0;

CREATE TABLE IF NOT EXISTS entries_quarterly_all
(
    `quarter` DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    `source` LowCardinality(String) CODEC(ZSTD(1)),
    `source_format` LowCardinality(String) CODEC(ZSTD(1)),
    `system_key` LowCardinality(String) CODEC(ZSTD(1)),
    `outcome` LowCardinality(String) CODEC(ZSTD(1)),
    `deny_by` LowCardinality(String) CODEC(ZSTD(1)),
    `principal_type` LowCardinality(String) CODEC(ZSTD(1)),
    `principal_auth` LowCardinality(String) CODEC(ZSTD(1)),
    `tls_version` LowCardinality(String) CODEC(ZSTD(1)),
    `purpose` LowCardinality(String) CODEC(ZSTD(1)),
    `purpose_source` LowCardinality(String) CODEC(ZSTD(1)),
    `recipient` LowCardinality(String) CODEC(ZSTD(1)),
    `dest_country` LowCardinality(String) CODEC(ZSTD(1)),
    `transfer_kind` LowCardinality(String) CODEC(ZSTD(1)),
    `categories` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `carries` Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `newest` SimpleAggregateFunction(max, Tuple(
        DateTime64(9, 'UTC'),
        DateTime64(9, 'UTC'))) CODEC(ZSTD(1)),
    `chunk` LowCardinality(String) CODEC(ZSTD(1)),
    `version` UInt16 CODEC(ZSTD(1)),
    `entries` UInt64 CODEC(T64, ZSTD(1)),
    `documented` UInt64 CODEC(T64, ZSTD(1)),
    `special` UInt64 CODEC(T64, ZSTD(1)),
    `special_documented` UInt64 CODEC(T64, ZSTD(1)),
    `with_subjects` UInt64 CODEC(T64, ZSTD(1)),
    `named` UInt64 CODEC(T64, ZSTD(1)),
    `verified` UInt64 CODEC(T64, ZSTD(1)),
    `named_mtls` UInt64 CODEC(T64, ZSTD(1)),
    `mtls` UInt64 CODEC(T64, ZSTD(1)),
    `partial` UInt64 CODEC(T64, ZSTD(1)),
    `doubtful` UInt64 CODEC(T64, ZSTD(1)),
    `bytes_out` UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = SummingMergeTree
PARTITION BY toYYYYMM(quarter)
ORDER BY (source, quarter, source_format, system_key, outcome, deny_by, principal_type, principal_auth, tls_version, purpose, purpose_source, recipient, dest_country, transfer_kind, categories, carries, chunk, version)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192, write_marks_for_substreams_in_compact_parts = 0, merge_selector_base = 1000;

CREATE TABLE IF NOT EXISTS erasing
(
    `job` String,
    `tag` String,
    `through` UInt16,
    `secret` String,
    `chunk` String,
    `version` UInt16,
    `row` UInt32
)
ENGINE = Memory;

CREATE TABLE IF NOT EXISTS erasures
(
    `id` String,
    `at` DateTime64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY id
SETTINGS non_replicated_deduplication_window = 1000, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS expired_all
(
    `class` LowCardinality(String),
    `chunk` String,
    `version` UInt16,
    `source` LowCardinality(String),
    `first` DateTime64(9, 'UTC'),
    `last` DateTime64(9, 'UTC'),
    `rows` UInt64,
    `at` DateTime64(9, 'UTC')
)
ENGINE = MergeTree
ORDER BY (class, chunk, version, source)
SETTINGS non_replicated_deduplication_window = 1000, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS findings_all
(
    `id` String CODEC(ZSTD(1)),
    `kind` LowCardinality(String),
    `control` LowCardinality(String),
    `control_version` UInt16,
    `severity` LowCardinality(String),
    `time` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `until` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `detected` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `source` LowCardinality(String),
    `system` LowCardinality(String),
    `principal` String CODEC(ZSTD(1)),
    `principal_kind` LowCardinality(String),
    `principal_label` LowCardinality(String),
    `resource` LowCardinality(String),
    `purpose` LowCardinality(String),
    `categories` Array(LowCardinality(String)),
    `subjects` Array(String) CODEC(ZSTD(1)),
    `entry_id` String CODEC(ZSTD(1)),
    `count` UInt64 CODEC(ZSTD(1)),
    `facts` Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    `chunk` LowCardinality(String),
    `version` UInt16,
    `row` UInt32 CODEC(Delta(4), ZSTD(1)),
    `recurs` Bool MATERIALIZED NOT ((kind = 'violation') AND (entry_id != '') AND (chunk LIKE 'lines.%')) CODEC(ZSTD(1)),
    INDEX chunk_index chunk TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (id, detected)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192, min_rows_for_wide_part = 131072, write_marks_for_substreams_in_compact_parts = 0, merge_selector_base = 1000;

CREATE TABLE IF NOT EXISTS kept_capsules
(
    `chunk` String,
    `version` UInt16,
    `id` String
)
ENGINE = MergeTree
ORDER BY (chunk, version, id)
SETTINGS non_replicated_deduplication_window = 1000, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS leaves
(
    `chunk` String,
    `version` UInt16,
    `leaf` UInt64,
    `at` DateTime64(9, 'UTC')
)
ENGINE = MergeTree
ORDER BY (chunk, version)
SETTINGS non_replicated_deduplication_window = 1000, index_granularity = 8192, write_marks_for_substreams_in_compact_parts = 0, merge_selector_base = 1000;

CREATE TABLE IF NOT EXISTS originals
(
    `stream` LowCardinality(String),
    `generation` UInt32,
    `offset` UInt64 CODEC(Delta(8), ZSTD(1)),
    `class` LowCardinality(String),
    `month` LowCardinality(String),
    `field` LowCardinality(String),
    `capsule` LowCardinality(String),
    `sealed` String CODEC(NONE),
    `chunk` LowCardinality(String),
    `version` UInt16,
    `row` UInt32 CODEC(Delta(4), ZSTD(1)),
    `event_id` String ALIAS concat(stream, '-', toString(generation), '-', toString(offset)),
    INDEX chunk_index chunk TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY month
ORDER BY (stream, offset, field)
SETTINGS non_replicated_deduplication_window = 10000, index_granularity = 8192, old_parts_lifetime = 1, min_rows_to_fsync_after_merge = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS rejections_all
(
    `stream` LowCardinality(String),
    `generation` UInt32,
    `offset` UInt64 CODEC(Delta(8), ZSTD(1)),
    `source` LowCardinality(String),
    `format` LowCardinality(String),
    `received` DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    `reason` LowCardinality(String),
    `column` UInt32 CODEC(ZSTD(1)),
    `expected` LowCardinality(String),
    `length` UInt64 CODEC(ZSTD(1)),
    `mark` UInt32 CODEC(NONE),
    `sealed_key` String CODEC(ZSTD(1)),
    `sealed` String CODEC(NONE),
    `chunk` LowCardinality(String),
    `version` UInt16,
    `row` UInt32 CODEC(Delta(4), ZSTD(1)),
    `event_id` String ALIAS concat(stream, '-', toString(generation), '-', toString(offset)),
    `hour` DateTime64(9, 'UTC') DEFAULT toStartOfHour(received) CODEC(Delta(8), ZSTD(1)),
    INDEX chunk_index chunk TYPE bloom_filter(0.001) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(received)
ORDER BY (source, stream, offset)
SETTINGS non_replicated_deduplication_window = 10000, ttl_only_drop_parts = 1, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS replayed
(
    `stream` LowCardinality(String),
    `generation` UInt32,
    `offset` UInt64 CODEC(Delta(8), ZSTD(1)),
    `chunk` String
)
ENGINE = MergeTree
ORDER BY (chunk, stream, generation, offset)
SETTINGS non_replicated_deduplication_window = 1000, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS subject_links
(
    `tag` String CODEC(ZSTD(1)),
    `day` UInt16,
    `pseudonym` String CODEC(ZSTD(1)),
    `date` Date ALIAS toDate(day),
    `at` DateTime('UTC') DEFAULT toDateTime(0, 'UTC') CODEC(Delta(4), ZSTD(1)),
    INDEX tag_index tag TYPE bloom_filter(0.01) GRANULARITY 2,
    INDEX at_index at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(toDate(day))
ORDER BY (day, pseudonym)
SETTINGS non_replicated_deduplication_window = 10000, old_parts_lifetime = 1, min_rows_to_fsync_after_merge = 1, fsync_part_directory = 1, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS superseded
(
    `chunk` String,
    `version` UInt16,
    `at` DateTime64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY (chunk, version)
SETTINGS non_replicated_deduplication_window = 1000, index_granularity = 8192;

CREATE TABLE IF NOT EXISTS sweeps
(
    `at` DateTime64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY at
SETTINGS non_replicated_deduplication_window = 1000, index_granularity = 8192;

CREATE VIEW IF NOT EXISTS entries
(
    `schema_version` UInt16,
    `event_time` DateTime64(9, 'UTC'),
    `ingest_time` DateTime64(9, 'UTC'),
    `source` LowCardinality(String),
    `source_format` LowCardinality(String),
    `time_quality` LowCardinality(String),
    `stream` LowCardinality(String),
    `generation` UInt32,
    `offset` UInt64,
    `parse_status` LowCardinality(String),
    `integrity` LowCardinality(String),
    `principal_id` String,
    `principal_type` LowCardinality(String),
    `principal_auth` LowCardinality(String),
    `principal_verified` Bool,
    `principal_org` LowCardinality(String),
    `principal_label` LowCardinality(String),
    `session_id` String,
    `peer_ip` String,
    `client_ip` String,
    `client_port` UInt16,
    `xff_chain` Array(String),
    `client_country` LowCardinality(String),
    `client_app` LowCardinality(String),
    `device_id` String,
    `request_id` String,
    `protocol` LowCardinality(String),
    `operation` LowCardinality(String),
    `action` LowCardinality(String),
    `resource_type` LowCardinality(String),
    `resource_name` String,
    `system_key` LowCardinality(String),
    `dataset` LowCardinality(String),
    `url_template` LowCardinality(String),
    `resource_declared` Bool,
    `query_keys` Array(LowCardinality(String)),
    `subjects` Array(String),
    `subject_kinds` Array(LowCardinality(String)),
    `subject_categories` Array(LowCardinality(String)),
    `subject_count` UInt32,
    `categories` Array(LowCardinality(String)),
    `special_category` Bool,
    `found_kinds` Array(LowCardinality(String)),
    `found_places` Array(LowCardinality(String)),
    `purpose` LowCardinality(String),
    `purpose_source` LowCardinality(String),
    `purpose_documented` Bool,
    `data_use` LowCardinality(String),
    `legal_basis` LowCardinality(String),
    `consent_ref` String,
    `contract_ref` LowCardinality(String),
    `recipient` LowCardinality(String),
    `service_country` LowCardinality(String),
    `dest_country` LowCardinality(String),
    `transfer_kind` LowCardinality(String),
    `transfer_ref` LowCardinality(String),
    `tls_version` LowCardinality(String),
    `tls_cipher` LowCardinality(String),
    `sni` String,
    `client_cert_subject` String,
    `client_cert_sha256` String,
    `mtls_verified` Bool,
    `status_code` UInt16,
    `outcome` LowCardinality(String),
    `deny_by` LowCardinality(String),
    `bytes_in` UInt64,
    `bytes_out` UInt64,
    `duration_us` UInt64,
    `upstream` String,
    `labels` Map(LowCardinality(String), String),
    `method` LowCardinality(String),
    `target` String,
    `host` String,
    `referer` String,
    `user_agent` LowCardinality(String),
    `carries` Array(LowCardinality(String)),
    `chunk` LowCardinality(String),
    `version` UInt16,
    `row` UInt32,
    `mark` UInt32,
    `event_id` String
)
AS SELECT
    *,
    event_id
FROM entries_all
WHERE ((chunk, version) NOT IN (
    SELECT
        chunk,
        version
    FROM superseded
)) AND ((version <= 1) OR ((chunk, toUInt16(version - 1)) IN (
    SELECT
        chunk,
        version
    FROM superseded
)));

CREATE VIEW IF NOT EXISTS rejections
(
    `stream` LowCardinality(String),
    `generation` UInt32,
    `offset` UInt64,
    `source` LowCardinality(String),
    `format` LowCardinality(String),
    `received` DateTime64(9, 'UTC'),
    `reason` LowCardinality(String),
    `column` UInt32,
    `expected` LowCardinality(String),
    `length` UInt64,
    `mark` UInt32,
    `sealed_key` String,
    `sealed` String,
    `chunk` LowCardinality(String),
    `version` UInt16,
    `row` UInt32,
    `hour` DateTime64(9, 'UTC'),
    `event_id` String
)
AS SELECT
    *,
    event_id
FROM rejections_all
WHERE ((chunk, version) NOT IN (
    SELECT
        chunk,
        version
    FROM superseded
)) AND ((version <= 1) OR ((chunk, toUInt16(version - 1)) IN (
    SELECT
        chunk,
        version
    FROM superseded
))) AND ((stream, generation, offset) NOT IN (
    SELECT
        stream,
        generation,
        offset
    FROM replayed
    WHERE chunk IN (
        SELECT chunk
        FROM superseded
    )
));

CREATE MATERIALIZED VIEW IF NOT EXISTS completeness_of_rejections TO completeness_all
(
    `source` LowCardinality(String),
    `hour` DateTime('UTC'),
    `received` UInt64,
    `missing` UInt8,
    `rejected` UInt64,
    `chunk` String,
    `version` UInt16
)
AS SELECT
    source,
    toStartOfHour(rejections_all.hour) AS hour,
    count() AS received,
    0 AS missing,
    count() AS rejected,
    if(rejections_all.version = 1, '', rejections_all.chunk) AS chunk,
    if(rejections_all.version = 1, toUInt16(0), rejections_all.version) AS version
FROM rejections_all
WHERE reason != 'tap'
GROUP BY
    source,
    hour,
    chunk,
    version;

CREATE VIEW IF NOT EXISTS expired
(
    `class` LowCardinality(String),
    `chunk` String,
    `version` UInt16,
    `source` LowCardinality(String),
    `first` DateTime64(9, 'UTC'),
    `last` DateTime64(9, 'UTC'),
    `rows` UInt64,
    `at` DateTime64(9, 'UTC')
)
AS SELECT
    class,
    chunk,
    version,
    source,
    min(e.first) AS first,
    max(e.last) AS last,
    max(e.rows) AS rows,
    max(e.at) AS at
FROM expired_all AS e
GROUP BY
    class,
    chunk,
    version,
    source;

CREATE MATERIALIZED VIEW IF NOT EXISTS entries_quarterly_filled TO entries_quarterly_all
(
    `quarter` DateTime('UTC'),
    `source` LowCardinality(String),
    `source_format` LowCardinality(String),
    `system_key` LowCardinality(String),
    `outcome` LowCardinality(String),
    `deny_by` LowCardinality(String),
    `principal_type` LowCardinality(String),
    `principal_auth` LowCardinality(String),
    `tls_version` LowCardinality(String),
    `purpose` LowCardinality(String),
    `purpose_source` LowCardinality(String),
    `recipient` LowCardinality(String),
    `dest_country` LowCardinality(String),
    `transfer_kind` LowCardinality(String),
    `categories` Array(LowCardinality(String)),
    `carries` Array(LowCardinality(String)),
    `newest` Tuple(
        DateTime64(9, 'UTC'),
        DateTime64(9, 'UTC')),
    `chunk` String,
    `version` UInt16,
    `entries` UInt64,
    `documented` UInt64,
    `special` UInt64,
    `special_documented` UInt64,
    `with_subjects` UInt64,
    `named` UInt64,
    `verified` UInt64,
    `named_mtls` UInt64,
    `mtls` UInt64,
    `partial` UInt64,
    `doubtful` UInt64,
    `bytes_out` UInt64
)
AS SELECT
    toStartOfFifteenMinutes(event_time) AS quarter,
    source,
    source_format,
    system_key,
    outcome,
    deny_by,
    principal_type,
    principal_auth,
    tls_version,
    purpose,
    purpose_source,
    recipient,
    dest_country,
    transfer_kind,
    categories,
    carries,
    max((ingest_time, event_time)) AS newest,
    if(entries_all.version = 1, '', entries_all.chunk) AS chunk,
    if(entries_all.version = 1, toUInt16(0), entries_all.version) AS version,
    count() AS entries,
    sum(purpose_documented) AS documented,
    sum(special_category) AS special,
    sum(special_category AND purpose_documented) AS special_documented,
    sum(subject_count > 0) AS with_subjects,
    sum(principal_id != '') AS named,
    sum((principal_id != '') AND principal_verified) AS verified,
    sum((principal_id != '') AND mtls_verified) AS named_mtls,
    sum(mtls_verified) AS mtls,
    sum(parse_status != 'ok') AS partial,
    sum(integrity != 'ok') AS doubtful,
    sum(bytes_out) AS bytes_out
FROM entries_all
GROUP BY
    quarter,
    source,
    source_format,
    system_key,
    outcome,
    deny_by,
    principal_type,
    principal_auth,
    tls_version,
    purpose,
    purpose_source,
    recipient,
    dest_country,
    transfer_kind,
    categories,
    carries,
    chunk,
    version;

CREATE VIEW IF NOT EXISTS entries_quarterly
(
    `quarter` DateTime('UTC'),
    `source` LowCardinality(String),
    `source_format` LowCardinality(String),
    `system_key` LowCardinality(String),
    `outcome` LowCardinality(String),
    `deny_by` LowCardinality(String),
    `principal_type` LowCardinality(String),
    `principal_auth` LowCardinality(String),
    `tls_version` LowCardinality(String),
    `purpose` LowCardinality(String),
    `purpose_source` LowCardinality(String),
    `recipient` LowCardinality(String),
    `dest_country` LowCardinality(String),
    `transfer_kind` LowCardinality(String),
    `categories` Array(LowCardinality(String)),
    `carries` Array(LowCardinality(String)),
    `newest` SimpleAggregateFunction(max, Tuple(
        DateTime64(9, 'UTC'),
        DateTime64(9, 'UTC'))),
    `entries` UInt64,
    `documented` UInt64,
    `special` UInt64,
    `special_documented` UInt64,
    `with_subjects` UInt64,
    `named` UInt64,
    `verified` UInt64,
    `named_mtls` UInt64,
    `mtls` UInt64,
    `partial` UInt64,
    `doubtful` UInt64,
    `bytes_out` UInt64
)
AS SELECT * EXCEPT (chunk, version)
FROM entries_quarterly_all
WHERE (version = 0) OR ((chunk, toUInt16(version - 1)) IN (
    SELECT
        chunk,
        version
    FROM superseded
));

CREATE VIEW IF NOT EXISTS entries_hourly
(
    `hour` DateTime('UTC'),
    `source` LowCardinality(String),
    `system_key` LowCardinality(String),
    `outcome` LowCardinality(String),
    `tls_version` LowCardinality(String),
    `principal_type` LowCardinality(String),
    `transfer_kind` LowCardinality(String),
    `entries` UInt64,
    `denied` UInt64,
    `with_subjects` UInt64,
    `special` UInt64,
    `undocumented` UInt64,
    `bytes_out` UInt64
)
AS SELECT
    toStartOfHour(quarter) AS hour,
    source,
    system_key,
    outcome,
    tls_version,
    principal_type,
    transfer_kind,
    entries,
    if(outcome = 'denied', entries, 0) AS denied,
    with_subjects,
    special,
    if(notEmpty(categories), toUInt64(entries - documented), 0) AS undocumented,
    bytes_out
FROM entries_quarterly_all
WHERE (version = 0) OR ((chunk, toUInt16(version - 1)) IN (
    SELECT
        chunk,
        version
    FROM superseded
));

CREATE VIEW IF NOT EXISTS findings
(
    `id` String,
    `kind` LowCardinality(String),
    `control` LowCardinality(String),
    `control_version` UInt16,
    `severity` LowCardinality(String),
    `time` DateTime64(9, 'UTC'),
    `until` DateTime64(9, 'UTC'),
    `detected` DateTime64(9, 'UTC'),
    `source` LowCardinality(String),
    `system` LowCardinality(String),
    `principal` String,
    `principal_kind` LowCardinality(String),
    `principal_label` LowCardinality(String),
    `resource` LowCardinality(String),
    `purpose` LowCardinality(String),
    `categories` Array(LowCardinality(String)),
    `subjects` Array(String),
    `entry_id` String,
    `count` UInt64,
    `facts` Map(LowCardinality(String), String),
    `chunk` LowCardinality(String),
    `version` UInt16,
    `row` UInt32
)
AS SELECT *
FROM findings_all
WHERE (NOT recurs) AND ((chunk, version) NOT IN (
    SELECT
        chunk,
        version
    FROM superseded
)) AND ((version <= 1) OR ((chunk, toUInt16(version - 1)) IN (
    SELECT
        chunk,
        version
    FROM superseded
)))
UNION ALL
SELECT *
FROM
(
    SELECT *
    FROM findings_all
    WHERE recurs AND ((chunk, version) NOT IN (
        SELECT
            chunk,
            version
        FROM superseded
    )) AND ((version <= 1) OR ((chunk, toUInt16(version - 1)) IN (
        SELECT
            chunk,
            version
        FROM superseded
    )))
    ORDER BY
        id ASC,
        detected ASC
    LIMIT 1 BY id
);

CREATE VIEW IF NOT EXISTS stream_ranges
(
    `streams` Array(LowCardinality(String)),
    `stream` String,
    `generation` UInt32,
    `from` UInt64,
    `until` UInt64,
    `tap` String,
    `boot` String,
    `sequence` UInt64,
    `head` String,
    `chunk` String,
    `version` UInt16,
    `at` DateTime64(9, 'UTC')
)
AS SELECT
    streams,
    r.1 AS stream,
    toUInt32(r.2) AS generation,
    r.3 AS `from`,
    r.4 AS until,
    r.5 AS tap,
    r.6 AS boot,
    r.7 AS sequence,
    r.8 AS head,
    id AS chunk,
    version,
    at
FROM chunks
ARRAY JOIN arrayZip(streams, stream_generations, stream_from, stream_until, stream_taps, stream_boots, stream_sequences, stream_heads) AS r
WHERE state = 'closed';

CREATE VIEW IF NOT EXISTS completeness
(
    `source` LowCardinality(String),
    `hour` DateTime('UTC'),
    `received` UInt64,
    `missing` UInt64,
    `rejected` UInt64
)
AS SELECT
    source,
    hour,
    received,
    missing,
    rejected
FROM completeness_all
WHERE (version = 0) OR ((chunk, toUInt16(version - 1)) IN (
    SELECT
        chunk,
        version
    FROM superseded
))
UNION ALL
SELECT
    source,
    toStartOfHour(quarter) AS hour,
    entries AS received,
    0 AS missing,
    0 AS rejected
FROM entries_quarterly_all
WHERE (version = 0) OR ((chunk, toUInt16(version - 1)) IN (
    SELECT
        chunk,
        version
    FROM superseded
));
