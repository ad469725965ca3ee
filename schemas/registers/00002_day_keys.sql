-- +goose Up
-- Keys of pseudonyms, wrapped by the KEK. A destroyed key keeps its row, so
-- that its id is never used again, but not its wrapped bytes.
CREATE TABLE day_keys (
  id            TEXT   NOT NULL PRIMARY KEY,
  domain        TEXT   NOT NULL,
  kind          TEXT   NOT NULL, -- day or year
  period        TEXT   NOT NULL, -- 2026-11-21 or 2026, UTC
  wrapped       TEXT   NOT NULL, -- base64; empty once destroyed
  created       BIGINT NOT NULL,
  destroy_after BIGINT NOT NULL,
  destroyed     BIGINT NOT NULL  -- 0 while the key is live
);
CREATE UNIQUE INDEX day_keys_live ON day_keys (domain, kind, period) WHERE destroyed = 0;

-- +goose Down
DROP TABLE day_keys;
