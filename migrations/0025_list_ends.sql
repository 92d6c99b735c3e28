-- Which entries of a content end by themselves, and when. content_hash: the content that they are of. first: when the first one ends,
-- in seconds since the epoch. body: Lasting.written.
CREATE TABLE list_ends (
    source_id     TEXT PRIMARY KEY,
    content_hash  TEXT NOT NULL,
    first         INTEGER NOT NULL,
    body          BLOB NOT NULL
) STRICT;
