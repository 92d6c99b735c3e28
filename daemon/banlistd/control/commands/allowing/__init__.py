"""Commands on what is allowed."""
