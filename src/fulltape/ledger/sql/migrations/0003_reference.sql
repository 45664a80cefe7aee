-- The dated reference table and the universes' membership. Both only grow: the newest row of a key holds.

CREATE TABLE listings (
    seq        BIGINT NOT NULL PRIMARY KEY,
    instrument TEXT   NOT NULL,
    symbol     TEXT   NOT NULL,
    valid_from TEXT   NOT NULL, -- '' unknown
    valid_to   TEXT   NOT NULL, -- '' unknown, or still valid
    facts      TEXT   NOT NULL, -- type, venue, currency, price unit, lot, tick, multiplier, spellings, as JSON
    origin     TEXT   NOT NULL, -- who said so: a file or a vendor
    removed    BIGINT NOT NULL, -- 1: this symbol of the instrument was a mistake
    at         BIGINT NOT NULL
);
CREATE INDEX listings_by_symbol ON listings (symbol);

CREATE TABLE memberships (
    seq        BIGINT NOT NULL PRIMARY KEY,
    universe   TEXT   NOT NULL,
    instrument TEXT   NOT NULL,
    day        TEXT   NOT NULL, -- from this day on, as far as was known
    inside     BIGINT NOT NULL,
    at         BIGINT NOT NULL
);
CREATE INDEX memberships_of ON memberships (universe, seq);
