"""How long records are kept: whole calendar months, to the end of a day (R70, R72)."""

from calendar import monthrange
from datetime import date, datetime, time, timedelta

_END_OF_DAY = time(23, 59, 59)
_SHORTEST_MONTH_DAYS = 28


def purge_from(recorded: date, months: int) -> date:
    """Return the last day on which a record of the day `recorded` is kept for `months`.

    It is the same day of a later month, or that month's last day if there is no such day:
    2013-09-30 and five months are 2014-02-28 (O31, R70).
    """
    year, month = divmod(recorded.year * 12 + recorded.month - 1 + months, 12)
    return date(year, month + 1, min(recorded.day, monthrange(year, month + 1)[1]))


def is_purgeable(recorded: date, months: int, at: datetime) -> bool:
    """Tell whether the retention is over `at` a moment of the same clock as `recorded`."""
    last = purge_from(recorded, months)
    return at.date() > last or (at.date() == last and at.time() >= _END_OF_DAY)


def last_purgeable(months: int, at: datetime) -> date:
    """Return the latest day from which all records may be purged `at` this moment."""
    day = at.date() - timedelta(days=_SHORTEST_MONTH_DAYS * months)
    while not is_purgeable(day, months, at):
        day -= timedelta(days=1)
    return day
