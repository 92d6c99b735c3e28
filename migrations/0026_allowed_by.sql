-- The user who allowed it; NULL where that is not known.
ALTER TABLE allow_entries ADD COLUMN uid INTEGER;
