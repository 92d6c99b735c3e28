-- The last good content of each source, in normal form (AddressSet.encode), so that a flushed firewall is filled without a download.
CREATE TABLE snapshots (
    source_id     TEXT NOT NULL,
    content_hash  TEXT NOT NULL CHECK (length(content_hash) = 64),
    body          BLOB NOT NULL,
    PRIMARY KEY (source_id, content_hash)
) STRICT;

-- What a content had that the one before it had not, and when: the answer to "since when". No body: all of it was new.
CREATE TABLE arrivals (
    source_id     TEXT NOT NULL,
    content_hash  TEXT NOT NULL CHECK (length(content_hash) = 64),
    arrived_at    REAL NOT NULL,
    body          BLOB,
    PRIMARY KEY (source_id, content_hash)
) STRICT;
