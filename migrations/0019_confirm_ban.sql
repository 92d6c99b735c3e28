-- Until when a ban waits for its confirmation, and after which it is lifted; NULL: it needs none, or has it.
ALTER TABLE manual_bans ADD COLUMN confirm_by REAL;
