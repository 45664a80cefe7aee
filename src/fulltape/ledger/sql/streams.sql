-- name: capture
SELECT * FROM captures WHERE file = :file

-- name: captures
SELECT * FROM captures WHERE (:source = '' OR source = :source) ORDER BY file

-- name: add_capture
INSERT INTO captures (file, source, first_session, last_session, messages, unknown, broken, parts, software, sealed_at,
                      byte_count, edges)
VALUES (:file, :source, :first_session, :last_session, :messages, :unknown, :broken, :parts, :software, :sealed_at,
        :byte_count, :edges)
ON CONFLICT (file) DO UPDATE SET messages = excluded.messages, unknown = excluded.unknown, broken = excluded.broken,
    parts = excluded.parts, software = excluded.software, sealed_at = excluded.sealed_at,
    first_session = excluded.first_session, last_session = excluded.last_session, byte_count = excluded.byte_count,
    edges = excluded.edges

-- name: forget_capture
DELETE FROM captures WHERE file = :file

-- name: forget_parts_of_captures
UPDATE captures SET parts = ''

-- name: ask_intervals_again
UPDATE intervals SET state = 'unverified', evidence = '', decided_at = NULL WHERE state = 'filling'

-- name: newest_interval
SELECT MAX(interval_id) AS newest FROM intervals

-- name: streams_of
SELECT * FROM streams WHERE source = :source

-- name: set_stream
INSERT INTO streams (source, dataset, instrument, symbol, file, live_to, open, why, last_id, last_ts)
VALUES (:source, :dataset, :instrument, :symbol, :file, :live_to, :open, :why, :last_id, :last_ts)
ON CONFLICT (source, dataset, instrument) DO UPDATE SET symbol = excluded.symbol, file = excluded.file,
    live_to = excluded.live_to, open = excluded.open, why = excluded.why, last_id = excluded.last_id, last_ts = excluded.last_ts

-- name: add_stream_day
INSERT INTO stream_days (source, dataset, instrument, symbol, session, from_ts, to_ts, row_count, reconnects,
                         compared_at, missed, extra)
VALUES (:source, :dataset, :instrument, :symbol, :session, :from_ts, :to_ts, :row_count, :reconnects, NULL, 0, 0)
ON CONFLICT (source, dataset, instrument, session) DO UPDATE SET
    from_ts = CASE WHEN stream_days.from_ts < excluded.from_ts THEN stream_days.from_ts ELSE excluded.from_ts END,
    to_ts = CASE WHEN stream_days.to_ts > excluded.to_ts THEN stream_days.to_ts ELSE excluded.to_ts END,
    row_count = stream_days.row_count + excluded.row_count, reconnects = stream_days.reconnects + excluded.reconnects

-- name: cut_stream_days
UPDATE stream_days SET to_ts = :at, from_ts = CASE WHEN from_ts > :at THEN :at ELSE from_ts END
WHERE source = :source AND dataset = :dataset AND instrument = :instrument AND to_ts > :at

-- name: drop_stream_days
DELETE FROM stream_days
WHERE source = :source AND dataset = :dataset AND instrument = :instrument AND from_ts > :at AND row_count = 0

-- name: captured_any
SELECT 1 AS found FROM (SELECT dataset FROM stream_days UNION ALL SELECT dataset FROM stream_months) AS both_of
WHERE dataset = :dataset LIMIT 1

-- name: captured_sessions
SELECT session FROM stream_days WHERE dataset = :dataset AND instrument = :instrument AND row_count > 0 ORDER BY session

-- name: stream_days
SELECT * FROM stream_days
WHERE (:source = '' OR source = :source) AND (:dataset = '' OR dataset = :dataset)
  AND session >= :first_session AND session <= :last_session
ORDER BY source, dataset, symbol, session

-- name: stream_day
SELECT * FROM stream_days
WHERE source = :source AND dataset = :dataset AND instrument = :instrument AND session = :session

-- name: compare_stream_day
UPDATE stream_days SET compared_at = :now, missed = :missed, extra = :extra, no_history = :no_history
WHERE source = :source AND dataset = :dataset AND instrument = :instrument AND session = :session

-- name: uncompared
SELECT COUNT(*) AS left_over FROM stream_days
WHERE source = :source AND session >= :first_session AND session <= :last_session AND compared_at IS NULL

-- name: newest_comparison
SELECT MAX(compared_at) AS at FROM stream_days
WHERE source = :source AND session >= :first_session AND session <= :last_session

-- name: add_interval
INSERT INTO intervals (interval_id, source, dataset, instrument, symbol, session, from_ts, to_ts, kind, state, detail,
                       evidence, since, decided_at)
VALUES (:interval_id, :source, :dataset, :instrument, :symbol, :session, :from_ts, :to_ts, :kind, :state, :detail,
        :evidence, :since, :decided_at)
ON CONFLICT (source, dataset, instrument, from_ts, to_ts, kind) DO NOTHING

-- name: interval
SELECT * FROM intervals WHERE interval_id = :interval_id

-- name: intervals
SELECT * FROM intervals
WHERE (:source = '' OR source = :source) AND (:dataset = '' OR dataset = :dataset)
  AND (:instrument = '' OR instrument = :instrument) AND session >= :first_session AND session <= :last_session
  AND (:state = '' OR state = :state)
ORDER BY source, dataset, symbol, from_ts

-- name: decide_interval
UPDATE intervals SET state = :state, evidence = :evidence, decided_at = :now WHERE interval_id = :interval_id

-- name: interval_tasks
SELECT * FROM tasks WHERE dataset = :dataset AND instrument = :instrument AND first_session = :session
  AND from_ts IS NOT NULL AND state IN ('queued', 'leased', 'fetched')

-- name: newest_stream_day
SELECT MAX(session) AS session FROM stream_days

-- name: open_stream_days
SELECT * FROM stream_days WHERE source = :source AND compared_at IS NULL ORDER BY session

-- name: settled_streams
-- Streams with old sessions that history has confirmed, with no row that it does not know.
SELECT DISTINCT source, dataset, instrument FROM stream_days
WHERE session < :before AND compared_at IS NOT NULL AND no_history = 0 AND extra = 0
ORDER BY source, dataset, instrument

-- name: settled_days
SELECT * FROM stream_days AS d
WHERE d.source = :source AND d.dataset = :dataset AND d.instrument = :instrument AND d.session < :before
  AND d.compared_at IS NOT NULL AND d.no_history = 0 AND d.extra = 0
  AND NOT EXISTS (SELECT 1 FROM intervals AS i WHERE i.source = d.source AND i.dataset = d.dataset
                  AND i.instrument = d.instrument AND i.session = d.session AND i.state <> 'verified')
  AND NOT EXISTS (SELECT 1 FROM captures AS c WHERE c.source = d.source
                  AND c.first_session <= d.session AND c.last_session >= d.session)
ORDER BY d.session

-- name: drop_stream_day
DELETE FROM stream_days
WHERE source = :source AND dataset = :dataset AND instrument = :instrument AND session = :session

-- name: drop_intervals_of_day
DELETE FROM intervals
WHERE source = :source AND dataset = :dataset AND instrument = :instrument AND session = :session

-- name: add_stream_month
INSERT INTO stream_months (source, dataset, instrument, symbol, month, days, filled, live, doubtful, row_count, breaks, missed)
VALUES (:source, :dataset, :instrument, :symbol, :month, :days, :filled, :live, :doubtful, :row_count, :breaks, :missed)
ON CONFLICT (source, dataset, instrument, month) DO UPDATE SET symbol = excluded.symbol,
    days = stream_months.days | excluded.days, filled = stream_months.filled | excluded.filled, live = stream_months.live + excluded.live,
    doubtful = stream_months.doubtful + excluded.doubtful, row_count = stream_months.row_count + excluded.row_count,
    breaks = stream_months.breaks + excluded.breaks, missed = stream_months.missed + excluded.missed

-- name: stream_month
SELECT * FROM stream_months
WHERE source = :source AND dataset = :dataset AND instrument = :instrument AND month = :month

-- name: filled_months
SELECT month, filled FROM stream_months WHERE dataset = :dataset AND instrument = :instrument

-- name: stream_months
SELECT * FROM stream_months WHERE month = :month ORDER BY source, dataset, symbol

-- name: stream_months_of
SELECT * FROM stream_months WHERE dataset = :dataset ORDER BY source, symbol, month

-- name: consumer
SELECT * FROM consumers WHERE name = :name AND source = :source

-- name: consumers
SELECT * FROM consumers WHERE (:source = '' OR source = :source) ORDER BY name, source

-- name: move_consumer
INSERT INTO consumers (name, source, file, file_offset, moved_at)
VALUES (:name, :source, :file, :file_offset, :moved_at)
ON CONFLICT (name, source) DO UPDATE SET file = excluded.file, file_offset = excluded.file_offset,
    moved_at = excluded.moved_at

-- name: drop_consumer
DELETE FROM consumers WHERE name = :name

-- name: old_consumers
SELECT COUNT(*) AS consumers FROM consumers WHERE moved_at < :before

-- name: forget_consumers
DELETE FROM consumers WHERE moved_at < :before
