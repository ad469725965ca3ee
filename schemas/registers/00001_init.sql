-- +goose Up
-- Times are unix milliseconds, UTC. Booleans are 0 or 1.
CREATE TABLE trail (
  id      BIGINT NOT NULL PRIMARY KEY,
  at      BIGINT NOT NULL,
  actor   TEXT   NOT NULL, -- user name, os:NAME or system:PART
  act     TEXT   NOT NULL, -- report.render, user.add, ...
  object  TEXT   NOT NULL, -- what it was done to; no personal value
  allowed BIGINT NOT NULL,
  reason  TEXT   NOT NULL
);

-- +goose Down
DROP TABLE trail;
