-- The counts per hour are sums of those per quarter now.

DROP TABLE IF EXISTS entries_hourly_all;

-- One row per id: the first that was detected. A violation of one entry comes from
-- one chunk, as its entry does, so only the others are compared: gaps and faults, which several
-- chunks may have, and findings of no lines. A condition on time then reaches the
-- table, and a period reads its own parts.

CREATE OR REPLACE VIEW findings AS
SELECT *
FROM findings_all
WHERE (chunk, version) NOT IN (SELECT chunk, version FROM superseded)
    AND (version <= 1 OR (chunk, toUInt16(version - 1)) IN (SELECT chunk, version FROM superseded))
    AND (kind = 'violation' AND entry_id != '' AND chunk LIKE 'lines.%'
        OR (id, detected, chunk, version, `row`) IN (
            SELECT id, f.1, f.2, f.3, f.4
            FROM
            (
                SELECT id, min((detected, chunk, version, `row`)) AS f
                FROM findings_all
                WHERE (chunk, version) NOT IN (SELECT chunk, version FROM superseded)
                    AND (version <= 1 OR (chunk, toUInt16(version - 1)) IN (SELECT chunk, version FROM superseded))
                    AND NOT (kind = 'violation' AND entry_id != '' AND chunk LIKE 'lines.%')
                GROUP BY id
            )));
