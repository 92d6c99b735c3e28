-- The address that the server of a list names instead of its own, for good (301 and 308); empty: none. It was announced.
ALTER TABLE findings ADD COLUMN moved_to TEXT NOT NULL DEFAULT '';
