-- Small raw parts become one: of how many a part was made, 0 where it is as it was sealed.
ALTER TABLE parts ADD COLUMN merged BIGINT NOT NULL DEFAULT 0;
CREATE INDEX parts_replaced_by ON parts (replaced_by);
