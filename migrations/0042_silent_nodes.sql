-- When it was noticed that nothing is heard of a node, in seconds since the epoch; NULL: it is heard. A hub that starts again knows so
-- which notices are still to be ended.
ALTER TABLE nodes ADD COLUMN silent_since REAL;
