-- Country and network operator, per network; a negative entry says that a resolver did not know, for a shorter while.
CREATE TABLE geo_cache (
    first         BLOB PRIMARY KEY,
    last          BLOB NOT NULL,
    negative      INTEGER NOT NULL DEFAULT 0 CHECK (negative IN (0, 1)),
    country       TEXT NOT NULL DEFAULT '',
    country_name  TEXT NOT NULL DEFAULT '',
    asn           INTEGER,
    organisation  TEXT NOT NULL DEFAULT '',
    expires_at    REAL NOT NULL,
    CHECK (length(first) IN (4, 16) AND length(first) = length(last) AND first <= last)
) STRICT;

CREATE INDEX geo_cache_expires_at ON geo_cache (expires_at);
