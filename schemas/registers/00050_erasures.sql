-- +goose Up
-- Erasures of people, by the requests that asked for them. No personal value:
-- marks are keyed, and empty once the erasure is done or refused.
CREATE TABLE erasures (
  id           TEXT   NOT NULL PRIMARY KEY, -- random; the ledger has it
  request      TEXT   NOT NULL, -- id in requests
  approval     BIGINT NOT NULL, -- id in approvals
  requested_by TEXT   NOT NULL,
  requested_at BIGINT NOT NULL, -- unix milliseconds, UTC
  marks        TEXT   NOT NULL, -- JSON list of the tombstones to be; empty afterwards
  begun        BIGINT NOT NULL, -- when it came into force; 0 before
  done         BIGINT NOT NULL, -- 0 before
  refused      BIGINT NOT NULL, -- 0 unless it was refused
  answer       TEXT   NOT NULL  -- JSON: counts and dates
);
CREATE INDEX erasures_request ON erasures (request, requested_at);

-- Who was erased, under the erasure-check key. No column leads to a request.
CREATE TABLE tombstones (
  mark    TEXT   NOT NULL PRIMARY KEY,
  at      BIGINT NOT NULL, -- unix milliseconds, UTC
  through BIGINT NOT NULL  -- last day without links, days since 1970-01-01
);

-- What the ledger has to commit to: acts, and originals that went. Rows of
-- originals name no erasure.
CREATE TABLE erasure_leaves (
  id      BIGINT NOT NULL PRIMARY KEY,
  erasure TEXT   NOT NULL, -- of an act; else empty
  leaf    TEXT   NOT NULL UNIQUE, -- as the ledger encodes it
  at      BIGINT NOT NULL, -- index in the log; -1 before
  gone    BIGINT NOT NULL  -- 1 when the originals are destroyed
);

-- +goose Down
DROP TABLE erasure_leaves;
DROP TABLE tombstones;
DROP TABLE erasures;
