-- +goose Up
-- Acts that need a second person. decision is '', 'approved' or 'denied'.
CREATE TABLE approvals (
  id           BIGINT NOT NULL PRIMARY KEY,
  kind         TEXT   NOT NULL, -- keys.destroy, erasure, suppression...
  object       TEXT   NOT NULL, -- what it is about; no personal value
  payload      TEXT   NOT NULL, -- JSON for whoever carries it out
  role         TEXT   NOT NULL, -- the role that may decide
  requested_by TEXT   NOT NULL,
  requested_at BIGINT NOT NULL,
  decision     TEXT   NOT NULL,
  decided_by   TEXT   NOT NULL,
  decided_at   BIGINT NOT NULL,
  reason       TEXT   NOT NULL
);

-- Findings that are known and accepted for a time. An empty field matches all.
CREATE TABLE suppressions (
  id         BIGINT NOT NULL PRIMARY KEY,
  control    TEXT   NOT NULL,
  system_key TEXT   NOT NULL,
  principal  TEXT   NOT NULL, -- pseudonym
  resource   TEXT   NOT NULL,
  reason     TEXT   NOT NULL,
  made_by    TEXT   NOT NULL,
  made_at    BIGINT NOT NULL,
  until      BIGINT NOT NULL,
  ended_by   TEXT   NOT NULL,
  ended_at   BIGINT NOT NULL
);

-- +goose Down
DROP TABLE suppressions;
DROP TABLE approvals;
