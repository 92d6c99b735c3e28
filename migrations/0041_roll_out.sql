-- The hub of a fleet. Lists of which nothing newer is published. kept: the version that is, by its hash; empty: the newest one that was.
-- node: the canary that has stopped it; empty: an operator, uid.
CREATE TABLE stopped_lists (
    list         TEXT PRIMARY KEY,
    since        REAL NOT NULL,
    kept         TEXT NOT NULL,
    node         TEXT NOT NULL,
    uid          INTEGER,
    guard        TEXT NOT NULL,
    reason       TEXT NOT NULL
) STRICT;

-- Versions of lists that were in question, also after a release, so that no canary stops one again. place: 0 is the newest.
CREATE TABLE questioned_versions (
    list         TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    place        INTEGER NOT NULL,
    at           REAL NOT NULL,
    node         TEXT NOT NULL,
    uid          INTEGER,
    guard        TEXT NOT NULL,
    reason       TEXT NOT NULL,
    is_cleared   INTEGER NOT NULL,
    PRIMARY KEY (list, content_hash)
) STRICT, WITHOUT ROWID;

-- Whether a node tries new versions of lists first: what it refuses is stopped.
ALTER TABLE nodes ADD COLUMN is_canary INTEGER NOT NULL DEFAULT 0;
