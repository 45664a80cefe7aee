-- What is fetched is a fetch, not an ask: bid and ask are the sides of a quote.
ALTER TABLE tasks RENAME COLUMN ask TO fetch_id;
ALTER TABLE requests RENAME COLUMN ask TO fetch_id;
ALTER TABLE rejections RENAME COLUMN ask TO fetch_id;
ALTER TABLE tasks RENAME COLUMN takers TO eligible_sources;
