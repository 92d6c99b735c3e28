-- Sources that are not polled because an operator said so. content_hash, run_id: the content that a list is pinned to, and the run that
-- brought it; NULL of one that is paused. uid: who ordered it, where that is known.
CREATE TABLE suspensions (
    source_id     TEXT NOT NULL,
    kind          TEXT NOT NULL CHECK (kind IN ('paused', 'pinned')),
    since         REAL NOT NULL,
    uid           INTEGER,
    run_id        INTEGER,
    content_hash  TEXT CHECK (length(content_hash) = 64),
    PRIMARY KEY (source_id, kind)
) STRICT;
