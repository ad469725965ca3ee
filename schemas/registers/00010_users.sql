-- +goose Up
-- Who may sign in to the console. password is an argon2id hash in PHC form,
-- roles a list with commas. Of tokens only the SHA-256 is kept, in hex.
CREATE TABLE users (
  name     TEXT   NOT NULL PRIMARY KEY,
  password TEXT   NOT NULL,
  roles    TEXT   NOT NULL,
  disabled BIGINT NOT NULL,
  created  BIGINT NOT NULL,
  changed  BIGINT NOT NULL
);

CREATE TABLE sessions (
  token_hash TEXT   NOT NULL PRIMARY KEY,
  user_name  TEXT   NOT NULL REFERENCES users (name),
  created    BIGINT NOT NULL,
  expires    BIGINT NOT NULL
);

CREATE INDEX sessions_user ON sessions (user_name);

-- The one-time link to the page that makes the first account.
CREATE TABLE signin_links (
  token_hash TEXT   NOT NULL PRIMARY KEY,
  expires    BIGINT NOT NULL
);

-- +goose Down
DROP TABLE signin_links;
DROP TABLE sessions;
DROP TABLE users;
