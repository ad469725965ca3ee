-- Sealed originals of masked fields, and the capsules of their data keys. No
-- server has a key that opens them. The columns of chunks count them.

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
