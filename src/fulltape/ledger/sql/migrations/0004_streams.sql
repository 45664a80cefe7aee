-- What was captured live: journals that were sealed, how far each series is proved, and where it may lack something.

CREATE TABLE captures (
    file          TEXT   NOT NULL PRIMARY KEY, -- the journal's name without its ending
    source        TEXT   NOT NULL,
    first_session TEXT   NOT NULL,             -- '' without rows
    last_session  TEXT   NOT NULL,
    messages      BIGINT NOT NULL,
    unknown       BIGINT NOT NULL,             -- messages of kinds that nobody knows
    broken        BIGINT NOT NULL,             -- messages that could not be read
    parts         TEXT   NOT NULL,             -- ids of the parts made of it
    software      TEXT   NOT NULL,
    sealed_at     BIGINT NOT NULL
);

CREATE TABLE streams (
    source     TEXT   NOT NULL,
    dataset    TEXT   NOT NULL,
    instrument TEXT   NOT NULL,
    symbol     TEXT   NOT NULL,
    file       TEXT   NOT NULL,                -- the newest journal in which it was carried
    live_to    BIGINT NOT NULL,                -- until when it was live in it
    open       BIGINT NOT NULL,                -- 1: it was live when that journal ended
    why        TEXT   NOT NULL,                -- else why it was not
    last_id    TEXT   NOT NULL,                -- the newest id, where ids follow each other
    last_ts    BIGINT NOT NULL,                -- and its stamp
    PRIMARY KEY (source, dataset, instrument)
);

CREATE TABLE stream_days (
    source      TEXT   NOT NULL,
    dataset     TEXT   NOT NULL,
    instrument  TEXT   NOT NULL,
    symbol      TEXT   NOT NULL,
    session     TEXT   NOT NULL,
    from_ts     BIGINT NOT NULL,               -- from when to when it was meant to be captured
    to_ts       BIGINT NOT NULL,
    row_count   BIGINT NOT NULL,
    reconnects  BIGINT NOT NULL,
    compared_at BIGINT,                        -- when the session's own answer from history was held against it
    missed      BIGINT NOT NULL,               -- rows of history that nobody had captured and nobody had missed; -1: no history
    extra       BIGINT NOT NULL,               -- rows captured that history does not know
    PRIMARY KEY (source, dataset, instrument, session)
);

CREATE TABLE intervals (
    interval_id BIGINT NOT NULL PRIMARY KEY,
    source      TEXT   NOT NULL,
    dataset     TEXT   NOT NULL,
    instrument  TEXT   NOT NULL,
    symbol      TEXT   NOT NULL,
    session     TEXT   NOT NULL,
    from_ts     BIGINT NOT NULL,
    to_ts       BIGINT NOT NULL,
    kind        TEXT   NOT NULL,               -- disconnected, stale, dropped, sequence break, damage, not captured
    state       TEXT   NOT NULL CHECK (state IN ('unverified', 'filling', 'verified', 'unverifiable')),
    evidence    TEXT   NOT NULL,
    since       BIGINT NOT NULL,
    decided_at  BIGINT,
    UNIQUE (source, dataset, instrument, from_ts, to_ts, kind)
);
CREATE INDEX intervals_of_session ON intervals (dataset, instrument, session);
CREATE INDEX intervals_by_state ON intervals (state, source);
INSERT INTO counters (name, value) VALUES ('interval', 0);

CREATE INDEX tasks_of_intervals ON tasks (purpose) WHERE from_ts IS NOT NULL;
