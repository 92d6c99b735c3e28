-- What left a list with a new content of it, and when: for combinations with a window. Only of lists that one asks for, and only as
-- long as the longest window. body: AddressSet.encode.
CREATE TABLE departures (
    id         INTEGER PRIMARY KEY,
    source_id  TEXT NOT NULL,
    left_at    REAL NOT NULL,
    body       BLOB NOT NULL
) STRICT;

CREATE INDEX departures_of_source ON departures (source_id, left_at);
