-- Each origin bans for itself: when one jail of fail2ban lifts its ban, that of another jail, or of an operator, stays.
ALTER TABLE manual_bans RENAME TO manual_bans_without_origin;

CREATE TABLE manual_bans (
    first       BLOB NOT NULL,
    last        BLOB NOT NULL,
    origin      TEXT NOT NULL,
    comment     TEXT NOT NULL DEFAULT '',
    created_at  REAL NOT NULL,
    expires_at  REAL,
    PRIMARY KEY (first, last, origin),
    CHECK (length(first) IN (4, 16) AND length(first) = length(last) AND first <= last)
) STRICT;

INSERT INTO manual_bans SELECT first, last, 'operator', comment, created_at, expires_at FROM manual_bans_without_origin;

DROP TABLE manual_bans_without_origin;

-- When the table above began to be what counts: no row in a database that is new, or has been lost. Then the firewall is asked.
CREATE TABLE manual_beginnings (
    began_at  REAL NOT NULL
) STRICT;
