"""`smsward consent`: what subscribers said, looked up, recorded, and as lists."""

from gateway.systems.consent.cli.commands import consent

__all__ = ["consent"]
