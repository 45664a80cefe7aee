-- name: last_listing
SELECT COALESCE(MAX(seq), 0) AS seq FROM listings

-- name: add_listing
INSERT INTO listings (seq, instrument, symbol, valid_from, valid_to, facts, origin, removed, at)
VALUES (:seq, :instrument, :symbol, :valid_from, :valid_to, :facts, :origin, :removed, :at)

-- name: listings
SELECT * FROM listings WHERE seq <= :seq ORDER BY seq

-- name: last_membership
SELECT COALESCE(MAX(seq), 0) AS seq FROM memberships

-- name: add_membership
INSERT INTO memberships (seq, universe, instrument, day, inside, at)
VALUES (:seq, :universe, :instrument, :day, :inside, :at)

-- name: memberships
SELECT * FROM memberships ORDER BY universe, seq
