-- name: budget
SELECT * FROM budgets WHERE scope = :scope AND dimension = :dimension

-- name: budgets
SELECT * FROM budgets ORDER BY scope, dimension

-- name: set_budget
INSERT INTO budgets (scope, dimension, span_s, allowed, used, resets_at, closed_until, strikes)
VALUES (:scope, :dimension, :span_s, :allowed, :used, :resets_at, :closed_until, :strikes)
ON CONFLICT (scope, dimension) DO UPDATE SET span_s = excluded.span_s, allowed = excluded.allowed,
    used = excluded.used, resets_at = excluded.resets_at, closed_until = excluded.closed_until, strikes = excluded.strikes

-- name: sends_since
SELECT second, SUM(sent) AS sent FROM sends WHERE scope = :scope AND second >= :since GROUP BY second ORDER BY second

-- name: add_send
INSERT INTO sends (scope, second, kind, sent) VALUES (:scope, :second, :kind, :sent)
ON CONFLICT (scope, second, kind) DO UPDATE SET sent = sends.sent + excluded.sent

-- name: forget_sends
DELETE FROM sends WHERE second < :before

-- name: record_request
INSERT INTO requests (request_id, ask, source, target, kind, sent_at, status, outcome, byte_count, took_us)
VALUES (:request_id, :ask, :source, :target, :kind, :sent_at, :status, :outcome, :byte_count, :took_us)

-- name: requests_of_ask
SELECT * FROM requests WHERE ask = :ask ORDER BY request_id

-- name: requests_by_outcome
SELECT source, outcome, COUNT(*) AS requests, SUM(byte_count) AS byte_count, AVG(took_us) AS took_us
FROM requests WHERE sent_at >= :since GROUP BY source, outcome ORDER BY source, outcome

-- name: forget_requests
DELETE FROM requests WHERE sent_at < :before

-- name: eligibility
SELECT * FROM eligibility ORDER BY source, dataset, symbol

-- name: set_eligibility
INSERT INTO eligibility (source, dataset, symbol, state, until, reason, since)
VALUES (:source, :dataset, :symbol, :state, :until, :reason, :since)
ON CONFLICT (source, dataset, symbol) DO UPDATE SET state = excluded.state, until = excluded.until,
    reason = excluded.reason, since = excluded.since
