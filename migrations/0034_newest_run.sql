-- The newest run of all sources, in the order of `banlistctl history`, without a look at every run: 5,000 sources have up to 500,000.
CREATE INDEX import_runs_by_end ON import_runs (iif(state = 'pending', started_at, completed_at) DESC, id DESC);
