-- Which flow met which entry of which version of a list: samples, the newest of each flow. address: the listed end, peer: the other, of
-- 4 or 16 octets; first, last: the entry, NULL where the content lacked it already. port: of the destination, -1: none. run_id: the
-- import run that brought the content, 0: none. Times are seconds since the epoch. Bounded by `hits:` of the configuration.
CREATE TABLE hits (
    id            INTEGER PRIMARY KEY,
    source_id     TEXT NOT NULL,
    direction     TEXT NOT NULL,
    address       BLOB NOT NULL,
    peer          BLOB NOT NULL,
    protocol      INTEGER NOT NULL,
    port          INTEGER NOT NULL,
    run_id        INTEGER NOT NULL,
    content_hash  TEXT,
    first         BLOB,
    last          BLOB,
    source_port   INTEGER,
    samples       INTEGER NOT NULL,
    first_at      REAL NOT NULL,
    last_at       REAL NOT NULL,
    UNIQUE (address, peer, port, protocol, source_id, direction, run_id)
) STRICT;

CREATE INDEX hits_by_age ON hits (last_at, id);

-- What was counted of a source in all. packets_before, octets_before: by counters of the firewall that are no more. packets, octets: the
-- newest value of the present one. boot: names the boot of the machine in which it was read.
CREATE TABLE counter_totals (
    source_id       TEXT PRIMARY KEY,
    packets_before  INTEGER NOT NULL,
    octets_before   INTEGER NOT NULL,
    packets         INTEGER NOT NULL,
    octets          INTEGER NOT NULL,
    boot            TEXT NOT NULL
) STRICT;
