CREATE TABLE schema_version (version BIGINT NOT NULL PRIMARY KEY);
-- Boring on purpose, so that one text serves several engines: TEXT or BIGINT keys, BIGINT microseconds UTC for
-- instants, TEXT dates for sessions, states as TEXT with a CHECK.

CREATE TABLE counters (name TEXT NOT NULL PRIMARY KEY, value BIGINT NOT NULL);

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
    cells       BYTEA NOT NULL              -- compressed: instruments and session ranges; decoded by the catalogue only
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
INSERT INTO bookmarks (stage, log, position) VALUES ('curate', 'equities_bars_day', 1);
INSERT INTO bookmarks (stage, log, position) VALUES ('quality', 'equities_bars_day', 2);
INSERT INTO budgets (scope, dimension, span_s, allowed, used, resets_at, closed_until, strikes) VALUES ('alpaca', 'day', 86400, 0, 2, 1795392000000000, 0, 0);
INSERT INTO budgets (scope, dimension, span_s, allowed, used, resets_at, closed_until, strikes) VALUES ('massive', 'day', 86400, 0, 2, 1795392000000000, 0, 0);
INSERT INTO counters (name, value) VALUES ('request', 4);
INSERT INTO counters (name, value) VALUES ('parts_log', 3);
INSERT INTO counters (name, value) VALUES ('part', 3);
INSERT INTO counters (name, value) VALUES ('batch', 2);
INSERT INTO counters (name, value) VALUES ('task', 3);
INSERT INTO coverage (dataset, instrument, source, first_session, last_session, fact, sound, final, since, evidence, reason) VALUES ('equities_bars_day', 'AAPL', 'alpaca.sip', '2012-11-01', '2012-12-31', 'present', 1, 1, 1795364995295220, '1621d0b57396460b8a3c4be5c413ca45', '');
INSERT INTO eligibility (source, dataset, symbol, state, until, reason, since) VALUES ('alpaca.sip', 'equities_bars_day', 'NOBODY', 'unknown symbol', 1795969795284018, 'NOBODY: no such asset', 1795364995284018);
INSERT INTO eligibility (source, dataset, symbol, state, until, reason, since) VALUES ('massive.sip', 'equities_bars_day', 'NOBODY', 'unknown symbol', 1795969795422848, 'NOBODY: ticker not found', 1795364995422848);
INSERT INTO exports (day, path, digest, at) VALUES ('2012-12-31', 'exports/nightly/2012-12-31', '0b7ee9e4e8eb1bf88f08d24b6d1715df1a9a1a997a34c33c8dcfdd8fe2d40482', 1795364995548191);
INSERT INTO parts (part_id, log_pos, layer, source, dataset, folder, path, row_count, byte_count, sha256, min_ts, max_ts, ingested_at, origin, replaced_at, replaced_by, cells) VALUES (1, 1, 'raw', 'alpaca.sip', 'equities_bars_day', 'year=2012', 'raw/alpaca.sip/equities_bars_day/year=2012/20121101_20121231_AAPL_4b6e42e9.parquet', 41, 5599, '4b6e42e927d494b0e7226b62b795452b0157fac0396c10956b716fe6c43161a5', 1351776600000000, 1356964200000000, 1795364995295220, 'fetched', NULL, NULL, '\x789cab5672740cf051b28a8e5632323034d23534d4353054d281728c748d0d9562636b01a8080881');
INSERT INTO parts (part_id, log_pos, layer, source, dataset, folder, path, row_count, byte_count, sha256, min_ts, max_ts, ingested_at, origin, replaced_at, replaced_by, cells) VALUES (2, 2, 'curated', '', 'equities_bars_day', 'year=2012', 'curated/equities_bars_day/year=2012/20121101_20121231_AAPL_dcd477ce.parquet', 41, 7185, 'dcd477ce3e5c5ad585c8ce2bbfe1eb50291bae803b15d4c0003fec04edf0d74d', 1351776600000000, 1356964200000000, 1795364995331811, 'derived', NULL, NULL, '\x789cab5672740cf051b28a8e5632323034d23534d4353054d281728c748d0d9562636b01a8080881');
INSERT INTO parts (part_id, log_pos, layer, source, dataset, folder, path, row_count, byte_count, sha256, min_ts, max_ts, ingested_at, origin, replaced_at, replaced_by, cells) VALUES (3, 3, 'qc', '', 'equities_bars_day', 'year=2012', 'qc/equities_bars_day/year=2012/20121101_20121231_AAPL_ed1cc93f.parquet', 41, 5298, 'ed1cc93f4f0be7ae225dc940b3e9d9683dc9b8eba036ba4d6474ba7f7a0fe316', 0, 0, 1795364995507044, 'derived', NULL, NULL, '\x789cab5672740cf051b28a8e5632323034d23534d4353054d281728c748d0d9562636b01a8080881');
INSERT INTO requests (request_id, ask, source, target, kind, sent_at, status, outcome, byte_count, took_us) VALUES (1, '1621d0b57396460b8a3c4be5c413ca45', 'alpaca.sip', '/v2/stocks/bars?symbols=AAPL,NOBODY&timeframe=1Day&start=2012-11-01T00:00:00Z&end=2013-01-01T00:59:59.999999999Z&limit=10000&adjustment=raw&asof=-&feed=sip&sort=asc', 'BOOTSTRAP', 1795364995273403, 200, 'rows', 3523, 3585);
INSERT INTO requests (request_id, ask, source, target, kind, sent_at, status, outcome, byte_count, took_us) VALUES (2, '1621d0b57396460b8a3c4be5c413ca45', 'alpaca.sip', '/v2/assets/NOBODY', 'BOOTSTRAP', 1795364995281014, 404, 'unknown_symbol', 41, 1420);
INSERT INTO requests (request_id, ask, source, target, kind, sent_at, status, outcome, byte_count, took_us) VALUES (3, 'b9f5a1b4f59044398b45a9b2e2b168c8', 'massive.sip', '/v2/aggs/ticker/NOBODY/range/1/day/2012-11-01/2012-12-31?adjusted=false&sort=asc&limit=50000', 'BOOTSTRAP', 1795364995413173, 200, 'empty', 141, 2424);
INSERT INTO requests (request_id, ask, source, target, kind, sent_at, status, outcome, byte_count, took_us) VALUES (4, 'b9f5a1b4f59044398b45a9b2e2b168c8', 'massive.sip', '/v3/reference/tickers/NOBODY', 'BOOTSTRAP', 1795364995419508, 404, 'unknown_symbol', 105, 1679);
INSERT INTO schema_version (version) VALUES (1);
INSERT INTO sends (scope, second, kind, sent) VALUES ('alpaca', 1795364995, 'BOOTSTRAP', 2);
INSERT INTO sends (scope, second, kind, sent) VALUES ('massive', 1795364995, 'BOOTSTRAP', 2);
INSERT INTO stage_runs (stage, started_at, finished_at) VALUES ('backfill', 1795364995467928, 1795364995474451);
INSERT INTO stage_runs (stage, started_at, finished_at) VALUES ('seal', 1795364995475602, 1795364995476897);
INSERT INTO stage_runs (stage, started_at, finished_at) VALUES ('curate', 1795364995477724, 1795364995479541);
INSERT INTO stage_runs (stage, started_at, finished_at) VALUES ('quality', 1795364995480384, 1795364995518380);
INSERT INTO stage_runs (stage, started_at, finished_at) VALUES ('export', 1795364995522680, 1795364995549404);
INSERT INTO stage_runs (stage, started_at, finished_at) VALUES ('audit', 1795364995556856, 1795364995562880);
INSERT INTO tasks (task_id, dataset, instrument, symbol, first_session, last_session, from_ts, to_ts, kind, purpose, priority, batch, state, attempt, failures, exclude_sources, source, worker, lease_until, ask, last_error, enqueued_at, finished_at) VALUES (1, 'equities_bars_day', 'AAPL', 'AAPL', '2012-11-01', '2012-12-31', NULL, NULL, 'BOOTSTRAP', 'fill', 3, 1, 'done', 1, 0, '', 'alpaca.sip', '', 0, '1621d0b57396460b8a3c4be5c413ca45', '', 1795364995237179, 1795364995295220);
INSERT INTO tasks (task_id, dataset, instrument, symbol, first_session, last_session, from_ts, to_ts, kind, purpose, priority, batch, state, attempt, failures, exclude_sources, source, worker, lease_until, ask, last_error, enqueued_at, finished_at) VALUES (2, 'equities_bars_day', 'NOBODY', 'NOBODY', '2012-11-01', '2012-12-31', NULL, NULL, 'BOOTSTRAP', 'fill', 3, 1, 'unobtainable', 2, 0, '', 'massive.sip', '', 0, 'b9f5a1b4f59044398b45a9b2e2b168c8', 'NOBODY: ticker not found', 1795364995237179, 1795364995462922);
INSERT INTO tasks (task_id, dataset, instrument, symbol, first_session, last_session, from_ts, to_ts, kind, purpose, priority, batch, state, attempt, failures, exclude_sources, source, worker, lease_until, ask, last_error, enqueued_at, finished_at) VALUES (3, 'equities_bars_day', 'AAPL', 'AAPL', '2012-10-01', '2012-10-31', NULL, NULL, 'GAP', 'fill', 1, 2, 'queued', 0, 0, '', '', '', 0, '', '', 1795364995556569, NULL);
INSERT INTO verdicts (dataset, instrument, source, first_session, last_session, verdict, codes, since) VALUES ('equities_bars_day', 'AAPL', 'alpaca.sip', '2012-11-01', '2012-12-31', 'GREEN', '', 1795364995331811);
INSERT INTO verdicts (dataset, instrument, source, first_session, last_session, verdict, codes, since) VALUES ('equities_bars_day', 'AAPL', '', '2012-11-01', '2012-12-31', 'GREEN', '', 1795364995507044);
