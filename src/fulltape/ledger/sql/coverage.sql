-- name: coverage_of_dataset
SELECT * FROM coverage WHERE dataset = :dataset ORDER BY instrument, source, first_session

-- name: coverage_spans
SELECT instrument, source, fact,
       sound + CASE extent WHEN 'positional' THEN 2 ELSE 0 END + CASE WHEN repeated > 0 THEN 4 ELSE 0 END
       + CASE WHEN fact = 'refused' AND extent <> '' THEN 8 ELSE 0 END AS proof,
       first_session, last_session
FROM coverage WHERE dataset = :dataset
ORDER BY instrument, source, first_session

-- name: coverage_spans_of_series
SELECT source, fact,
       sound + CASE extent WHEN 'positional' THEN 2 ELSE 0 END + CASE WHEN repeated > 0 THEN 4 ELSE 0 END
       + CASE WHEN fact = 'refused' AND extent <> '' THEN 8 ELSE 0 END AS proof,
       first_session, last_session
FROM coverage WHERE dataset = :dataset AND instrument = :instrument ORDER BY source, first_session

-- name: coverage_packed
SELECT instrument, source, 'present', {joined}(first_session, ','), {joined}(last_session, ',')
FROM coverage WHERE dataset = :dataset AND fact = 'present' AND last_session >= :first_session
GROUP BY instrument, source
UNION ALL
SELECT instrument, source, CASE WHEN fact = 'empty' AND sound = 1 THEN 'sound' ELSE fact END, first_session, last_session
FROM coverage WHERE dataset = :dataset AND fact <> 'present' AND last_session >= :first_session

-- name: coverage_of_kind
SELECT * FROM coverage
WHERE dataset = :dataset AND fact = :fact AND last_session >= :first_session AND first_session <= :last_session
ORDER BY instrument, source, first_session

-- name: coverage_of_series
SELECT * FROM coverage WHERE dataset = :dataset AND instrument = :instrument ORDER BY source, first_session

-- name: coverage_of_reason
SELECT * FROM coverage WHERE dataset = :dataset AND fact = :fact AND reason = :reason
ORDER BY instrument, source, first_session

-- name: answered_by_others
SELECT 1 FROM coverage
WHERE dataset = :dataset AND instrument = :instrument AND source <> :source AND fact = 'present' AND final = 1
  AND first_session <= :session AND last_session >= :session LIMIT 1

-- name: expired_evidence
SELECT instrument, source, first_session, last_session, CASE WHEN shown > 3 THEN 1 ELSE 0 END AS settled FROM coverage
WHERE dataset = :dataset AND fact <> 'present' AND fact IN ('empty', 'refused')
  AND since <= CASE shown WHEN 1 THEN :before_1 WHEN 2 THEN :before_2 WHEN 3 THEN :before_3 ELSE :before_4 END
ORDER BY since, instrument, source, first_session

-- name: touch
INSERT INTO touched (dataset, instrument) VALUES (:dataset, :instrument) ON CONFLICT (dataset, instrument) DO NOTHING

-- name: touched
SELECT instrument FROM touched WHERE dataset = :dataset ORDER BY instrument

-- name: forget_touched
DELETE FROM touched WHERE dataset = :dataset

-- name: coverage_touching
SELECT * FROM coverage
WHERE dataset = :dataset AND instrument = :instrument AND source = :source
  AND first_session <= :last_session AND last_session >= :first_session
ORDER BY first_session

-- name: coverage_knows
SELECT 1 AS found FROM coverage WHERE dataset = :dataset LIMIT 1

-- name: has_rows
SELECT 1 AS found FROM coverage
WHERE dataset = :dataset AND instrument = :instrument AND source = :source AND fact IN ('present', 'partial') LIMIT 1

-- name: coverage_near
SELECT * FROM coverage
WHERE dataset = :dataset AND source = :source AND last_session >= :first_session AND first_session <= :last_session
ORDER BY instrument, first_session

-- name: drop_coverage
DELETE FROM coverage
WHERE dataset = :dataset AND instrument = :instrument AND source = :source AND first_session = :first_session

-- name: add_coverage
INSERT INTO coverage (dataset, instrument, source, first_session, last_session, fact, sound, final, since, evidence,
                      reason, shown, extent, asked, repeated)
VALUES (:dataset, :instrument, :source, :first_session, :last_session, :fact, :sound, :final, :since, :evidence,
        :reason, :shown, :extent, :asked, :repeated)

-- name: newest_acceptance
SELECT MAX(seq) AS newest FROM acceptances

-- name: acceptances
SELECT * FROM acceptances WHERE dataset = :dataset ORDER BY seq

-- name: add_acceptance
INSERT INTO acceptances (seq, dataset, instrument, first_session, last_session, reason, revoked, at)
VALUES (:seq, :dataset, :instrument, :first_session, :last_session, :reason, :revoked, :at)

-- name: coverage_held
SELECT instrument, {joined}(first_session, ','), {joined}(last_session, ',')
FROM coverage WHERE dataset = :dataset AND fact = 'present' GROUP BY instrument

-- name: verdicts_touching
SELECT * FROM verdicts
WHERE dataset = :dataset AND instrument = :instrument AND source = :source
  AND first_session <= :last_session AND last_session >= :first_session
ORDER BY first_session

-- name: verdicts_of_dataset
SELECT * FROM verdicts WHERE dataset = :dataset AND source = :source ORDER BY instrument, first_session

-- name: all_verdicts
SELECT * FROM verdicts WHERE dataset = :dataset ORDER BY instrument, source, first_session

-- name: verdicts_with_codes
SELECT * FROM verdicts WHERE dataset = :dataset AND source = '' AND codes = :codes ORDER BY instrument, first_session

-- name: verdicts_of_kind
SELECT * FROM verdicts WHERE dataset = :dataset AND source = '' AND verdict = :verdict ORDER BY instrument, first_session

-- name: drop_verdict
DELETE FROM verdicts
WHERE dataset = :dataset AND instrument = :instrument AND source = :source AND first_session = :first_session

-- name: forget_verdicts
DELETE FROM verdicts WHERE dataset = :dataset AND source = '' AND codes = :codes

-- name: add_verdict
INSERT INTO verdicts (dataset, instrument, source, first_session, last_session, verdict, codes, since)
VALUES (:dataset, :instrument, :source, :first_session, :last_session, :verdict, :codes, :since)


-- name: add_restatement
INSERT INTO restatements (dataset, source, instrument, session, at, rows_changed, largest)
VALUES (:dataset, :source, :instrument, :session, :at, :rows_changed, :largest)
ON CONFLICT (dataset, source, instrument, session, at) DO NOTHING

-- name: confirm_restatements
UPDATE restatements SET confirmed_at = :at
WHERE dataset = :dataset AND source = :source AND instrument = :instrument AND session = :session AND confirmed_at = 0

-- name: open_restatements
SELECT instrument, source, session, rows_changed, largest, at, asked_at FROM restatements
WHERE dataset = :dataset AND confirmed_at = 0 AND largest > :beyond
ORDER BY instrument, session, source

-- name: restatements_since
SELECT DISTINCT source, instrument, session FROM restatements WHERE dataset = :dataset AND at > :moment

-- name: count_rechecks
INSERT INTO rechecks (dataset, source, cells, restated, at) VALUES (:dataset, :source, :cells, :restated, :at)
ON CONFLICT (dataset, source) DO UPDATE SET cells = rechecks.cells + :cells, restated = rechecks.restated + :restated, at = :at

-- name: rechecks_of_source
SELECT dataset, cells, restated FROM rechecks WHERE source = :source ORDER BY dataset

-- name: asked_to_confirm
UPDATE restatements SET asked_at = :now
WHERE dataset = :dataset AND source = :source AND instrument = :instrument AND session = :session AND confirmed_at = 0

-- name: old_restatements
-- What still makes a session AMBER stays: without it the session would seem well.
SELECT COUNT(*) AS count FROM restatements WHERE at < :before AND (confirmed_at > 0 OR largest <= :beyond)

-- name: forget_restatements
DELETE FROM restatements WHERE at < :before AND (confirmed_at > 0 OR largest <= :beyond)

-- name: newest_repair
SELECT MAX(seq) AS newest FROM repairs

-- name: repairs
SELECT * FROM repairs WHERE dataset = :dataset AND session >= :first_session AND session <= :last_session ORDER BY seq

-- name: all_repairs
SELECT * FROM repairs ORDER BY seq

-- name: add_repair
INSERT INTO repairs (seq, dataset, instrument, session, ts, source, field, was, becomes, who, reason, at, undoes)
VALUES (:seq, :dataset, :instrument, :session, :ts, :source, :field, :was, :becomes, :who, :reason, :at, :undoes)
