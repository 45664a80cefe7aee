-- What a person has changed of curated rows, and taken back. Rows are added, never changed: `undoes` names the repair that ends.
CREATE TABLE repairs (
    seq          BIGINT NOT NULL PRIMARY KEY,
    dataset      TEXT   NOT NULL,
    instrument   TEXT   NOT NULL,
    session      TEXT   NOT NULL,
    ts           BIGINT NOT NULL,
    source       TEXT   NOT NULL,
    field        TEXT   NOT NULL,
    was          TEXT   NOT NULL,
    becomes      TEXT   NOT NULL,
    who          TEXT   NOT NULL,
    reason       TEXT   NOT NULL,
    at           BIGINT NOT NULL,
    undoes       BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX repairs_of_dataset ON repairs (dataset, session);
INSERT INTO counters (name, value) VALUES ('repair', 0);
