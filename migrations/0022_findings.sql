-- What the last reading of each list showed: how many lines had no usable address, and the first of them as JSON, an array of at
-- most five arrays of a line number, a text and a reason of at most 103 characters each; empty texts where a secret could be in them.
CREATE TABLE findings (
    source_id  TEXT PRIMARY KEY,
    rejected   INTEGER NOT NULL,
    skipped    TEXT NOT NULL
) STRICT;
