-- How long a sealed journal is, and what is at its beginning and end: so that one that was cut or swapped is noticed.
ALTER TABLE captures ADD COLUMN byte_count BIGINT NOT NULL DEFAULT 0;
ALTER TABLE captures ADD COLUMN edges TEXT NOT NULL DEFAULT '';
