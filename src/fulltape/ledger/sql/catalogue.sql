-- name: register_part
INSERT INTO parts (part_id, log_pos, layer, source, dataset, folder, path, row_count, byte_count, sha256,
                   min_ts, max_ts, ingested_at, origin, cells, first_session, last_session, of_parts, merged)
VALUES (:part_id, :log_pos, :layer, :source, :dataset, :folder, :path, :row_count, :byte_count, :sha256,
        :min_ts, :max_ts, :ingested_at, :origin, :cells, :first_session, :last_session, :of_parts, :merged)

-- name: replace_parts_of_folder
UPDATE parts SET replaced_at = :now, replaced_by = :part_id
WHERE layer = :layer AND dataset = :dataset AND folder = :folder AND part_id <> :part_id AND replaced_at IS NULL
  AND last_session >= :first_session AND first_session <= :last_session

-- name: newest_session_of_parts
SELECT MAX(last_session) AS session FROM parts WHERE layer = :layer AND dataset = :dataset AND replaced_at IS NULL

-- name: part_columns
-- All but the cells, which are large and seldom asked for.
part_id, log_pos, layer, source, dataset, folder, path, row_count, byte_count, sha256, min_ts, max_ts, ingested_at, origin,
       first_session, last_session, of_parts, merged, replaced_by

-- name: cells_of_part
SELECT cells FROM parts WHERE part_id = :part_id

-- name: current_parts
SELECT {part_columns} FROM parts WHERE layer = :layer AND replaced_at IS NULL ORDER BY dataset, folder, log_pos

-- name: current_parts_of_folder
SELECT {part_columns} FROM parts
WHERE layer = :layer AND dataset = :dataset AND folder = :folder AND replaced_at IS NULL ORDER BY log_pos

-- name: current_parts_between
SELECT {part_columns} FROM parts
WHERE layer = :layer AND dataset = :dataset AND last_session >= :first_session AND first_session <= :last_session
  AND replaced_at IS NULL
ORDER BY folder, log_pos

-- name: part_by_path
SELECT {part_columns} FROM parts WHERE path = :path

-- name: revive_part
UPDATE parts SET replaced_at = NULL, replaced_by = NULL, log_pos = :log_pos, of_parts = :of_parts WHERE part_id = :part_id

-- name: move_part
UPDATE parts SET log_pos = :log_pos WHERE part_id = :part_id

-- name: merge_part
UPDATE parts SET replaced_at = :now, replaced_by = :merged_into WHERE part_id = :part_id

-- name: originals
SELECT {part_columns} FROM parts WHERE replaced_by = :part_id AND layer = 'raw' ORDER BY log_pos

-- name: unmerge_part
UPDATE parts SET replaced_at = NULL, replaced_by = NULL WHERE part_id = :part_id

-- name: withdraw_part
UPDATE parts SET replaced_at = :now WHERE part_id = :part_id AND replaced_at IS NULL

-- name: withdraw_folder
UPDATE parts SET replaced_at = :now
WHERE layer = :layer AND dataset = :dataset AND folder = :folder AND replaced_at IS NULL

-- name: withdraw_regrouped
-- What was made of the curated days of a year, or of a month.
UPDATE parts SET replaced_at = :now
WHERE layer = 'by_instrument' AND dataset = :dataset AND folder IN (:year, :month) AND replaced_at IS NULL

-- name: add_part_symbol
INSERT INTO part_symbols (symbol, part_id) VALUES (:symbol, :part_id)

-- name: forget_part_symbols
DELETE FROM part_symbols WHERE part_id = :part_id
  AND part_id IN (SELECT part_id FROM parts WHERE replaced_at IS NOT NULL)

-- name: parts_with_symbol
SELECT part_id FROM part_symbols WHERE symbol = :symbol

-- name: part_files
SELECT path, byte_count, sha256, replaced_at FROM parts ORDER BY part_id

-- name: replaced_parts
SELECT {part_columns} FROM parts WHERE replaced_at < :before ORDER BY part_id

-- name: forget_part
DELETE FROM parts WHERE part_id = :part_id AND replaced_at IS NOT NULL

-- name: verified_part
UPDATE parts SET verified_at = :now WHERE part_id = :part_id

-- name: longest_unverified
SELECT {part_columns} FROM parts WHERE replaced_at IS NULL
ORDER BY CASE WHEN verified_at > :now THEN 0 ELSE verified_at END, part_id LIMIT :most OFFSET :skip

-- name: grown
SELECT (SELECT MIN(ingested_at) FROM parts) AS since, COALESCE(SUM(byte_count), 0) AS bytes
FROM parts WHERE ingested_at > :since AND replaced_at IS NULL

-- name: parts_since
SELECT {part_columns} FROM parts WHERE layer = :layer AND dataset = :dataset AND log_pos > :position AND replaced_at IS NULL ORDER BY log_pos

-- name: all_paths
SELECT path, byte_count, replaced_at FROM parts

-- name: last_log_position
SELECT COALESCE(MAX(log_pos), 0) AS position FROM parts WHERE layer = :layer

-- name: current_part
SELECT {part_columns} FROM parts WHERE part_id = :part_id AND replaced_at IS NULL

-- name: part_by_id
SELECT {part_columns}, replaced_at FROM parts WHERE part_id = :part_id

-- name: add_intent
INSERT INTO intents (path, layer, evidence, at) VALUES (:path, :layer, :evidence, :at)
ON CONFLICT (path) DO UPDATE SET evidence = excluded.evidence, at = excluded.at

-- name: drop_intent
DELETE FROM intents WHERE path = :path

-- name: intents
SELECT path, evidence FROM intents WHERE layer = :layer ORDER BY path

-- name: add_damage
INSERT INTO damages (path, layer, dataset, what, found_at) VALUES (:path, :layer, :dataset, :what, :found_at)
ON CONFLICT (path) DO UPDATE SET what = excluded.what

-- name: drop_damage
DELETE FROM damages WHERE path = :path

-- name: damages
SELECT path, layer, dataset, what, found_at FROM damages ORDER BY found_at, path

-- name: add_redo
INSERT INTO redo (stage, dataset, what) VALUES (:stage, :dataset, :what) ON CONFLICT (stage, dataset, what) DO NOTHING

-- name: redo
SELECT what FROM redo WHERE stage = :stage AND dataset = :dataset

-- name: drop_redo
DELETE FROM redo WHERE stage = :stage AND dataset = :dataset AND what = :what

-- name: identity
SELECT value FROM identity WHERE name = :name

-- name: set_identity
INSERT INTO identity (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- name: knows_anything
SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM parts LIMIT 1) AS p) + (SELECT COUNT(*) FROM (SELECT 1 FROM tasks LIMIT 1) AS t)
  + (SELECT COUNT(*) FROM (SELECT 1 FROM coverage LIMIT 1) AS c) + (SELECT COUNT(*) FROM (SELECT 1 FROM captures LIMIT 1) AS s) AS known

-- name: counter
SELECT value FROM counters WHERE name = :name

-- name: raise_counter
UPDATE counters SET value = :value WHERE name = :name AND value < :value

-- name: sent_files
SELECT * FROM sent_files WHERE target = :target ORDER BY file_path

-- name: sent_copies
SELECT target, byte_count, sha256, modified_ns FROM sent_files WHERE file_path = :file_path AND indexed = 1

-- name: note_sent_file
INSERT INTO sent_files (target, file_path, object_key, byte_count, sha256, modified_ns, proved_at, indexed)
VALUES (:target, :file_path, :object_key, :byte_count, :sha256, :modified_ns, :proved_at, :indexed)
ON CONFLICT (target, file_path) DO UPDATE SET object_key = excluded.object_key, byte_count = excluded.byte_count,
    sha256 = excluded.sha256, modified_ns = excluded.modified_ns, proved_at = excluded.proved_at, indexed = excluded.indexed

-- name: doubt_sent_files
UPDATE sent_files SET indexed = 0 WHERE target = :target AND indexed = 1

-- name: forget_sent_file
DELETE FROM sent_files WHERE target = :target AND file_path = :file_path
