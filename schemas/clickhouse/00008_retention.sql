-- What leaves the record by its age is removed by the ledger's process, which
-- writes a tombstone first and asks for legal holds: nothing goes by itself.

-- REMOVE TTL fails where there is none, so there is one before.

ALTER TABLE rejections_all MODIFY TTL toDateTime(received) + INTERVAL 20 YEAR SETTINGS materialize_ttl_after_modify = 0;
ALTER TABLE rejections_all REMOVE TTL;

-- What went, by class and source. Reports name it where it reaches into their
-- period. Rollups keep their numbers.

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

-- A removal that was interrupted is done again, with what was left.

CREATE VIEW IF NOT EXISTS expired AS
SELECT class, chunk, version, source, min(e.first) AS first, max(e.last) AS last, max(e.rows) AS rows, max(e.at) AS at
FROM expired_all AS e
GROUP BY class, chunk, version, source;

-- Capsules that a leaf commits to although their originals are gone.

CREATE TABLE IF NOT EXISTS kept_capsules
(
    chunk String,
    version UInt16,
    id String
)
ENGINE = MergeTree
ORDER BY (chunk, version, id)
SETTINGS non_replicated_deduplication_window = 1000;
