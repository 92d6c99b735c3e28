-- A node: the fleet, the key and the origins of its last full report. One row at most.
CREATE TABLE report_repeaters (
    name         TEXT NOT NULL
) STRICT;
