-- When the list at a place (a hash of its URL) was last asked for, and until when its server wants no request; NULL: never, or it
-- said nothing. A row is written before the request is sent.
CREATE TABLE requests (
    place     TEXT PRIMARY KEY,
    asked_at  REAL,
    retry_at  REAL
) STRICT;
