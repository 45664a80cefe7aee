-- Whether a boot was anchored to UTC while the machine's time was synchronised.
ALTER TABLE clocks ADD COLUMN synchronised BIGINT NOT NULL DEFAULT 0;
