-- What is remembered of polling a source: when it is due, what the server said of the list, how it went.
-- etag, last_modified, body_hash and recipe belong to content_hash, and are kept only once that content is applied.
CREATE TABLE polls (
    source_id      TEXT PRIMARY KEY,
    etag           TEXT NOT NULL DEFAULT '',
    last_modified  TEXT NOT NULL DEFAULT '',
    body_hash      TEXT NOT NULL DEFAULT '',
    recipe         TEXT NOT NULL DEFAULT '',
    content_hash   TEXT CHECK (length(content_hash) = 64),
    due_at         REAL NOT NULL DEFAULT 0,
    polled_at      REAL,
    failures       INTEGER NOT NULL DEFAULT 0,
    error          TEXT NOT NULL DEFAULT ''
) STRICT;
