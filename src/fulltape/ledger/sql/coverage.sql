-- name: coverage_of_dataset
SELECT * FROM coverage WHERE dataset = :dataset ORDER BY instrument, source, first_session

-- name: coverage_spans
SELECT instrument, source, fact, sound, first_session, last_session FROM coverage WHERE dataset = :dataset
ORDER BY instrument, source, first_session

-- name: coverage_touching
SELECT * FROM coverage
WHERE dataset = :dataset AND instrument = :instrument AND source = :source
  AND first_session <= :last_session AND last_session >= :first_session
ORDER BY first_session

-- name: drop_coverage
DELETE FROM coverage
WHERE dataset = :dataset AND instrument = :instrument AND source = :source AND first_session = :first_session

-- name: add_coverage
INSERT INTO coverage (dataset, instrument, source, first_session, last_session, fact, sound, final, since, evidence, reason)
VALUES (:dataset, :instrument, :source, :first_session, :last_session, :fact, :sound, :final, :since, :evidence, :reason)

-- name: verdicts_touching
SELECT * FROM verdicts
WHERE dataset = :dataset AND instrument = :instrument AND source = :source
  AND first_session <= :last_session AND last_session >= :first_session
ORDER BY first_session

-- name: verdicts_of_dataset
SELECT * FROM verdicts WHERE dataset = :dataset AND source = :source ORDER BY instrument, first_session

-- name: drop_verdict
DELETE FROM verdicts
WHERE dataset = :dataset AND instrument = :instrument AND source = :source AND first_session = :first_session

-- name: forget_verdicts
DELETE FROM verdicts WHERE dataset = :dataset AND source = '' AND codes = :codes

-- name: add_verdict
INSERT INTO verdicts (dataset, instrument, source, first_session, last_session, verdict, codes, since)
VALUES (:dataset, :instrument, :source, :first_session, :last_session, :verdict, :codes, :since)

