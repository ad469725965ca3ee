-- +goose Up
-- Requests of people about their data: GDPR Art. 12, 11 CCR § 7101, LGPD Art. 18.
-- No personal data: an id of the business, dates, types and outcomes. A day is
-- the number of days since 1970-01-01 in the business's legal time zone; NULL
-- means that it has not happened.
CREATE TABLE requests (
  id               TEXT   NOT NULL PRIMARY KEY,
  law              TEXT   NOT NULL, -- gdpr, ccpa, lgpd
  type             TEXT   NOT NULL, -- delete, know, access, ...
  received_day     BIGINT NOT NULL,
  received_month   TEXT   NOT NULL, -- 2026-03, of received_day
  manner           TEXT   NOT NULL, -- web, phone, mail, email, in-person, agent, gpc
  verification     TEXT   NOT NULL, -- verified, category, not-needed, failed, open
  acknowledged_day BIGINT,
  extended_day     BIGINT,          -- notice of extension
  responded_day    BIGINT,
  outcome          TEXT   NOT NULL, -- open, complied, partial, denied
  denial_reason    TEXT   NOT NULL, -- unverifiable, not-a-consumer, exempt, other, or empty
  imported         BIGINT NOT NULL  -- unix milliseconds, UTC
);
CREATE INDEX requests_law_day ON requests (law, received_day);

-- +goose Down
DROP TABLE requests;
