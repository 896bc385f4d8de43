"""Sets of numbers that the data path asks about each message."""
