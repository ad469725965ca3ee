-- +goose Up
-- Legal holds: what must not be removed until it is lifted. What is empty or 0
-- restricts nothing. Times are unix milliseconds, UTC.
CREATE TABLE holds (
  id         BIGINT NOT NULL PRIMARY KEY,
  reason     TEXT   NOT NULL,
  made_by    TEXT   NOT NULL,
  made_at    BIGINT NOT NULL,
  source     TEXT   NOT NULL,
  class      TEXT   NOT NULL,
  from_ms    BIGINT NOT NULL,
  until_ms   BIGINT NOT NULL,
  subjects   TEXT   NOT NULL, -- pseudonyms, with spaces between
  request    TEXT   NOT NULL, -- id of a privacy request
  lifted_by  TEXT   NOT NULL,
  lifted_at  BIGINT NOT NULL,
  lifted_for TEXT   NOT NULL
);

-- +goose Down
DROP TABLE holds;
