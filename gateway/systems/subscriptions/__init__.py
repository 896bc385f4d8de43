"""Subscriptions: orders confirmed, listed and cancelled in a dialogue with the subscriber."""
