-- name: register_part
INSERT INTO parts (part_id, log_pos, layer, source, dataset, folder, path, row_count, byte_count, sha256,
                   min_ts, max_ts, ingested_at, origin, cells)
VALUES (:part_id, :log_pos, :layer, :source, :dataset, :folder, :path, :row_count, :byte_count, :sha256,
        :min_ts, :max_ts, :ingested_at, :origin, :cells)

-- name: replace_parts_of_folder
UPDATE parts SET replaced_at = :now, replaced_by = :part_id
WHERE layer = :layer AND dataset = :dataset AND folder = :folder AND part_id <> :part_id AND replaced_at IS NULL

-- name: current_parts
SELECT * FROM parts
WHERE layer = :layer AND replaced_at IS NULL AND (:dataset = '' OR dataset = :dataset) AND (:folder = '' OR folder = :folder)
ORDER BY dataset, folder, log_pos

-- name: part_by_path
SELECT * FROM parts WHERE path = :path

-- name: revive_part
UPDATE parts SET replaced_at = NULL, replaced_by = NULL, log_pos = :log_pos WHERE part_id = :part_id

-- name: parts_since
SELECT * FROM parts WHERE layer = :layer AND dataset = :dataset AND log_pos > :position AND replaced_at IS NULL ORDER BY log_pos

-- name: paths_of_layer
SELECT path FROM parts WHERE layer = :layer

-- name: last_log_position
SELECT COALESCE(MAX(log_pos), 0) AS position FROM parts WHERE layer = :layer

-- name: current_part
SELECT * FROM parts WHERE part_id = :part_id AND replaced_at IS NULL
