-- The host name for whose address it is allowed; empty: the addresses themselves were.
CREATE TABLE allow_entries_2 (
    first       BLOB NOT NULL,
    last        BLOB NOT NULL,
    comment     TEXT NOT NULL DEFAULT '',
    created_at  REAL NOT NULL,
    expires_at  REAL,
    uid         INTEGER,
    name        TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (first, last, name),
    CHECK (length(first) IN (4, 16) AND length(first) = length(last) AND first <= last)
) STRICT;

INSERT INTO allow_entries_2 (first, last, comment, created_at, expires_at, uid)
    SELECT first, last, comment, created_at, expires_at, uid FROM allow_entries;

DROP TABLE allow_entries;

ALTER TABLE allow_entries_2 RENAME TO allow_entries;
