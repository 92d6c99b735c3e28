-- One row for each content of each source. 'completed' means that the firewall has taken it; whether it still holds it, its marker says.
-- generation orders the rows of a source by their last import, whatever the clock did. content_hash is NULL for a poll that failed early.
CREATE TABLE import_runs (
    id            INTEGER PRIMARY KEY,
    source_id     TEXT NOT NULL,
    content_hash  TEXT CHECK (length(content_hash) = 64),
    state         TEXT NOT NULL CHECK (state IN ('pending', 'completed', 'failed')),
    generation    INTEGER NOT NULL,
    attempts      INTEGER NOT NULL DEFAULT 1,
    entries       INTEGER NOT NULL DEFAULT 0,
    added         INTEGER NOT NULL DEFAULT 0,
    removed       INTEGER NOT NULL DEFAULT 0,
    rejected      INTEGER NOT NULL DEFAULT 0,
    error         TEXT NOT NULL DEFAULT '',
    policy_hash   TEXT NOT NULL,
    started_at    REAL NOT NULL,
    completed_at  REAL,
    UNIQUE (source_id, content_hash),
    CHECK (state = 'failed' OR content_hash IS NOT NULL)
) STRICT;

CREATE INDEX import_runs_newest ON import_runs (source_id, generation DESC);
