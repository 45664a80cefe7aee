-- Captured sessions that history has confirmed and that are old: a row a stream and month instead of one a session.
CREATE TABLE stream_months (
    source     TEXT   NOT NULL,
    dataset    TEXT   NOT NULL,
    instrument TEXT   NOT NULL,
    symbol     TEXT   NOT NULL,
    month      TEXT   NOT NULL,                -- 2024-11
    days       BIGINT NOT NULL,                -- which sessions: bit 0 is the first of the month
    filled     BIGINT NOT NULL,                -- those of which rows were captured
    live       BIGINT NOT NULL,                -- microseconds in which it was meant to be captured
    doubtful   BIGINT NOT NULL,                -- of these, doubtful until history answered
    row_count  BIGINT NOT NULL,
    breaks     BIGINT NOT NULL,                -- intervals in which it was not live
    missed     BIGINT NOT NULL,                -- rows of history that were lost unnoticed
    PRIMARY KEY (source, dataset, instrument, month)
);
CREATE INDEX stream_months_by_month ON stream_months (month);
CREATE INDEX stream_months_by_instrument ON stream_months (dataset, instrument);
