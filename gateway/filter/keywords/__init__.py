"""The operator's keyword lists: entries, their search, and patterns."""
