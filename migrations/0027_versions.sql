-- The last contents of each list. The newest one is that of its snapshot; delta leads from a content to the one before
-- (VersionDelta.written), and is NULL where none before is known. came_at: when the firewall took it; NULL: its run has not been completed.
CREATE TABLE versions (
    id            INTEGER PRIMARY KEY,
    source_id     TEXT NOT NULL,
    run_id        INTEGER NOT NULL,
    content_hash  TEXT NOT NULL CHECK (length(content_hash) = 64),
    entries       INTEGER NOT NULL,
    came_at       REAL,
    octets        INTEGER NOT NULL DEFAULT 0,
    delta         BLOB
) STRICT;

CREATE INDEX versions_of_source ON versions (source_id, id);
