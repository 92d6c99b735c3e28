-- Since when a source with `shadow` counts packets before other sources take them, in seconds since the epoch. packets_before: its
-- counter then. ended_at: when the time was over; NULL: it is not. packets: what was counted in that time, once it is over.
CREATE TABLE shadows (
    source_id       TEXT PRIMARY KEY,
    began_at        REAL NOT NULL,
    packets_before  INTEGER NOT NULL,
    ended_at        REAL,
    packets         INTEGER NOT NULL
) STRICT;
