-- How far steady time is ahead of UTC in a boot that began with a clock that was ahead: days end by the true one.
ALTER TABLE clocks ADD COLUMN ahead_us BIGINT NOT NULL DEFAULT 0;
