-- The files of a configuration, as JSON of names and base64: the one in force, and one that waits for its confirmation or did not get it.
CREATE TABLE configurations (
    role   TEXT PRIMARY KEY CHECK (role IN ('in_force', 'tried', 'refused')),
    files  TEXT NOT NULL
) STRICT;
