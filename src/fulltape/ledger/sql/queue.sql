-- name: open_tasks
SELECT * FROM tasks WHERE dataset = :dataset AND state IN ('queued', 'leased', 'fetched') ORDER BY task_id

-- name: open_spans
SELECT instrument, first_session, last_session FROM tasks
WHERE dataset = :dataset AND state IN ('queued', 'leased', 'fetched', 'stalled') AND purpose = :purpose

-- name: asked_spans
-- Without those that have stalled: a later reason to ask is a new one.
SELECT instrument, first_session, last_session FROM tasks
WHERE dataset = :dataset AND state IN ('queued', 'leased', 'fetched') AND purpose = :purpose

-- name: open_spans_of_series
SELECT first_session, last_session FROM tasks
WHERE dataset = :dataset AND instrument = :instrument AND purpose = :purpose AND state IN ('queued', 'leased', 'fetched')
UNION ALL
SELECT first_session, last_session FROM tasks
WHERE dataset = :dataset AND instrument = :instrument AND purpose = :purpose AND state = 'stalled'

-- name: open_spans_packed
-- In two, so that the first takes its rows out of an index alone.
SELECT instrument, {joined}(first_session, ','), {joined}(last_session, ',') FROM tasks
WHERE dataset = :dataset AND state IN ('queued', 'leased', 'fetched') AND purpose = :purpose
  AND last_session >= :first_session GROUP BY instrument
UNION ALL
SELECT instrument, {joined}(first_session, ','), {joined}(last_session, ',') FROM tasks
WHERE dataset = :dataset AND state = 'stalled' AND purpose = :purpose
  AND last_session >= :first_session GROUP BY instrument

-- name: open_series
SELECT DISTINCT dataset, instrument FROM tasks WHERE state IN ('queued', 'leased', 'fetched')

-- name: eligible_sources
SELECT DISTINCT eligible_sources FROM tasks WHERE dataset = :dataset AND state = 'queued'

-- name: queued_of_series
-- SQLite takes a partial index only where its own condition is spelt out; here and below.
SELECT * FROM tasks WHERE dataset = :dataset AND instrument = :instrument AND state = 'queued'
  AND state IN ('queued', 'leased', 'fetched') ORDER BY task_id

-- name: open_tasks_of_all
SELECT * FROM tasks WHERE state IN ('queued', 'leased', 'fetched') ORDER BY task_id

-- name: add_task
INSERT INTO tasks (task_id, dataset, instrument, symbol, first_session, last_session, from_ts, to_ts, kind, purpose,
                   priority, batch, state, attempt, failures, exclude_sources, source, worker, lease_until, fetch_id,
                   last_error, enqueued_at, finished_at, eligible_sources, expected_rows, interval_id)
VALUES (:task_id, :dataset, :instrument, :symbol, :first_session, :last_session, :from_ts, :to_ts, :kind, :purpose,
        :priority, :batch, 'queued', 0, 0, '', '', '', 0, '', '', :now, NULL, :eligible_sources, :expected_rows, :interval_id)

-- name: requeue_expired
UPDATE tasks SET state = 'queued', worker = '', lease_until = 0
WHERE state = 'leased' AND lease_until <= :now RETURNING task_id

-- name: census
SELECT dataset, eligible_sources, priority, batch, kind, COUNT(*) AS tasks, SUM(expected_rows) AS expected_rows FROM tasks
WHERE state = 'queued' GROUP BY dataset, eligible_sources, priority, batch, kind
ORDER BY priority, batch, dataset, eligible_sources, kind

-- name: may_take
-- Part of the two statements below: the source has not refused the task, need not wait for it, may be asked for its
-- symbol, and has not answered for all of it.
NOT EXISTS (SELECT 1 FROM task_sources
                  WHERE task_sources.task_id = tasks.task_id AND task_sources.source = :source
                    AND (task_sources.refusal <> '' OR task_sources.not_before > :now))
  AND NOT EXISTS (SELECT 1 FROM eligibility
                  WHERE eligibility.source = :source AND eligibility.dataset = tasks.dataset
                    AND eligibility.symbol IN (tasks.symbol, '*')
                    AND eligibility.state <> 'ok' AND eligibility.until > :now)
  AND (purpose <> 'fill' OR NOT EXISTS (
        SELECT 1 FROM coverage
        WHERE coverage.dataset = tasks.dataset AND coverage.instrument = tasks.instrument AND coverage.source = :source
          AND coverage.first_session <= tasks.first_session AND coverage.last_session >= tasks.last_session))

-- name: candidates
-- What a source may take of one class, in order. On PostgreSQL rows that another worker is just choosing from are
-- passed over; SQLite has one writer at a time. Priority and batch stand between limits, not beside equal signs: told
-- that they are constant, PostgreSQL would walk the primary key, past all that is done.
SELECT task_id, attempt, instrument, symbol, first_session, last_session, kind, purpose, expected_rows,
       from_ts, to_ts FROM tasks
WHERE state = 'queued' AND dataset = :dataset AND eligible_sources = :eligible_sources AND kind = :kind
  AND (priority, batch, task_id) > (:priority, :batch, :after) AND priority <= :priority AND batch <= :batch
  AND (:before = '' OR instrument < :before) AND first_session >= :first_day
  AND {may_take}
ORDER BY priority, batch, task_id LIMIT :most {skip_locked}

-- name: candidates_of_series
-- The same for one instrument, in the order of sessions: for sources that take one symbol at a time.
SELECT task_id, attempt, instrument, symbol, first_session, last_session, kind, purpose, expected_rows,
       from_ts, to_ts FROM tasks
WHERE state = 'queued' AND state IN ('queued', 'leased', 'fetched')
  AND dataset = :dataset AND instrument = :instrument AND eligible_sources = :eligible_sources AND kind = :kind
  AND priority = :priority AND batch = :batch AND first_session >= :first_day
  AND {may_take}
ORDER BY first_session LIMIT :most {skip_locked}

-- name: claim
UPDATE tasks SET state = 'leased', attempt = attempt + 1, source = :source, worker = :worker,
                 lease_until = :lease_until, fetch_id = :fetch_id
WHERE task_id IN ({ids}) AND (task_id, attempt) IN (VALUES {keys})
  AND (state = 'queued' OR (state = 'leased' AND lease_until <= :now))
RETURNING task_id, attempt

-- name: finish_all
UPDATE tasks SET state = :state, worker = '', lease_until = 0, last_error = :error, finished_at = :now
WHERE task_id IN ({ids}) AND (task_id, attempt) IN (VALUES {keys}) AND state IN ('queued', 'leased', 'fetched')
RETURNING task_id

-- name: renew
UPDATE tasks SET lease_until = :lease_until
WHERE task_id = :task_id AND attempt = :attempt AND worker = :worker AND state = 'leased'
RETURNING task_id

-- name: release
UPDATE tasks SET state = 'queued', worker = '', lease_until = 0, failures = failures + :failures, last_error = :error
WHERE task_id = :task_id AND attempt = :attempt AND state IN ('leased', 'fetched')
RETURNING task_id

-- name: fetched
UPDATE tasks SET state = 'fetched', lease_until = 0
WHERE task_id = :task_id AND attempt = :attempt AND state = 'leased'
RETURNING task_id

-- name: finish
UPDATE tasks SET state = :state, worker = '', lease_until = 0, last_error = :error, finished_at = :now
WHERE task_id = :task_id AND attempt = :attempt AND state IN ('queued', 'leased', 'fetched')
RETURNING task_id

-- name: shrink
UPDATE tasks SET first_session = :first_session WHERE task_id = :task_id AND attempt = :attempt
RETURNING task_id

-- name: close_superseded
UPDATE tasks SET state = 'cancelled', last_error = 'another open task asks for the same', finished_at = :now
WHERE task_id = :task_id

-- name: same_open_task
SELECT task_id FROM tasks
WHERE dataset = :dataset AND instrument = :instrument AND first_session = :first_session AND last_session = :last_session
  AND purpose = :purpose AND task_id <> :task_id AND state IN ('queued', 'leased', 'fetched')

-- name: fetched_tasks
SELECT * FROM tasks WHERE state = 'fetched' ORDER BY task_id

-- name: refusals
SELECT task_id, source FROM task_sources
WHERE refusal <> '' AND EXISTS (SELECT 1 FROM tasks WHERE tasks.task_id = task_sources.task_id AND state = 'queued')

-- name: stalled_tasks
SELECT * FROM tasks WHERE state = 'stalled' AND (:dataset = '' OR dataset = :dataset) ORDER BY task_id

-- name: retry
UPDATE tasks SET state = 'queued', failures = 0, finished_at = NULL WHERE task_id = :task_id AND state = 'stalled'
RETURNING task_id

-- name: cancel
UPDATE tasks SET state = 'cancelled', worker = '', lease_until = 0, last_error = :error, finished_at = :now
WHERE task_id = :task_id AND state IN ('queued', 'stalled')
RETURNING dataset, instrument

-- name: cancel_for
UPDATE tasks SET state = 'cancelled', worker = '', lease_until = 0, last_error = :error, finished_at = :now
WHERE dataset = :dataset AND eligible_sources = :eligible_sources AND state = 'queued'
RETURNING dataset, instrument

-- name: reprioritise
UPDATE tasks SET priority = :priority WHERE task_id = :task_id AND state = 'queued'
RETURNING task_id

-- name: set_eligible_sources
UPDATE tasks SET eligible_sources = :eligible_sources WHERE task_id = :task_id

-- name: task_sources
SELECT source, not_before, refusal FROM task_sources WHERE task_id = :task_id ORDER BY source

-- name: queued_eligible_sources
SELECT task_id, instrument, first_session, last_session, eligible_sources, purpose FROM tasks
WHERE dataset = :dataset AND state = 'queued' ORDER BY task_id

-- name: queued_eligible_sources_of_series
SELECT task_id, instrument, first_session, last_session, eligible_sources, purpose FROM tasks
WHERE dataset = :dataset AND instrument = :instrument AND state = 'queued' AND state IN ('queued', 'leased', 'fetched') ORDER BY task_id

-- name: old_tasks
SELECT COUNT(*) AS old FROM tasks WHERE state IN ('done', 'unobtainable', 'cancelled') AND finished_at < :before

-- name: forget_tasks
DELETE FROM tasks WHERE state IN ('done', 'unobtainable', 'cancelled') AND finished_at < :before

-- name: forget_lost_hold_backs
DELETE FROM task_sources WHERE NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.task_id = task_sources.task_id)

-- name: forget_hold_backs
DELETE FROM task_sources WHERE task_id = :task_id

-- name: forget_refusals
DELETE FROM task_sources WHERE source = :source

-- name: leased_by
SELECT * FROM tasks WHERE state = 'leased' AND lease_until >= 0 AND worker = :worker ORDER BY task_id

-- name: task
SELECT * FROM tasks WHERE task_id = :task_id

-- name: tasks_by_state
SELECT state, kind, dataset, COUNT(*) AS tasks FROM tasks GROUP BY state, kind, dataset ORDER BY state, kind, dataset

-- name: list_tasks
SELECT * FROM tasks WHERE (:state = '' OR state = :state) ORDER BY task_id DESC LIMIT :most

-- name: tasks_touching
SELECT * FROM tasks WHERE dataset = :dataset AND instrument = :instrument
  AND first_session <= :session AND last_session >= :session AND state IN ('queued', 'leased', 'fetched')
UNION ALL
SELECT * FROM tasks WHERE dataset = :dataset AND instrument = :instrument
  AND first_session <= :session AND last_session >= :session AND state IN ('done', 'stalled', 'unobtainable', 'cancelled')
ORDER BY task_id

-- name: next_chance
SELECT MIN(not_before) AS at FROM task_sources
WHERE source = :source AND refusal = '' AND not_before > :now
  AND EXISTS (SELECT 1 FROM tasks WHERE tasks.task_id = task_sources.task_id AND state = 'queued')

-- name: hold_back
INSERT INTO task_sources (task_id, source, not_before, refusal) VALUES (:task_id, :source, :not_before, :refusal)
ON CONFLICT (task_id, source) DO UPDATE SET not_before = excluded.not_before, refusal = excluded.refusal

-- name: task_for_interval
SELECT * FROM tasks WHERE interval_id = :interval_id ORDER BY task_id DESC LIMIT 1
