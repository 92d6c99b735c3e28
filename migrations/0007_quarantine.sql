-- Content that a guard refused, one row for each source: the newest refused one, until good content comes or it is approved.
-- first_seen, refusals and stood belong to the whole time in which the source has been refused for the same reason and with
-- about the same size; stood counts seconds from poll to poll, so that a clock that jumps adds no more than a poll may.
CREATE TABLE quarantine (
    source_id     TEXT PRIMARY KEY,
    content_hash  TEXT NOT NULL CHECK (length(content_hash) = 64),
    snapshot      BLOB NOT NULL,
    guard         TEXT NOT NULL,
    reason        TEXT NOT NULL,
    entries       INTEGER NOT NULL,
    rejected      INTEGER NOT NULL,
    first_seen    REAL NOT NULL,
    last_seen     REAL NOT NULL,
    refusals      INTEGER NOT NULL,
    stood         REAL NOT NULL,
    approved      INTEGER NOT NULL DEFAULT 0 CHECK (approved IN (0, 1))
) STRICT;

-- When a source last had a good list, new or unchanged; whether that list ended in a line that counts its entries; whether it
-- has been announced as stale since.
CREATE TABLE standings (
    source_id  TEXT PRIMARY KEY,
    good_at    REAL NOT NULL,
    trailer    INTEGER NOT NULL DEFAULT 0 CHECK (trailer IN (0, 1)),
    told       INTEGER NOT NULL DEFAULT 0 CHECK (told IN (0, 1))
) STRICT;

INSERT INTO standings (source_id, good_at)
    SELECT source_id, max(completed_at) FROM import_runs WHERE state = 'completed' AND completed_at IS NOT NULL GROUP BY source_id;
