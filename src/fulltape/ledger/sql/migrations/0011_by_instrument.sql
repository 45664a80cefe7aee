-- Rows a second time, by instrument: one more layer, of several parts a folder, which are found by symbol. The parts move
-- into a table whose layers are not listed, since a list of allowed values cannot be changed in SQLite.
ALTER TABLE parts RENAME TO parts_before;
CREATE TABLE parts (
    part_id       BIGINT NOT NULL PRIMARY KEY,
    log_pos       BIGINT NOT NULL UNIQUE,    -- taken inside the registering transaction: commit order is position order
    layer         TEXT   NOT NULL,           -- raw, curated, qc, by_instrument
    source        TEXT   NOT NULL,           -- '' but for raw
    dataset       TEXT   NOT NULL,
    folder        TEXT   NOT NULL,           -- year=2012, month=2012-10, date=2012-10-31
    path          TEXT   NOT NULL UNIQUE,    -- relative to the lake
    row_count     BIGINT NOT NULL,
    byte_count    BIGINT NOT NULL,
    sha256        TEXT   NOT NULL,
    min_ts        BIGINT NOT NULL,
    max_ts        BIGINT NOT NULL,
    ingested_at   BIGINT NOT NULL,
    origin        TEXT   NOT NULL CHECK (origin IN ('fetched', 'captured', 'derived')),
    replaced_at   BIGINT,
    replaced_by   BIGINT,
    cells         {blob} NOT NULL,           -- compressed: instruments and session ranges; decoded by the catalogue only
    first_session TEXT   NOT NULL,
    last_session  TEXT   NOT NULL,
    verified_at   BIGINT NOT NULL DEFAULT 0,
    of_parts      BIGINT NOT NULL DEFAULT 0  -- of how many parts its folder consists, where it is one of several
);
INSERT INTO parts (part_id, log_pos, layer, source, dataset, folder, path, row_count, byte_count, sha256, min_ts, max_ts,
                   ingested_at, origin, replaced_at, replaced_by, cells, first_session, last_session, verified_at)
SELECT part_id, log_pos, layer, source, dataset, folder, path, row_count, byte_count, sha256, min_ts, max_ts,
       ingested_at, origin, replaced_at, replaced_by, cells, first_session, last_session, verified_at
FROM parts_before;
DROP TABLE parts_before;
CREATE INDEX parts_folder ON parts (layer, dataset, folder);
CREATE INDEX parts_sessions ON parts (layer, dataset, last_session, first_session);
CREATE TABLE part_symbols (
    symbol  TEXT   NOT NULL,
    part_id BIGINT NOT NULL,
    PRIMARY KEY (symbol, part_id)
);
CREATE INDEX part_symbols_by_part ON part_symbols (part_id);
