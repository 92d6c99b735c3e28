-- octets: of the bodies of the list as they arrived when it was read last; 0: not known.
ALTER TABLE findings ADD COLUMN octets INTEGER NOT NULL DEFAULT 0;
