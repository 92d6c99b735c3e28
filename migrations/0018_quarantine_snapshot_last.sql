-- The content moves to the end of its row: only there SQLite makes a blob of zeros, to be filled piece by piece, without a copy
-- of it in memory.
CREATE TABLE quarantine_with_snapshot_last (
    source_id     TEXT PRIMARY KEY,
    content_hash  TEXT NOT NULL CHECK (length(content_hash) = 64),
    guard         TEXT NOT NULL,
    reason        TEXT NOT NULL,
    entries       INTEGER NOT NULL,
    rejected      INTEGER NOT NULL,
    first_seen    REAL NOT NULL,
    last_seen     REAL NOT NULL,
    refusals      INTEGER NOT NULL,
    stood         REAL NOT NULL,
    approved      INTEGER NOT NULL DEFAULT 0 CHECK (approved IN (0, 1)),
    snapshot      BLOB NOT NULL
) STRICT;

INSERT INTO quarantine_with_snapshot_last
    SELECT source_id, content_hash, guard, reason, entries, rejected, first_seen, last_seen, refusals, stood, approved, snapshot
    FROM quarantine;

DROP TABLE quarantine;

ALTER TABLE quarantine_with_snapshot_last RENAME TO quarantine;
