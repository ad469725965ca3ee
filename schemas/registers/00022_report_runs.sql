-- +goose Up
CREATE TABLE report_runs (
  id              TEXT   NOT NULL PRIMARY KEY,
  kind            TEXT   NOT NULL,
  language        TEXT   NOT NULL,
  from_at         BIGINT NOT NULL, -- unix milliseconds, UTC
  until_at        BIGINT NOT NULL,
  zone            TEXT   NOT NULL,
  public          BIGINT NOT NULL, -- 0 or 1
  asked_by        TEXT   NOT NULL, -- user, os:NAME or schedule:ID
  state           TEXT   NOT NULL, -- running, done, failed
  problem         TEXT   NOT NULL, -- of a failed run, no personal value
  started         BIGINT NOT NULL,
  finished        BIGINT NOT NULL, -- 0 while it runs
  coverage_ppm    BIGINT NOT NULL, -- share of lines received and read, millionths; -1 if none came
  checkpoint_size BIGINT NOT NULL,
  checkpoint_root TEXT   NOT NULL
);
CREATE INDEX report_runs_started ON report_runs (started);
CREATE TABLE report_files (
  run      TEXT   NOT NULL REFERENCES report_runs (id),
  name     TEXT   NOT NULL,
  format   TEXT   NOT NULL,
  sha256   TEXT   NOT NULL, -- hexadecimal
  bytes    BIGINT NOT NULL,
  ledgered BIGINT NOT NULL, -- 1 when the ledger has taken the digest
  PRIMARY KEY (run, name)
);

-- +goose Down
DROP TABLE report_files;
DROP TABLE report_runs;
