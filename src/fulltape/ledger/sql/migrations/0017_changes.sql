-- Everything that was ever learned of coverage and verdicts, in the order in which it was learned: what the tables coverage
-- and verdicts say follows from it.
CREATE TABLE instrument_sets (
    set_id      BIGINT NOT NULL PRIMARY KEY,
    digest      TEXT   NOT NULL UNIQUE,
    members     BIGINT NOT NULL,             -- how many
    instruments TEXT   NOT NULL              -- a line each
);
CREATE TABLE coverage_changes (
    seq           BIGINT NOT NULL PRIMARY KEY,
    kind          TEXT   NOT NULL CHECK (kind IN ('laid', 'row', 'contradicted', 'forgotten')),
    dataset       TEXT   NOT NULL,
    source        TEXT   NOT NULL,
    first_session TEXT   NOT NULL,
    last_session  TEXT   NOT NULL,
    set_id        BIGINT NOT NULL,           -- of which instruments
    fact          TEXT   NOT NULL,           -- this and all that follows as in coverage; '' and 0 where something is forgotten
    sound         BIGINT NOT NULL,
    final         BIGINT NOT NULL,
    since         BIGINT NOT NULL,
    evidence      TEXT   NOT NULL,
    reason        TEXT   NOT NULL,
    shown         BIGINT NOT NULL,
    extent        TEXT   NOT NULL,
    asked         TEXT   NOT NULL,
    repeated      BIGINT NOT NULL
);
CREATE INDEX coverage_changes_of ON coverage_changes (dataset, seq);
CREATE TABLE verdict_changes (
    seq           BIGINT NOT NULL PRIMARY KEY,
    kind          TEXT   NOT NULL CHECK (kind IN ('laid', 'row', 'forgotten')),
    dataset       TEXT   NOT NULL,
    source        TEXT   NOT NULL,
    first_session TEXT   NOT NULL,
    last_session  TEXT   NOT NULL,
    set_id        BIGINT NOT NULL,           -- of which instruments; 0 where all of some codes are forgotten
    verdict       TEXT   NOT NULL,
    codes         TEXT   NOT NULL,
    since         BIGINT NOT NULL
);
CREATE INDEX verdict_changes_of ON verdict_changes (dataset, seq);
CREATE TABLE checkpoints (
    dataset TEXT   NOT NULL,
    seq     BIGINT NOT NULL,                 -- all changes up to and including this one are in it
    at      BIGINT NOT NULL,
    content {blob} NOT NULL,
    PRIMARY KEY (dataset, seq)
);
INSERT INTO counters (name, value) VALUES ('instrument_set', 0), ('knowledge', 0), ('knowledge_horizon', 0);
-- What is known by now was learned at no moment that is known: it lies before all that follows.
INSERT INTO instrument_sets (set_id, digest, members, instruments)
SELECT -ROW_NUMBER() OVER (ORDER BY instrument), instrument, 1, instrument
FROM (SELECT instrument FROM coverage UNION SELECT instrument FROM verdicts) AS names;
INSERT INTO coverage_changes (seq, kind, dataset, source, first_session, last_session, set_id, fact, sound, final, since,
                              evidence, reason, shown, extent, asked, repeated)
SELECT -ROW_NUMBER() OVER (ORDER BY dataset, source, coverage.instrument, first_session), 'row', dataset, source,
       first_session, last_session, set_id, fact, sound, final, since, evidence, reason, shown, extent, asked, repeated
FROM coverage JOIN instrument_sets ON instrument_sets.instruments = coverage.instrument;
INSERT INTO verdict_changes (seq, kind, dataset, source, first_session, last_session, set_id, verdict, codes, since)
SELECT -ROW_NUMBER() OVER (ORDER BY dataset, source, verdicts.instrument, first_session), 'row', dataset, source,
       first_session, last_session, set_id, verdict, codes, since
FROM verdicts JOIN instrument_sets ON instrument_sets.instruments = verdicts.instrument
