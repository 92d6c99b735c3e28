-- Each source that was ever configured, with its number in the kernel. A number is never given away twice.
CREATE TABLE sources (
    source_id  TEXT PRIMARY KEY,
    mark       INTEGER NOT NULL UNIQUE CHECK (mark BETWEEN 1 AND 65535)
) STRICT;
