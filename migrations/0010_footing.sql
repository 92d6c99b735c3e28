-- What a restore at boot needs: the policy, the protected addresses and the backend in force, as core/ruleset/boot_snapshot.py writes them.
CREATE TABLE footing (
    one          INTEGER PRIMARY KEY CHECK (one = 1),
    policy_hash  TEXT NOT NULL,
    body         TEXT NOT NULL
) STRICT;
