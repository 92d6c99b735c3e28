-- Only addresses that a download was connected to are known from now on; until now these were all that the name service gave.
DELETE FROM known_names;
