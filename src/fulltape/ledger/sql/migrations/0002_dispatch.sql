-- Who may take a task, budgets in every dimension, breakers, evidence that expires.

-- sources that could answer, sorted; '' unknown
ALTER TABLE tasks ADD COLUMN takers TEXT NOT NULL DEFAULT '';
ALTER TABLE tasks ADD COLUMN expected_rows BIGINT NOT NULL DEFAULT 0;
DROP INDEX tasks_ready;
CREATE INDEX tasks_ready ON tasks (dataset, takers, priority, batch, task_id, kind, expected_rows) WHERE state = 'queued';
CREATE INDEX tasks_leased ON tasks (lease_until) WHERE state = 'leased';
CREATE INDEX tasks_fetched ON tasks (task_id) WHERE state = 'fetched';
CREATE INDEX tasks_stalled ON tasks (task_id) WHERE state = 'stalled';

-- how often the same was shown
ALTER TABLE coverage ADD COLUMN shown BIGINT NOT NULL DEFAULT 1;
-- how often in a row it was refused
ALTER TABLE eligibility ADD COLUMN strikes BIGINT NOT NULL DEFAULT 0;

CREATE TABLE touched (dataset TEXT NOT NULL, instrument TEXT NOT NULL, PRIMARY KEY (dataset, instrument));

CREATE TABLE scopes (
    scope        TEXT   NOT NULL PRIMARY KEY, -- a vendor's key or address, and an endpoint class
    allowed      BIGINT NOT NULL,             -- requests a minute as learned from headers; 0 nothing learned
    learned_at   BIGINT NOT NULL,
    closed_until BIGINT NOT NULL,
    strikes      BIGINT NOT NULL              -- rate-limit answers in a row
);
INSERT INTO scopes (scope, allowed, learned_at, closed_until, strikes)
SELECT scope, 0, 0, closed_until, strikes FROM budgets WHERE dimension = 'minute';

CREATE TABLE days (
    scope     TEXT   NOT NULL,
    dimension TEXT   NOT NULL,
    kind      TEXT   NOT NULL,
    used      BIGINT NOT NULL,
    resets_at BIGINT NOT NULL,
    PRIMARY KEY (scope, dimension, kind)
);
INSERT INTO days (scope, dimension, kind, used, resets_at)
SELECT scope, 'requests_per_day', 'GAP', used, resets_at FROM budgets WHERE dimension = 'day';
DROP TABLE budgets;

ALTER TABLE sends RENAME TO sends_by_second;
CREATE TABLE sends (
    scope    TEXT   NOT NULL,
    at       BIGINT NOT NULL,                 -- beginning of a bucket
    width    BIGINT NOT NULL,                 -- its length
    kind     TEXT   NOT NULL,
    requests BIGINT NOT NULL,
    weight   BIGINT NOT NULL,
    PRIMARY KEY (scope, at, kind)
);
INSERT INTO sends (scope, at, width, kind, requests, weight)
SELECT scope, second * 1000000, 1000000, kind, sent, sent FROM sends_by_second;
DROP TABLE sends_by_second;

CREATE TABLE in_flight (scope TEXT NOT NULL, token TEXT NOT NULL, until BIGINT NOT NULL, PRIMARY KEY (scope, token));
CREATE TABLE identical (scope TEXT NOT NULL, request TEXT NOT NULL, sent_at BIGINT NOT NULL, PRIMARY KEY (scope, request));

CREATE TABLE breakers (
    source   TEXT   NOT NULL PRIMARY KEY,
    state    TEXT   NOT NULL CHECK (state IN ('closed', 'open', 'half-open')),
    failures BIGINT NOT NULL,                 -- asks that failed in a row
    until    BIGINT NOT NULL,
    reason   TEXT   NOT NULL
);

CREATE TABLE clocks (boot TEXT NOT NULL PRIMARY KEY, offset_us BIGINT NOT NULL);
