-- +goose Up
-- Times are unix milliseconds, UTC, unless a name ends in _ns.
CREATE TABLE alert_groups (
  id         BIGINT NOT NULL PRIMARY KEY,
  control    TEXT   NOT NULL,
  group_key  TEXT   NOT NULL, -- what the control groups by; pseudonyms and closed words
  open       BIGINT NOT NULL, -- 1 while it still grows
  opened     BIGINT NOT NULL,
  changed    BIGINT NOT NULL, -- when its newest finding came
  notified   BIGINT NOT NULL, -- when people were last told; 0: not yet
  notices    BIGINT NOT NULL, -- how often they were
  suppressed BIGINT NOT NULL, -- number of the suppression that silences it; 0: none
  body       TEXT   NOT NULL  -- JSON of the group
);
CREATE INDEX alert_groups_open ON alert_groups (open, control, group_key);

-- Findings that were handled: each counts once.
CREATE TABLE alert_findings (
  id       TEXT   NOT NULL PRIMARY KEY,
  group_id BIGINT NOT NULL,
  at       BIGINT NOT NULL
);
CREATE INDEX alert_findings_at ON alert_findings (at);

-- Distinct principals and subjects of open groups, pseudonyms.
CREATE TABLE alert_members (
  group_id BIGINT NOT NULL,
  kind     TEXT   NOT NULL,
  member   TEXT   NOT NULL,
  PRIMARY KEY (group_id, kind, member)
);

-- Time spans for which a windowed control found something.
CREATE TABLE alert_bursts (
  control    TEXT   NOT NULL,
  burst_key  TEXT   NOT NULL,
  from_ns    BIGINT NOT NULL,
  until_ns   BIGINT NOT NULL,
  finding_id TEXT   NOT NULL,
  PRIMARY KEY (control, burst_key, from_ns)
);

-- Up to when windowed controls have looked, by control.
CREATE TABLE alert_progress (
  control TEXT   NOT NULL PRIMARY KEY,
  at      BIGINT NOT NULL
);

-- Notifications on their way, one per receiver.
CREATE TABLE outbox (
  id         BIGINT NOT NULL PRIMARY KEY,
  receiver   TEXT   NOT NULL,
  message_id TEXT   NOT NULL, -- the same over all tries
  group_id   BIGINT NOT NULL,
  body       TEXT   NOT NULL, -- JSON, masked
  created    BIGINT NOT NULL,
  state      TEXT   NOT NULL, -- waiting, sent or failed
  tries      BIGINT NOT NULL,
  next_try   BIGINT NOT NULL,
  done       BIGINT NOT NULL,
  reason     TEXT   NOT NULL, -- why the last try failed; no value of a line
  UNIQUE (receiver, message_id)
);
CREATE INDEX outbox_waiting ON outbox (state, receiver, next_try);

-- Receivers that answered 410 Gone.
CREATE TABLE outbox_disabled (
  receiver TEXT   NOT NULL PRIMARY KEY,
  target   TEXT   NOT NULL, -- the address it had
  at       BIGINT NOT NULL
);

-- +goose Down
DROP TABLE outbox_disabled;
DROP TABLE outbox;
DROP TABLE alert_progress;
DROP TABLE alert_bursts;
DROP TABLE alert_members;
DROP TABLE alert_findings;
DROP TABLE alert_groups;
