-- What was seen when an interval became doubtful: evidence is what history said of it later.
ALTER TABLE intervals ADD COLUMN detail TEXT NOT NULL DEFAULT '';
