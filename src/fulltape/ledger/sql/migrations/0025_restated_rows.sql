-- A curated row that its source restated tells since when it has been known as it is: datasets with such rows are curated
-- anew, once.
UPDATE bookmarks SET position = 0 WHERE stage = 'curate' AND log IN (SELECT DISTINCT dataset FROM restatements);
