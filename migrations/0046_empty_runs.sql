-- The completed runs without an entry, which the status asks for, without a look at the newest run of each source: 24 ms for 5,000.
CREATE INDEX import_runs_empty ON import_runs (source_id, generation) WHERE state = 'completed' AND entries = 0;
