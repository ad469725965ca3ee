-- When a link was written, so that a sweep for people who were erased reads only
-- what is new since the one before. Links of before have the time 0.

ALTER TABLE subject_links ADD COLUMN IF NOT EXISTS at DateTime('UTC') DEFAULT toDateTime(0, 'UTC') CODEC(Delta(4), ZSTD(1));

ALTER TABLE subject_links ADD INDEX IF NOT EXISTS at_index at TYPE minmax GRANULARITY 1;

-- Up to when links were looked through. It is beside them, so that a back-up that
-- is restored brings the time that fits its links.

CREATE TABLE IF NOT EXISTS sweeps
(
    at DateTime64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY at
SETTINGS non_replicated_deduplication_window = 1000;
