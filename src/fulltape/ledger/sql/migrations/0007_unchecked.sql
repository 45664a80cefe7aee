-- Cells of which some check could not be made are UNCHECKED, not GREEN.
ALTER TABLE verdicts RENAME TO verdicts_before;
CREATE TABLE verdicts (
    dataset       TEXT   NOT NULL,
    instrument    TEXT   NOT NULL,
    source        TEXT   NOT NULL,           -- '' for the curated series
    first_session TEXT   NOT NULL,
    last_session  TEXT   NOT NULL,
    verdict       TEXT   NOT NULL CHECK (verdict IN ('GREEN', 'UNCHECKED', 'AMBER', 'RED')),
    codes         TEXT   NOT NULL,
    since         BIGINT NOT NULL,
    PRIMARY KEY (dataset, instrument, source, first_session)
);
INSERT INTO verdicts SELECT * FROM verdicts_before;
DROP TABLE verdicts_before;
