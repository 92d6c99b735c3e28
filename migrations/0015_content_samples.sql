-- sample: some addresses of the first content of the day, an encoded address set; sampled: how many entries that content had. churn:
-- the sum of the shares of the list that usual polls of the day replaced. NULL on days before this migration.
ALTER TABLE recent_contents ADD COLUMN sample BLOB;
ALTER TABLE recent_contents ADD COLUMN sampled INTEGER;
ALTER TABLE recent_contents ADD COLUMN churn REAL NOT NULL DEFAULT 0;
