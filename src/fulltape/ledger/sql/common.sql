-- name: advance_counter
UPDATE counters SET value = value + :count WHERE name = :name RETURNING value

-- name: bookmark
SELECT position FROM bookmarks WHERE stage = :stage AND log = :log

-- name: bookmarks_of_stage
SELECT log FROM bookmarks WHERE stage = :stage ORDER BY log

-- name: set_bookmark
INSERT INTO bookmarks (stage, log, position) VALUES (:stage, :log, :position)
ON CONFLICT (stage, log) DO UPDATE SET position = excluded.position

-- name: drop_bookmark
DELETE FROM bookmarks WHERE stage = :stage AND log = :log

-- name: stage_started
INSERT INTO stage_runs (stage, started_at, finished_at) VALUES (:stage, :now, NULL)
ON CONFLICT (stage) DO UPDATE SET started_at = excluded.started_at, finished_at = NULL

-- name: stage_finished
UPDATE stage_runs SET finished_at = :now WHERE stage = :stage

-- name: stage_run
SELECT started_at, finished_at FROM stage_runs WHERE stage = :stage

-- name: export_of
SELECT day, path, digest, at FROM exports WHERE day = :day

-- name: newest_export
SELECT day, path, digest, at FROM exports ORDER BY day DESC LIMIT 1

-- name: exports
SELECT day, path, digest, at FROM exports ORDER BY day

-- name: forget_export
DELETE FROM exports WHERE day = :day

-- name: old_rejections
SELECT DISTINCT path FROM rejections WHERE at < :before
  AND NOT EXISTS (SELECT 1 FROM rejections AS newer WHERE newer.path = rejections.path AND newer.at >= :before)

-- name: count_old_rejections
SELECT COUNT(*) AS old FROM rejections WHERE at < :before

-- name: forget_rejections
DELETE FROM rejections WHERE at < :before

-- name: rejected_paths
SELECT DISTINCT path FROM rejections WHERE path <> ''

-- name: forget_rejected
UPDATE rejections SET path = '' WHERE path = :path

-- name: record_export
INSERT INTO exports (day, path, digest, at) VALUES (:day, :path, :digest, :at)
ON CONFLICT (day) DO UPDATE SET path = excluded.path, digest = excluded.digest, at = excluded.at

-- name: record_rejection
INSERT INTO rejections (fetch_id, page, source, reason, row_count, path, at)
VALUES (:fetch_id, :page, :source, :reason, :row_count, :path, :at)
ON CONFLICT (fetch_id, page, reason) DO NOTHING

-- name: rejections_by_source
SELECT source, reason, COUNT(*) AS pages, SUM(row_count) AS row_count FROM rejections GROUP BY source, reason ORDER BY source, reason
