"""`smsward filter`: train models, measure them, install them, and keep samples to learn from."""

from gateway.systems.learning.cli.commands import filter_commands

__all__ = ["filter_commands"]
