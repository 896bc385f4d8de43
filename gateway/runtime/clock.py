"""The only reader of clocks; everything else takes `now` as an argument."""

import time
from datetime import UTC, datetime


def monotonic() -> float:
    """Return seconds that never step back, for timers, windows and rates."""
    return time.monotonic()  # noqa: TID251 - this module is where the ban points to


def epoch() -> float:
    """Return seconds since 1970 UTC, for records; it may step when the host's clock is set."""
    return time.time()  # noqa: TID251 - this module is where the ban points to


def utcnow() -> datetime:
    """Return the aware UTC time, for people and stores."""
    return datetime.now(UTC)  # noqa: TID251 - this module is where the ban points to
