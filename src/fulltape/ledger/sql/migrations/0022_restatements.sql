-- What sources that were asked again about a session said otherwise: how many rows changed, came or went, and by how much a price
-- changed at most, in millionths. A later answer that says the same confirms it.
CREATE TABLE restatements (
    dataset       TEXT   NOT NULL,
    source        TEXT   NOT NULL,
    instrument    TEXT   NOT NULL,
    session       TEXT   NOT NULL,
    at            BIGINT NOT NULL,
    rows_changed  BIGINT NOT NULL,
    largest       BIGINT NOT NULL,
    confirmed_at  BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (dataset, source, instrument, session, at)
);
-- How many sessions each source was asked about again, and how many of them it restated.
CREATE TABLE rechecks (
    dataset   TEXT   NOT NULL,
    source    TEXT   NOT NULL,
    cells     BIGINT NOT NULL,
    restated  BIGINT NOT NULL,
    at        BIGINT NOT NULL,
    PRIMARY KEY (dataset, source)
);
