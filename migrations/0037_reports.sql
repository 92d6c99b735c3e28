-- The hub of a fleet: the machines that may report bans. site: machines of one site count as one. key: public, Ed25519. own: addresses
-- that are never listed, separated by blanks. boot, seq: of the newest report, so that none counts twice. spent: how many new addresses
-- came in which of the last minutes.
CREATE TABLE nodes (
    number       INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    site         TEXT NOT NULL,
    key          BLOB NOT NULL UNIQUE CHECK (length(key) = 32),
    own          TEXT NOT NULL,
    admitted_at  REAL NOT NULL,
    suspended_at REAL,
    boot         INTEGER NOT NULL,
    seq          INTEGER NOT NULL,
    reported_at  REAL,
    spent        TEXT NOT NULL
) STRICT;

-- What they have reported. address: 4 octets, or the first 8 of an IPv6 address, its /64. Reports that follow each other within ten
-- minutes are one row, which grows.
CREATE TABLE sightings (
    address      BLOB NOT NULL CHECK (length(address) IN (4, 8)),
    node         INTEGER NOT NULL REFERENCES nodes (number) ON DELETE CASCADE,
    first_at     INTEGER NOT NULL,
    last_at      INTEGER NOT NULL CHECK (first_at <= last_at),
    origin       TEXT NOT NULL,
    PRIMARY KEY (address, node, first_at)
) STRICT, WITHOUT ROWID;

-- A node: changes of its manual bans that its hub has not got yet, the newest of each address. ends_at: null where the ban has no end.
CREATE TABLE report_outbox (
    address      BLOB PRIMARY KEY CHECK (length(address) IN (4, 8)),
    origin       TEXT NOT NULL,
    at           INTEGER NOT NULL,
    seconds      INTEGER,
    is_lifted    INTEGER NOT NULL,
    number       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX report_outbox_in_order ON report_outbox (number);

-- Which start of the daemon its reports name: a later start names a larger number.
CREATE TABLE report_boots (
    boot         INTEGER NOT NULL
) STRICT;
