"""The same text to many people: fingerprints, and who got what they stand for."""
