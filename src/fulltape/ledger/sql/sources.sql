-- name: record_request
INSERT INTO requests (request_id, fetch_id, source, target, kind, sent_at, status, outcome, byte_count, took_us)
VALUES (:request_id, :fetch_id, :source, :target, :kind, :sent_at, :status, :outcome, :byte_count, :took_us)

-- name: requests_of_fetch
SELECT * FROM requests WHERE fetch_id = :fetch_id ORDER BY request_id

-- name: requests_by_outcome
SELECT source, outcome, COUNT(*) AS requests, SUM(byte_count) AS byte_count, AVG(took_us) AS took_us
FROM requests WHERE sent_at >= :since GROUP BY source, outcome ORDER BY source, outcome

-- name: old_requests
SELECT COUNT(*) AS old FROM requests WHERE sent_at < :before

-- name: forget_requests
DELETE FROM requests WHERE sent_at < :before

-- name: eligibility
SELECT * FROM eligibility ORDER BY source, dataset, symbol

-- name: one_eligibility
SELECT * FROM eligibility WHERE source = :source AND dataset = :dataset AND symbol = :symbol

-- name: set_eligibility
INSERT INTO eligibility (source, dataset, symbol, state, until, reason, since, strikes)
VALUES (:source, :dataset, :symbol, :state, :until, :reason, :since, :strikes)
ON CONFLICT (source, dataset, symbol) DO UPDATE SET state = excluded.state, until = excluded.until,
    reason = excluded.reason, since = excluded.since, strikes = excluded.strikes

-- name: drop_eligibility
DELETE FROM eligibility WHERE source = :source AND dataset = :dataset AND symbol = :symbol

-- name: breaker
SELECT * FROM breakers WHERE source = :source

-- name: breakers
SELECT * FROM breakers ORDER BY source

-- name: set_breaker
INSERT INTO breakers (source, state, failures, until, reason) VALUES (:source, :state, :failures, :until, :reason)
ON CONFLICT (source) DO UPDATE SET state = excluded.state, failures = excluded.failures, until = excluded.until,
    reason = excluded.reason
