"""Databases: a file for each kind, with all that differs between them."""
