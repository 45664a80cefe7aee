-- When a source was last asked to confirm what it had restated.
ALTER TABLE restatements ADD COLUMN asked_at BIGINT NOT NULL DEFAULT 0;
