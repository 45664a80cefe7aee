BEGIN TRANSACTION;
CREATE TABLE bookmarks (stage TEXT NOT NULL, log TEXT NOT NULL, position BIGINT NOT NULL, PRIMARY KEY (stage, log));
INSERT INTO "bookmarks" VALUES('curate','equities_bars_day',1);
INSERT INTO "bookmarks" VALUES('quality','equities_bars_day',2);
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
INSERT INTO "budgets" VALUES('alpaca','day',86400,0,2,1795392000000000,0,0);
INSERT INTO "budgets" VALUES('massive','day',86400,0,2,1795392000000000,0,0);
CREATE TABLE counters (name TEXT NOT NULL PRIMARY KEY, value BIGINT NOT NULL);
INSERT INTO "counters" VALUES('parts_log',3);
INSERT INTO "counters" VALUES('part',3);
INSERT INTO "counters" VALUES('task',3);
INSERT INTO "counters" VALUES('batch',2);
INSERT INTO "counters" VALUES('request',4);
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
INSERT INTO "coverage" VALUES('equities_bars_day','AAPL','alpaca.sip','2012-11-01','2012-12-31','present',1,1,1795364994755597,'854777b356e645199bcd6ac8c80cf508','');
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
INSERT INTO "eligibility" VALUES('alpaca.sip','equities_bars_day','NOBODY','unknown symbol',1795969794750866,'NOBODY: no such asset',1795364994750866);
INSERT INTO "eligibility" VALUES('massive.sip','equities_bars_day','NOBODY','unknown symbol',1795969794897623,'NOBODY: ticker not found',1795364994897623);
CREATE TABLE exports (
    day     TEXT   NOT NULL PRIMARY KEY,
    path    TEXT   NOT NULL,
    digest  TEXT   NOT NULL,                 -- of everything that went in
    at      BIGINT NOT NULL
);
INSERT INTO "exports" VALUES('2012-12-31','exports/nightly/2012-12-31','0b7ee9e4e8eb1bf88f08d24b6d1715df1a9a1a997a34c33c8dcfdd8fe2d40482',1795364994993630);
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
    cells       BLOB NOT NULL              -- compressed: instruments and session ranges; decoded by the catalogue only
);
INSERT INTO "parts" VALUES(1,1,'raw','alpaca.sip','equities_bars_day','year=2012','raw/alpaca.sip/equities_bars_day/year=2012/20121101_20121231_AAPL_6e05aa5e.parquet',41,5599,'6e05aa5e0b5b82691131e73af73a95347fb9e139690d635e48c1906f41f7e756',1351776600000000,1356964200000000,1795364994755597,'fetched',NULL,NULL,X'789CAB5672740CF051B28A8E5632323034D23534D4353054D281728C748D0D9562636B01A8080881');
INSERT INTO "parts" VALUES(2,2,'curated','','equities_bars_day','year=2012','curated/equities_bars_day/year=2012/20121101_20121231_AAPL_dcd477ce.parquet',41,7185,'dcd477ce3e5c5ad585c8ce2bbfe1eb50291bae803b15d4c0003fec04edf0d74d',1351776600000000,1356964200000000,1795364994811654,'derived',NULL,NULL,X'789CAB5672740CF051B28A8E5632323034D23534D4353054D281728C748D0D9562636B01A8080881');
INSERT INTO "parts" VALUES(3,3,'qc','','equities_bars_day','year=2012','qc/equities_bars_day/year=2012/20121101_20121231_AAPL_6c4dc318.parquet',41,5298,'6c4dc31856ee3e4c76949fc76acf173c0a65c0414c70e528f0f5d86194b106a3',0,0,1795364994958858,'derived',NULL,NULL,X'789CAB5672740CF051B28A8E5632323034D23534D4353054D281728C748D0D9562636B01A8080881');
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
INSERT INTO "requests" VALUES(1,'854777b356e645199bcd6ac8c80cf508','alpaca.sip','/v2/stocks/bars?symbols=AAPL,NOBODY&timeframe=1Day&start=2012-11-01T00:00:00Z&end=2013-01-01T00:59:59.999999999Z&limit=10000&adjustment=raw&asof=-&feed=sip&sort=asc','BOOTSTRAP',1795364994741816,200,'rows',3523,5115);
INSERT INTO "requests" VALUES(2,'854777b356e645199bcd6ac8c80cf508','alpaca.sip','/v2/assets/NOBODY','BOOTSTRAP',1795364994748731,404,'unknown_symbol',41,1279);
INSERT INTO "requests" VALUES(3,'0936e81bdbee4918a464f95bca7ae1a0','massive.sip','/v2/aggs/ticker/NOBODY/range/1/day/2012-11-01/2012-12-31?adjusted=false&sort=asc&limit=50000','BOOTSTRAP',1795364994890566,200,'empty',141,3098);
INSERT INTO "requests" VALUES(4,'0936e81bdbee4918a464f95bca7ae1a0','massive.sip','/v3/reference/tickers/NOBODY','BOOTSTRAP',1795364994895211,404,'unknown_symbol',105,1632);
CREATE TABLE schema_version (version BIGINT NOT NULL PRIMARY KEY);
INSERT INTO "schema_version" VALUES(1);
CREATE TABLE sends (
    scope  TEXT   NOT NULL,
    second BIGINT NOT NULL,                  -- seconds since 1970, UTC
    kind   TEXT   NOT NULL,
    sent   BIGINT NOT NULL,
    PRIMARY KEY (scope, second, kind)
);
INSERT INTO "sends" VALUES('alpaca',1795364994,'BOOTSTRAP',2);
INSERT INTO "sends" VALUES('massive',1795364994,'BOOTSTRAP',2);
CREATE TABLE stage_runs (
    stage       TEXT   NOT NULL PRIMARY KEY,
    started_at  BIGINT NOT NULL,
    finished_at BIGINT                       -- null while running, and after a crash
);
INSERT INTO "stage_runs" VALUES('seal',1795364994932324,1795364994933373);
INSERT INTO "stage_runs" VALUES('audit',1795364994998252,1795364995000021);
INSERT INTO "stage_runs" VALUES('backfill',1795364994930920,1795364994931942);
INSERT INTO "stage_runs" VALUES('curate',1795364994933803,1795364994934253);
INSERT INTO "stage_runs" VALUES('quality',1795364994934624,1795364994967179);
INSERT INTO "stage_runs" VALUES('export',1795364994968789,1795364994994176);
CREATE TABLE task_sources (
    task_id    BIGINT NOT NULL,
    source     TEXT   NOT NULL,
    not_before BIGINT NOT NULL,
    refusal    TEXT   NOT NULL,              -- '' while only waiting
    PRIMARY KEY (task_id, source)
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
INSERT INTO "tasks" VALUES(1,'equities_bars_day','AAPL','AAPL','2012-11-01','2012-12-31',NULL,NULL,'BOOTSTRAP','fill',3,1,'done',1,0,'','alpaca.sip','',0,'854777b356e645199bcd6ac8c80cf508','',1795364994646185,1795364994755597);
INSERT INTO "tasks" VALUES(2,'equities_bars_day','NOBODY','NOBODY','2012-11-01','2012-12-31',NULL,NULL,'BOOTSTRAP','fill',3,1,'unobtainable',2,0,'','massive.sip','',0,'0936e81bdbee4918a464f95bca7ae1a0','NOBODY: ticker not found',1795364994646185,1795364994928790);
INSERT INTO "tasks" VALUES(3,'equities_bars_day','AAPL','AAPL','2012-10-01','2012-10-31',NULL,NULL,'GAP','fill',1,2,'queued',0,0,'','','',0,'','',1795364994998219,NULL);
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
INSERT INTO "verdicts" VALUES('equities_bars_day','AAPL','alpaca.sip','2012-11-01','2012-12-31','GREEN','',1795364994811654);
INSERT INTO "verdicts" VALUES('equities_bars_day','AAPL','','2012-11-01','2012-12-31','GREEN','',1795364994958858);
CREATE INDEX parts_folder ON parts (layer, dataset, folder);
CREATE UNIQUE INDEX tasks_open_once ON tasks (dataset, instrument, first_session, last_session, purpose)
    WHERE state IN ('queued', 'leased', 'fetched');
CREATE INDEX tasks_ready ON tasks (state, priority, batch, task_id);
CREATE INDEX requests_ask ON requests (ask);
COMMIT;
