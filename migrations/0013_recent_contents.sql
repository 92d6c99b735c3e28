-- The smallest and the largest content of each source that was accepted on a day (days since the epoch), for 30 days: what goes in
-- small steps is seen there. fewest: entries, without contents of a handful; networks6: /48s. replaced: the sum of the shares of
-- the list that were replaced at once.
CREATE TABLE recent_contents (
    source_id  TEXT NOT NULL,
    day        INTEGER NOT NULL,
    fewest     INTEGER,
    most       INTEGER NOT NULL,
    least4     INTEGER NOT NULL,
    most4      INTEGER NOT NULL,
    least6     INTEGER NOT NULL,
    most6      INTEGER NOT NULL,
    replaced   REAL NOT NULL,
    PRIMARY KEY (source_id, day)
) STRICT;

-- The content that the source had when it was last good, since when, and whether it was reported as unchanged for too long.
ALTER TABLE standings ADD COLUMN content_hash TEXT;
ALTER TABLE standings ADD COLUMN changed_at REAL;
ALTER TABLE standings ADD COLUMN frozen_told INTEGER NOT NULL DEFAULT 0 CHECK (frozen_told IN (0, 1));
