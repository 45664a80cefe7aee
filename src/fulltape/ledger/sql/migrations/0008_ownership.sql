-- A lake belongs to one ledger: both name the node.
CREATE TABLE identity (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL);
-- Files that are about to get their names. After a crash these are removed, and nothing else.
CREATE TABLE intents (
    path     TEXT   NOT NULL PRIMARY KEY,    -- relative to the lake
    layer    TEXT   NOT NULL,
    evidence TEXT   NOT NULL,                -- the journals that they are made of, relative to the lake, a line each
    at       BIGINT NOT NULL
);
-- Files that do not have the content that the ledger recorded, until they are healed.
CREATE TABLE damages (
    path     TEXT   NOT NULL PRIMARY KEY,
    layer    TEXT   NOT NULL,
    dataset  TEXT   NOT NULL,
    what     TEXT   NOT NULL,
    found_at BIGINT NOT NULL
);
-- What a stage must do once more, although nothing that it reads is new.
CREATE TABLE redo (
    stage   TEXT NOT NULL,
    dataset TEXT NOT NULL,
    what    TEXT NOT NULL,                   -- a folder, or a journal
    PRIMARY KEY (stage, dataset, what)
);
-- Parts are found by their sessions. Of older parts the bounds are those of their folder.
ALTER TABLE parts ADD COLUMN first_session TEXT NOT NULL DEFAULT '';
ALTER TABLE parts ADD COLUMN last_session TEXT NOT NULL DEFAULT '';
ALTER TABLE parts ADD COLUMN verified_at BIGINT NOT NULL DEFAULT 0;
UPDATE parts SET
    first_session = CASE WHEN folder LIKE 'year=%' THEN substr(folder, 6) || '-01-01'
                         WHEN folder LIKE 'month=%' THEN substr(folder, 7) || '-01' ELSE substr(folder, 6) END,
    last_session = CASE WHEN folder LIKE 'year=%' THEN substr(folder, 6) || '-12-31'
                        WHEN folder LIKE 'month=%' THEN substr(folder, 7) || '-31' ELSE substr(folder, 6) END;
CREATE INDEX parts_sessions ON parts (layer, dataset, last_session, first_session);
