"""Consent: the answers on record, kept at hand for the data path."""
