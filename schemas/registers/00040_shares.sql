-- +goose Up
-- What a custodian keeps: shares of grants, wrapped by its key-encryption key.
-- A share that was revoked or has ended is empty; its row stays, so that it is
-- not taken again.
CREATE TABLE shares (
  grant_id   TEXT   NOT NULL PRIMARY KEY,
  reader     TEXT   NOT NULL, -- fingerprint
  wrapped    TEXT   NOT NULL, -- base64; '' when it was deleted
  ends       BIGINT NOT NULL, -- unix milliseconds, UTC
  transforms BIGINT NOT NULL, -- at most so many
  per_hour   BIGINT NOT NULL,
  revoked_by TEXT   NOT NULL  -- '' if it was not
);

CREATE TABLE transforms (
  grant_id TEXT   NOT NULL REFERENCES shares (grant_id),
  nonce    TEXT   NOT NULL, -- of the read
  capsule  TEXT   NOT NULL,
  at       BIGINT NOT NULL,
  PRIMARY KEY (grant_id, nonce)
);

-- +goose Down
DROP TABLE transforms;
DROP TABLE shares;
