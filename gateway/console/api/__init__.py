"""The HTTP API, for SPs, clerks and applications. It knows ports and systems, no SMPP."""
