"""What happened, for those who ask: the newest events, each with a number."""
