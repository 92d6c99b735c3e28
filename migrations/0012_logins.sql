-- Remote addresses that logged in, 4 or 16 octets. They stay protected for 30 days after the last time that a session was seen.
CREATE TABLE logins (
    address    BLOB PRIMARY KEY CHECK (length(address) IN (4, 16)),
    since      REAL NOT NULL,
    last_seen  REAL NOT NULL
) STRICT;
