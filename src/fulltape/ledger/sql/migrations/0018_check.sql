-- The stage is called as its command is.
UPDATE bookmarks SET stage = 'check' WHERE stage = 'quality';
UPDATE stage_runs SET stage = 'check' WHERE stage = 'quality';
UPDATE redo SET stage = 'check' WHERE stage = 'quality';
