-- The hub of a fleet. The highest version of a timestamp that was published here: a folder that has a lower one is older than it was,
-- and nodes refuse what is signed from it.
CREATE TABLE published_versions (
    fleet        TEXT PRIMARY KEY,
    version      INTEGER NOT NULL
) STRICT;
