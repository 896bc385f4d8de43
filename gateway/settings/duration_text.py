"""Durations as people write them in rules."""

from datetime import timedelta

_DAY_S = 86_400
_UNITS = ((_DAY_S, "d"), (3600, "h"), (60, "m"))


def duration_said(span: timedelta) -> str:
    """Return ``10m`` for ten minutes: in the largest unit in which it is whole."""
    seconds = int(span.total_seconds())
    # One day is 24h: a day by the calendar is something else.
    sizes = _UNITS if seconds > _DAY_S else _UNITS[1:]
    size, unit = next((pair for pair in sizes if seconds % pair[0] == 0), (1, "s"))
    return f"{seconds // size}{unit}"
