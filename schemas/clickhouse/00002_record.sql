-- Findings, rejections, and the record of chunks and their ledger leaves.

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

-- One row per id: the first that was detected.

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

-- Append-only: a chunk has a row when it is announced (open) and one when it is
-- complete (closed). Kafka offsets are never negative.

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

-- The ranges of each stream that closed chunks hold, for look-ups by stream.

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

-- What was received, per source and hour: lines (entries and rejections), lines
-- that the tap's chain shows to be missing, and rejections.

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
