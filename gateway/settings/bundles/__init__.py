"""A policy bundle: its files, layers, rules and self-test, loaded whole or refused."""
