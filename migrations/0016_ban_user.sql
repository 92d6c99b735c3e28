-- The user who ordered the ban, as the kernel reports it; NULL where it is not known: bans before this migration, and lost records.
ALTER TABLE manual_bans ADD COLUMN uid INTEGER CHECK (uid >= 0);
