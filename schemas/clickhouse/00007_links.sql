-- Links: which tag of a long epoch a pseudonym of a day belongs to. Beside the
-- entries and outside the ledger, because erasing a person changes them. A link
-- that is written again is one link. The order does not begin with the tag: a
-- column of the order can't be changed. Statements about a person take what they
-- need from the memory table erasing, so that no statement or mutation that is
-- kept anywhere names a tag; and parts that hold old tags go at once, so that
-- the parts in their place have to be on the disk before.

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

-- Which erasures this store has been through: after a restore of a back-up they
-- are missing, and are applied again.

CREATE TABLE IF NOT EXISTS erasures
(
    id String,
    at DateTime64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY id
SETTINGS non_replicated_deduplication_window = 1000;
