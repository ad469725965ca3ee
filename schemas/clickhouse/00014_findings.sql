-- The counts per hour are sums of those per quarter now.

DROP TABLE IF EXISTS entries_hourly_all;

-- One row per id: the first that was detected. A violation of one entry comes from
-- one chunk, as its entry does. Only the others recur: gaps and faults, which
-- several chunks may have, and findings of no lines. So a condition on time or id reaches the table,
-- and a period reads its own parts.

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
