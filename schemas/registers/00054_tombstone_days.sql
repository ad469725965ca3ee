-- +goose Up
-- Tombstones have the day of the erasure alone, as its first millisecond: by its
-- moment, which erasures has too, a tombstone would be that of a request.
UPDATE tombstones SET at = at - at % 86400000;

-- +goose Down
-- The moments are gone, and days are moments too.
SELECT 1;
