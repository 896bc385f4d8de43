"""Recorded traffic judged again: which verdicts other policies would change."""
