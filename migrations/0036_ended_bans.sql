-- Manual bans that are over, for the question what was banned at a moment. `how`: lifted, expired or unconfirmed.
CREATE TABLE ended_bans (
    id          INTEGER PRIMARY KEY,
    first       BLOB NOT NULL,
    last        BLOB NOT NULL,
    origin      TEXT NOT NULL,
    comment     TEXT NOT NULL,
    created_at  REAL NOT NULL,
    expires_at  REAL,
    uid         INTEGER,
    scope       TEXT,
    ended_at    REAL NOT NULL,
    how         TEXT NOT NULL,
    CHECK (length(first) IN (4, 16) AND length(first) = length(last) AND first <= last)
) STRICT;
