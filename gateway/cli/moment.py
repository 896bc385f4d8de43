"""The moment that a question is about."""

from datetime import datetime

from gateway.cli.failure import misused
from gateway.runtime.clock import utcnow


def moment_asked(at: datetime | None) -> datetime:
    """Return the time of `--at`, now for none. Raises CommandError for one without an offset.

    That of this machine would be a guess: rules ask by the clock of the recipient.
    """
    if at is None:
        return utcnow()
    if at.tzinfo is None:
        raise misused("--at: a time with its offset, as 2025-11-25T22:30+08:00")
    return at
