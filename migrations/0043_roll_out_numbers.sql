-- The hub of a fleet. How many changes there were of the stop and the versions in question of a list. It is signed beside each version:
-- where that has a higher number, this database is older than what was published.
CREATE TABLE roll_out_numbers (
    list         TEXT PRIMARY KEY,
    number       INTEGER NOT NULL
) STRICT;

INSERT INTO roll_out_numbers SELECT list, 1 FROM stopped_lists UNION SELECT list, 1 FROM questioned_versions;
