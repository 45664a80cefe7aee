-- The newest captured session, and those that are not compared yet, are found without reading those of years.
CREATE INDEX stream_days_by_session ON stream_days (session);
CREATE INDEX stream_days_open ON stream_days (source) WHERE compared_at IS NULL;
