-- +goose Up
-- A retired pseudonym key makes no new tokens; the old ones can be looked up
-- until it is destroyed.
ALTER TABLE day_keys ADD COLUMN retired BIGINT NOT NULL DEFAULT 0; -- 0 while the key is in use
DROP INDEX day_keys_live;
CREATE UNIQUE INDEX day_keys_live ON day_keys (domain, kind, period) WHERE destroyed = 0 AND retired = 0;

-- +goose Down
DROP INDEX day_keys_live;
CREATE UNIQUE INDEX day_keys_live ON day_keys (domain, kind, period) WHERE destroyed = 0;
ALTER TABLE day_keys DROP COLUMN retired;
