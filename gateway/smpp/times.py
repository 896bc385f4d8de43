"""Times as SMPP writes them: absolute with a zone, or relative (SMPP 3.4, 7.1)."""

import re
from datetime import UTC, datetime, timedelta

# YYMMDDhhmmsstnnp: tenths, quarter hours of difference to UTC, and + or - for the side of it.
_ABSOLUTE = re.compile(rb"([0-9]{12})[0-9]([0-9]{2})([+-])")
_RELATIVE = re.compile(rb"([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})000R")
_QUARTER = timedelta(minutes=15)
_DAYS_A_YEAR = 365
_DAYS_A_MONTH = 30


def moment_of(value: bytes, now: datetime) -> datetime | None:
    """Return the moment that a schedule_delivery_time or validity_period means, in UTC.

    None for an empty value and for one that names no moment. Years and months of a relative
    time are taken as 365 and 30 days.
    """
    relative = _RELATIVE.fullmatch(value)
    if relative is not None:
        years, months, days, hours, minutes, seconds = map(int, relative.groups())
        whole_days = years * _DAYS_A_YEAR + months * _DAYS_A_MONTH + days
        return now + timedelta(days=whole_days, hours=hours, minutes=minutes, seconds=seconds)
    absolute = _ABSOLUTE.fullmatch(value)
    if absolute is None:
        return None
    digits, quarters, side = absolute.groups()
    try:
        local = datetime.strptime(digits.decode(), "%y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    ahead = int(quarters) * _QUARTER
    return local - ahead if side == b"+" else local + ahead
