-- What a chunk of few lines costs is the tables that it is written to, whatever
-- is in them: each is an insert, a dozen files and their merges.
--
-- The ranges of streams are read from the chunks that have them. A stream is
-- looked for when its first batch comes, and its chunks lie together.

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

-- Entries are counted per quarter of an hour, so completeness_all has only what
-- is counted beside them: it loses what the counts per quarter have. One block
-- under a token, so that it loses that once.

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

-- Marks of the parts of columns serve reads of parts of columns.

ALTER TABLE entries_all MODIFY SETTING write_marks_for_substreams_in_compact_parts = 0;
ALTER TABLE entries_quarterly_all MODIFY SETTING write_marks_for_substreams_in_compact_parts = 0;
ALTER TABLE findings_all MODIFY SETTING write_marks_for_substreams_in_compact_parts = 0;
ALTER TABLE chunks MODIFY SETTING write_marks_for_substreams_in_compact_parts = 0;
ALTER TABLE leaves MODIFY SETTING write_marks_for_substreams_in_compact_parts = 0;

-- Merges wait for more parts, as those of entries do: for some twenty-five of
-- chunks, which each chunk asks for, and some fifty of what is asked for seldom.

ALTER TABLE chunks MODIFY SETTING merge_selector_base = 40;
ALTER TABLE leaves MODIFY SETTING merge_selector_base = 1000;
ALTER TABLE findings_all MODIFY SETTING merge_selector_base = 1000;
ALTER TABLE entries_quarterly_all MODIFY SETTING merge_selector_base = 1000;
