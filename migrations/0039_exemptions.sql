-- What was allowed or protected, so that no list banned it, and when. `learned`: a manual ban overrode it. `until` null: still.
CREATE TABLE exemptions (
    id      INTEGER PRIMARY KEY,
    first   BLOB NOT NULL,
    last    BLOB NOT NULL,
    reason  TEXT NOT NULL,
    learned INTEGER NOT NULL,
    since   REAL NOT NULL,
    until   REAL,
    UNIQUE (first, last, reason, learned, since),
    CHECK (length(first) IN (4, 16) AND length(first) = length(last) AND first <= last),
    CHECK (learned IN (0, 1))
) STRICT;

CREATE INDEX exemptions_until ON exemptions (until) WHERE until IS NOT NULL;
