"""Refusals told to SPs: the feed of each SP, its cursor, and delivery by webhook."""
