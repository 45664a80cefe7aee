-- Boring on purpose, so that one text serves several engines: TEXT or BIGINT keys, BIGINT microseconds UTC for
-- instants, TEXT dates for sessions, states as TEXT with a CHECK.

CREATE TABLE counters (name TEXT NOT NULL PRIMARY KEY, value BIGINT NOT NULL);
INSERT INTO counters (name, value) VALUES ('parts_log', 0), ('part', 0), ('task', 0), ('batch', 0);

CREATE TABLE parts (
    part_id     BIGINT NOT NULL PRIMARY KEY,
    log_pos     BIGINT NOT NULL UNIQUE,      -- taken inside the registering transaction: commit order is position order
    layer       TEXT   NOT NULL CHECK (layer IN ('raw', 'curated', 'qc')),
    source      TEXT   NOT NULL,             -- '' for curated and qc
    dataset     TEXT   NOT NULL,
    folder      TEXT   NOT NULL,             -- year=2012, month=2012-10, date=2012-10-31
    path        TEXT   NOT NULL UNIQUE,      -- relative to the lake
    row_count   BIGINT NOT NULL,
    byte_count  BIGINT NOT NULL,
    sha256      TEXT   NOT NULL,
    min_ts      BIGINT NOT NULL,
    max_ts      BIGINT NOT NULL,
    ingested_at BIGINT NOT NULL,
    origin      TEXT   NOT NULL CHECK (origin IN ('fetched', 'captured', 'derived')),
    replaced_at BIGINT,
    replaced_by BIGINT,
    cells       {blob} NOT NULL              -- compressed: instruments and session ranges; decoded by the catalogue only
);
CREATE INDEX parts_folder ON parts (layer, dataset, folder);

CREATE TABLE coverage (
    dataset       TEXT   NOT NULL,
    instrument    TEXT   NOT NULL,
    source        TEXT   NOT NULL,
    first_session TEXT   NOT NULL,
    last_session  TEXT   NOT NULL,
    fact          TEXT   NOT NULL CHECK (fact IN ('present', 'partial', 'empty', 'refused')),
    sound         BIGINT NOT NULL,
    final         BIGINT NOT NULL,
    since         BIGINT NOT NULL,
    evidence      TEXT   NOT NULL,           -- the ask that showed it
    reason        TEXT   NOT NULL,
    PRIMARY KEY (dataset, instrument, source, first_session)
);

CREATE TABLE tasks (
    task_id         BIGINT NOT NULL PRIMARY KEY,
    dataset         TEXT   NOT NULL,
    instrument      TEXT   NOT NULL,
    symbol          TEXT   NOT NULL,
    first_session   TEXT   NOT NULL,
    last_session    TEXT   NOT NULL,
    from_ts         BIGINT,                  -- a hole inside a session; null for whole sessions
    to_ts           BIGINT,
    kind            TEXT   NOT NULL CHECK (kind IN ('FORWARD', 'GAP', 'BOOTSTRAP', 'QC_PROBE')),
    purpose         TEXT   NOT NULL,
    priority        BIGINT NOT NULL,
    batch           BIGINT NOT NULL,
    state           TEXT   NOT NULL CHECK (state IN ('queued', 'leased', 'fetched', 'done', 'stalled', 'unobtainable', 'cancelled')),
    attempt         BIGINT NOT NULL,         -- the fencing token
    failures        BIGINT NOT NULL,
    exclude_sources TEXT   NOT NULL,
    source          TEXT   NOT NULL,
    worker          TEXT   NOT NULL,
    lease_until     BIGINT NOT NULL,
    ask             TEXT   NOT NULL,         -- the ask that fetches or fetched it
    last_error      TEXT   NOT NULL,
    enqueued_at     BIGINT NOT NULL,
    finished_at     BIGINT
);
CREATE UNIQUE INDEX tasks_open_once ON tasks (dataset, instrument, first_session, last_session, purpose)
    WHERE state IN ('queued', 'leased', 'fetched');
CREATE INDEX tasks_ready ON tasks (state, priority, batch, task_id);

CREATE TABLE task_sources (
    task_id    BIGINT NOT NULL,
    source     TEXT   NOT NULL,
    not_before BIGINT NOT NULL,
    refusal    TEXT   NOT NULL,              -- '' while only waiting
    PRIMARY KEY (task_id, source)
);

CREATE TABLE budgets (
    scope     TEXT   NOT NULL,               -- the vendor's key
    dimension TEXT   NOT NULL CHECK (dimension IN ('minute', 'day')),
    span_s    BIGINT NOT NULL,
    allowed   BIGINT NOT NULL,
    used      BIGINT NOT NULL,
    resets_at BIGINT NOT NULL,
    closed_until BIGINT NOT NULL,
    strikes   BIGINT NOT NULL,               -- rate-limit answers in a row
    PRIMARY KEY (scope, dimension)
);
CREATE TABLE sends (
    scope  TEXT   NOT NULL,
    second BIGINT NOT NULL,                  -- seconds since 1970, UTC
    kind   TEXT   NOT NULL,
    sent   BIGINT NOT NULL,
    PRIMARY KEY (scope, second, kind)
);

CREATE TABLE eligibility (
    source  TEXT   NOT NULL,
    dataset TEXT   NOT NULL,
    symbol  TEXT   NOT NULL,                 -- '*' for the whole dataset
    state   TEXT   NOT NULL CHECK (state IN ('ok', 'cooling down', 'not entitled', 'not supported', 'unknown symbol')),
    until   BIGINT NOT NULL,
    reason  TEXT   NOT NULL,
    since   BIGINT NOT NULL,
    PRIMARY KEY (source, dataset, symbol)
);

CREATE TABLE requests (
    request_id BIGINT NOT NULL PRIMARY KEY,
    ask        TEXT   NOT NULL,
    source     TEXT   NOT NULL,
    target     TEXT   NOT NULL,              -- path and parameters, never a credential
    kind       TEXT   NOT NULL,
    sent_at    BIGINT NOT NULL,
    status     BIGINT NOT NULL,              -- 0 where no answer came
    outcome    TEXT   NOT NULL,
    byte_count BIGINT NOT NULL,
    took_us    BIGINT NOT NULL
);
CREATE INDEX requests_ask ON requests (ask);
INSERT INTO counters (name, value) VALUES ('request', 0);

CREATE TABLE verdicts (
    dataset       TEXT   NOT NULL,
    instrument    TEXT   NOT NULL,
    source        TEXT   NOT NULL,           -- '' for the curated series
    first_session TEXT   NOT NULL,
    last_session  TEXT   NOT NULL,
    verdict       TEXT   NOT NULL CHECK (verdict IN ('GREEN', 'AMBER', 'RED')),
    codes         TEXT   NOT NULL,
    since         BIGINT NOT NULL,
    PRIMARY KEY (dataset, instrument, source, first_session)
);

CREATE TABLE rejections (
    ask     TEXT   NOT NULL,
    page    BIGINT NOT NULL,
    source  TEXT   NOT NULL,
    reason  TEXT   NOT NULL,
    row_count BIGINT NOT NULL,
    path    TEXT   NOT NULL,
    at      BIGINT NOT NULL,
    PRIMARY KEY (ask, page, reason)
);

CREATE TABLE bookmarks (stage TEXT NOT NULL, log TEXT NOT NULL, position BIGINT NOT NULL, PRIMARY KEY (stage, log));

CREATE TABLE stage_runs (
    stage       TEXT   NOT NULL PRIMARY KEY,
    started_at  BIGINT NOT NULL,
    finished_at BIGINT                       -- null while running, and after a crash
);

CREATE TABLE exports (
    day     TEXT   NOT NULL PRIMARY KEY,
    path    TEXT   NOT NULL,
    digest  TEXT   NOT NULL,                 -- of everything that went in
    at      BIGINT NOT NULL
);
