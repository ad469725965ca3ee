-- +goose Up
CREATE TABLE schedules (
  id         TEXT   NOT NULL PRIMARY KEY,
  kind       TEXT   NOT NULL, -- kind of report
  language   TEXT   NOT NULL, -- empty: the definition's
  formats    TEXT   NOT NULL, -- joined by commas
  cron       TEXT   NOT NULL, -- five fields, in zone
  zone       TEXT   NOT NULL,
  span       TEXT   NOT NULL, -- day, week, month, quarter, year: the last whole one
  created_by TEXT   NOT NULL,
  created    BIGINT NOT NULL  -- unix milliseconds, UTC
);
-- When each schedule, of the configuration too, was last looked at and run.
CREATE TABLE schedule_marks (
  schedule TEXT   NOT NULL PRIMARY KEY,
  at       BIGINT NOT NULL  -- unix milliseconds, UTC
);

-- +goose Down
DROP TABLE schedule_marks;
DROP TABLE schedules;
