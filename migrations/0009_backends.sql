-- The backends that may hold bans of ours. One that is not configured any more is emptied at the next start.
CREATE TABLE backends (
    name  TEXT PRIMARY KEY
) STRICT;
