-- What of a node's files was sent to which place, and read back from there and found whole.
CREATE TABLE sent_files (
    target TEXT NOT NULL,
    file_path TEXT NOT NULL,
    object_key TEXT NOT NULL,
    byte_count BIGINT NOT NULL,
    sha256 TEXT NOT NULL,
    modified_ns BIGINT NOT NULL,
    proved_at BIGINT NOT NULL,
    indexed BIGINT NOT NULL,
    PRIMARY KEY (target, file_path)
);
