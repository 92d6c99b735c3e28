-- The highest number of `roll_out_numbers` that was signed beside a version: a stop that was never signed is known here alone.
ALTER TABLE roll_out_numbers ADD COLUMN signed INTEGER NOT NULL DEFAULT 0;
