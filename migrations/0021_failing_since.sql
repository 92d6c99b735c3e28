-- When the failures in a row of a source began: a list that has failed for long is asked for less and less often.
ALTER TABLE polls ADD COLUMN failing_since REAL;
