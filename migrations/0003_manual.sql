-- What an operator bans and allows by hand, besides the configuration. Addresses as ranges, 4 or 16 bytes in network order.
CREATE TABLE manual_bans (
    first       BLOB NOT NULL,
    last        BLOB NOT NULL,
    comment     TEXT NOT NULL DEFAULT '',
    created_at  REAL NOT NULL,
    expires_at  REAL,
    PRIMARY KEY (first, last),
    CHECK (length(first) IN (4, 16) AND length(first) = length(last) AND first <= last)
) STRICT;

CREATE TABLE allow_entries (
    first       BLOB NOT NULL,
    last        BLOB NOT NULL,
    comment     TEXT NOT NULL DEFAULT '',
    created_at  REAL NOT NULL,
    expires_at  REAL,
    PRIMARY KEY (first, last),
    CHECK (length(first) IN (4, 16) AND length(first) = length(last) AND first <= last)
) STRICT;
