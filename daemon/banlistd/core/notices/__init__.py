"""Notices: which events make them, when they go out, and what they say. Values in, values out."""
