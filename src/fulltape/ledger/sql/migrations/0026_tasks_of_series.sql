-- The tasks of one cell are found without reading a million others: the open ones by tasks_open_once, those that have ended by this.
CREATE INDEX tasks_ended_of_series ON tasks (dataset, instrument, first_session)
    WHERE state IN ('done', 'stalled', 'unobtainable', 'cancelled');
