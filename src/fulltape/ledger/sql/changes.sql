-- name: instrument_set
SELECT set_id FROM instrument_sets WHERE digest = :digest

-- name: add_instrument_set
INSERT INTO instrument_sets (set_id, digest, members, instruments) VALUES (:set_id, :digest, :members, :instruments)

-- name: add_coverage_change
INSERT INTO coverage_changes (seq, kind, dataset, source, first_session, last_session, set_id, fact, sound, final, since,
                              evidence, reason, shown, extent, asked, repeated)
VALUES (:seq, :kind, :dataset, :source, :first_session, :last_session, :set_id, :fact, :sound, :final, :since,
        :evidence, :reason, :shown, :extent, :asked, :repeated)

-- name: add_verdict_change
INSERT INTO verdict_changes (seq, kind, dataset, source, first_session, last_session, set_id, verdict, codes, since)
VALUES (:seq, :kind, :dataset, :source, :first_session, :last_session, :set_id, :verdict, :codes, :since)

-- name: coverage_changes
SELECT coverage_changes.*, instruments FROM coverage_changes JOIN instrument_sets USING (set_id)
WHERE dataset = :dataset AND seq > :after AND seq <= :known ORDER BY seq

-- name: verdict_changes
SELECT verdict_changes.*, COALESCE(instruments, '') AS instruments
FROM verdict_changes LEFT JOIN instrument_sets USING (set_id)
WHERE dataset = :dataset AND seq > :after AND seq <= :known ORDER BY seq

-- name: count_changes
SELECT (SELECT COUNT(*) FROM coverage_changes WHERE dataset = :dataset AND seq <= :until)
  + (SELECT COUNT(*) FROM verdict_changes WHERE dataset = :dataset AND seq <= :until) AS changes

-- name: learned_since
SELECT COALESCE((SELECT SUM(members) FROM coverage_changes JOIN instrument_sets USING (set_id) WHERE dataset = :dataset AND seq > :after), 0)
  + COALESCE((SELECT SUM(members) FROM verdict_changes JOIN instrument_sets USING (set_id) WHERE dataset = :dataset AND seq > :after), 0)
  AS members

-- name: learned_after
-- What was forgotten bears no moment; it comes along with what was learned before it. Places below 0 are what an earlier version
-- had learned at moments that are not known.
SELECT MIN(seq) AS seq FROM (
    SELECT seq FROM coverage_changes
    WHERE dataset = :dataset AND since > :moment AND kind <> 'forgotten' AND (seq > :horizon OR seq < 0)
    UNION ALL SELECT seq FROM verdict_changes
    WHERE dataset = :dataset AND since > :moment AND kind <> 'forgotten' AND (seq > :horizon OR seq < 0)
) AS learned

-- name: contradictions
SELECT coverage_changes.*, instruments FROM coverage_changes JOIN instrument_sets USING (set_id)
WHERE dataset = :dataset AND kind = 'contradicted' ORDER BY seq

-- name: changed_datasets
SELECT dataset FROM coverage_changes UNION SELECT dataset FROM verdict_changes ORDER BY dataset

-- name: newest_checkpoint
SELECT seq, content FROM checkpoints WHERE dataset = :dataset AND seq <= :known ORDER BY seq DESC LIMIT 1

-- name: newest_checkpoint_before
SELECT MAX(seq) AS seq FROM checkpoints WHERE dataset = :dataset AND at < :before

-- name: add_checkpoint
INSERT INTO checkpoints (dataset, seq, at, content) VALUES (:dataset, :seq, :at, :content)
ON CONFLICT (dataset, seq) DO UPDATE SET content = excluded.content, at = excluded.at

-- name: forget_checkpoints
DELETE FROM checkpoints WHERE dataset = :dataset AND seq < :seq

-- name: forget_coverage_changes
DELETE FROM coverage_changes WHERE dataset = :dataset AND seq <= :seq

-- name: forget_verdict_changes
DELETE FROM verdict_changes WHERE dataset = :dataset AND seq <= :seq

-- name: forget_instrument_sets
DELETE FROM instrument_sets WHERE set_id NOT IN (SELECT set_id FROM coverage_changes)
  AND set_id NOT IN (SELECT set_id FROM verdict_changes)
