-- Metadata of a fleet that was verified, by the names of python-tuf, and when it last was. `floor`: the latest moment, in seconds
-- since the epoch, at which anything was verified.
CREATE TABLE hub_trust (
    fleet   TEXT NOT NULL,
    name    TEXT NOT NULL,
    octets  BLOB NOT NULL,
    PRIMARY KEY (fleet, name)
) STRICT;

CREATE TABLE hub_state (
    fleet               TEXT PRIMARY KEY,
    floor               REAL NOT NULL,
    root_version        INTEGER NOT NULL,
    root_hash           TEXT NOT NULL,
    timestamp_version   INTEGER NOT NULL,
    expires_at          REAL NOT NULL,
    mirror              TEXT NOT NULL
) STRICT;
