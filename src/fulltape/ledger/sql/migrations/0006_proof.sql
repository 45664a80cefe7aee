-- What an empty answer proves: how far it reached and how often it was given again, and what a user has decided.

-- 'span' a window or a file, 'positional' a single venue's page limited by count with rows on both sides; '' unknown
ALTER TABLE coverage ADD COLUMN extent TEXT NOT NULL DEFAULT '';
-- first and last session of the ask that showed it, as first/last; '' unknown
ALTER TABLE coverage ADD COLUMN asked TEXT NOT NULL DEFAULT '';
-- how often the same was answered again, at least 20 hours later over another span
ALTER TABLE coverage ADD COLUMN repeated BIGINT NOT NULL DEFAULT 0;

CREATE TABLE acceptances (
    seq           BIGINT NOT NULL PRIMARY KEY,
    dataset       TEXT   NOT NULL,
    instrument    TEXT   NOT NULL,
    first_session TEXT   NOT NULL,
    last_session  TEXT   NOT NULL,
    reason        TEXT   NOT NULL,
    revoked       BIGINT NOT NULL,           -- 1: from here on these sessions are not accepted
    at            BIGINT NOT NULL
);
CREATE INDEX acceptances_of ON acceptances (dataset, instrument, seq);
INSERT INTO counters (name, value) VALUES ('acceptance', 0);
