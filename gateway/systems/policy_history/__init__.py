"""Versions of the policy on record: what was in force when, and who asked for a change."""
