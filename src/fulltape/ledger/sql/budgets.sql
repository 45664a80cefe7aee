-- name: scope
SELECT * FROM scopes WHERE scope = :scope

-- name: set_scope
INSERT INTO scopes (scope, allowed, learned_at, closed_until, strikes)
VALUES (:scope, :allowed, :learned_at, :closed_until, :strikes)
ON CONFLICT (scope) DO UPDATE SET allowed = excluded.allowed, learned_at = excluded.learned_at,
    closed_until = excluded.closed_until, strikes = excluded.strikes

-- name: day_used
SELECT kind, used, resets_at FROM days WHERE scope = :scope AND dimension = :dimension AND resets_at > :now

-- name: use_day
INSERT INTO days (scope, dimension, kind, used, resets_at) VALUES (:scope, :dimension, :kind, :used, :resets_at)
ON CONFLICT (scope, dimension, kind) DO UPDATE SET
    used = CASE WHEN days.resets_at > :now THEN days.used + excluded.used ELSE excluded.used END,
    resets_at = CASE WHEN days.resets_at > :now THEN days.resets_at ELSE excluded.resets_at END

-- name: sends_since
SELECT at, width, SUM(requests) AS requests, SUM(weight) AS weight FROM sends WHERE scope = :scope AND at >= :since
GROUP BY at, width ORDER BY at

-- name: add_send
INSERT INTO sends (scope, at, width, kind, requests, weight) VALUES (:scope, :at, :width, :kind, 1, :weight)
ON CONFLICT (scope, at, kind) DO UPDATE SET requests = sends.requests + 1, weight = sends.weight + excluded.weight

-- name: forget_sends
DELETE FROM sends WHERE at < :before

-- name: in_flight
SELECT COUNT(*) AS flying FROM in_flight WHERE scope = :scope AND until > :now

-- name: take_off
INSERT INTO in_flight (scope, token, until) VALUES (:scope, :token, :until)
ON CONFLICT (scope, token) DO UPDATE SET until = excluded.until

-- name: landed
DELETE FROM in_flight WHERE token = :token

-- name: forget_in_flight
DELETE FROM in_flight WHERE until <= :now

-- name: same_request
SELECT sent_at FROM identical WHERE scope = :scope AND request = :request

-- name: add_same_request
INSERT INTO identical (scope, request, sent_at) VALUES (:scope, :request, :sent_at)
ON CONFLICT (scope, request) DO UPDATE SET sent_at = excluded.sent_at

-- name: forget_same_requests
DELETE FROM identical WHERE sent_at < :before

-- name: clock
SELECT offset_us, synchronised, ahead_us FROM clocks WHERE boot = :boot

-- name: set_clock
INSERT INTO clocks (boot, offset_us, synchronised, ahead_us) VALUES (:boot, :offset_us, :synchronised, :ahead_us)
ON CONFLICT (boot) DO UPDATE
SET offset_us = excluded.offset_us, synchronised = excluded.synchronised, ahead_us = excluded.ahead_us

-- name: move_sends
-- In two steps, so that no moment meets one that is not moved yet.
UPDATE sends SET at = -(at + :by) WHERE at >= :since

-- name: moved_sends
UPDATE sends SET at = -at WHERE at < 0

-- name: move_identical
UPDATE identical SET sent_at = sent_at + :by WHERE sent_at >= :since

-- name: move_closures
UPDATE scopes SET closed_until = closed_until + :by WHERE closed_until > :now

-- name: move_in_flight
UPDATE in_flight SET until = until + :by WHERE until > :now

-- name: move_breakers
UPDATE breakers SET until = until + :by WHERE until > :now

-- name: move_days
UPDATE days SET resets_at = resets_at + :by WHERE resets_at > :now

-- name: newest_send
SELECT MAX(at) AS at FROM sends
