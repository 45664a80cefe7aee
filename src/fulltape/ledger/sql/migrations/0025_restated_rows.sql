-- A curated row that its source restated tells since when it has been known as it is: datasets that may have such rows, since a source
-- answered more than once about the same sessions, are curated anew, once.
UPDATE bookmarks SET position = 0 WHERE stage = 'curate' AND log IN (
    SELECT earlier.dataset FROM parts AS earlier JOIN parts AS later
    ON later.dataset = earlier.dataset AND later.source = earlier.source AND later.folder = earlier.folder
    WHERE earlier.layer = 'raw' AND later.layer = 'raw' AND earlier.origin = 'fetched' AND later.origin = 'fetched'
      AND earlier.replaced_at IS NULL AND later.replaced_at IS NULL
      AND (earlier.merged > 0 OR (later.log_pos > earlier.log_pos AND later.first_session <= earlier.last_session
                                  AND earlier.first_session <= later.last_session))
);
-- From which moment on it can be asked for what was known.
INSERT INTO counters (name, value)
SELECT 'knowledge_horizon_at',
       CASE WHEN value > 0 THEN COALESCE((SELECT MAX(since) FROM coverage_changes WHERE seq <= counters.value),
                                         (SELECT MAX(since) FROM coverage_changes), 0) ELSE 0 END
FROM counters WHERE name = 'knowledge_horizon'
