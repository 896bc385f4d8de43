"""The quarantine: which way a held message may go, and who may send it there."""
