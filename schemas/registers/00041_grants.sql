-- +goose Up
-- Readers and grants as they were registered here: the documents with their
-- signatures. Whoever acts on them checks the signatures again.
CREATE TABLE grant_documents (
  id       TEXT   NOT NULL PRIMARY KEY, -- of the text
  kind     TEXT   NOT NULL, -- reader or request
  document TEXT   NOT NULL, -- JSON
  changed  BIGINT NOT NULL  -- unix milliseconds, UTC
);

-- The trails of custodians as they were read, in batches whose digests the
-- ledger takes.
CREATE TABLE custody (
  custodian TEXT   NOT NULL,
  last      BIGINT NOT NULL, -- number of the batch's last act
  acts      TEXT   NOT NULL, -- JSON
  digest    TEXT   NOT NULL, -- SHA-256 of acts, hexadecimal
  ledgered  BIGINT NOT NULL,
  PRIMARY KEY (custodian, last)
);

-- +goose Down
DROP TABLE custody;
DROP TABLE grant_documents;
