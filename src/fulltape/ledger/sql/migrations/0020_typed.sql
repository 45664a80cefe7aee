-- The interval that a task asks history for, and that a captured session has no history, were told by texts and numbers.
ALTER TABLE tasks ADD COLUMN interval_id BIGINT;
UPDATE tasks SET interval_id = CAST(SUBSTR(purpose, 10) AS BIGINT) WHERE purpose LIKE 'interval %';
DROP INDEX tasks_of_intervals;
CREATE INDEX tasks_of_intervals ON tasks (interval_id, task_id) WHERE interval_id IS NOT NULL;
ALTER TABLE stream_days ADD COLUMN no_history INTEGER NOT NULL DEFAULT 0;
UPDATE stream_days SET no_history = 1, missed = 0 WHERE missed < 0;
