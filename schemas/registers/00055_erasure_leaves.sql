-- +goose Up
-- Of which chunk the originals are, so that nobody has to read all leaves for one
-- chunk; empty of acts, and of leaves of before.
ALTER TABLE erasure_leaves ADD COLUMN chunk TEXT NOT NULL DEFAULT '';
CREATE INDEX erasure_leaves_chunk ON erasure_leaves (chunk);
CREATE INDEX erasure_leaves_erasure ON erasure_leaves (erasure);
CREATE INDEX erasure_leaves_at ON erasure_leaves (at);
CREATE INDEX erasure_leaves_gone ON erasure_leaves (gone, id);

-- +goose Down
DROP INDEX erasure_leaves_gone;
DROP INDEX erasure_leaves_at;
DROP INDEX erasure_leaves_erasure;
DROP INDEX erasure_leaves_chunk;
ALTER TABLE erasure_leaves DROP COLUMN chunk;
