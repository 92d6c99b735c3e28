-- The addresses that names last had (feeds, proxies). They are never banned, also at a start without name resolution.
CREATE TABLE known_names (
    host     TEXT NOT NULL,
    address  TEXT NOT NULL,
    PRIMARY KEY (host, address)
) STRICT;
