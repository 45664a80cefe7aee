-- Who reads journals of messages behind their writer, and how far each has come: what they have not read yet is kept.
CREATE TABLE consumers (
    name TEXT NOT NULL,
    source TEXT NOT NULL,
    file TEXT NOT NULL,
    file_offset BIGINT NOT NULL,
    moved_at BIGINT NOT NULL,
    PRIMARY KEY (name, source)
);
