"""Times as people write them in rules: hours of the day, durations, what a limit counts in."""

import re
from datetime import time, timedelta
from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, Field

from gateway.policy.limits import Clock, RollingWindow

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile("([1-9][0-9]{0,5})([smhd])")
_HOURS = re.compile("([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})")
_ROLLING = re.compile("rolling ([^ ]+)")
_WORKING_DAYS = re.compile("([1-9][0-9]?) working days?")

# YAML 1.1 reads 21:00 without quotes as 1260, minutes past midnight in base 60, and 08:00 as
# text: the two ends of a window would be of different types. Our own reader does not, but
# other tools that touch the file do.
_TRAP = ": without quotes some YAML readers take 21:00 for 1260"

DURATION_PATTERN = r"^[1-9][0-9]{0,5}[smhd]$"
HOURS_PATTERN = r"^[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}$"
WORKING_DAYS_PATTERN = r"^[1-9][0-9]? working days?$"
EVERY_PATTERN = r"^(minute|hour|day|rolling [1-9][0-9]{0,5}[smhd])$"


def parse_duration(value: object) -> timedelta:
    """Return what ``"30m"`` says. Raises ValueError for anything else."""
    matched = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if matched is None:
        raise ValueError('must be a duration in quotes: "90s", "30m", "24h" or "7d"')
    return timedelta(seconds=int(matched[1]) * _UNITS_S[matched[2]])


def parse_hours(value: object) -> tuple[time, time]:
    """Return opening and closing of ``"08:00-21:00"``; 24:00 is the midnight that ends a day.

    Raises ValueError for anything else, and when both are the same.
    """
    matched = _HOURS.fullmatch(value) if isinstance(value, str) else None
    if matched is None:
        raise ValueError(f'must be two times in one text, in quotes, as "08:00-21:00"{_TRAP}')
    hours = [int(part) for part in matched.groups()]
    if hours[2:] == [24, 0]:
        hours[2] = 0
        if hours[:2] == [0, 0]:
            return time(), time()
    try:
        opens, closes = time(hours[0], hours[1]), time(hours[2], hours[3])
    except ValueError as error:
        raise ValueError("must be times from 00:00 to 24:00") from error
    if opens == closes:
        raise ValueError('never opens: write "00:00-24:00" for a whole day')
    return opens, closes


def parse_working_days(value: object) -> int:
    """Return how many ``3 working days`` are. Raises ValueError for anything else."""
    matched = _WORKING_DAYS.fullmatch(value) if isinstance(value, str) else None
    if matched is None:
        raise ValueError("must be 1 to 99 working days, as: 3 working days")
    return int(matched[1])


def parse_every(value: object) -> Clock | RollingWindow:
    """Return what a limit counts in. Raises ValueError for anything else."""
    if isinstance(value, str):
        if value in list(Clock):
            return Clock(value)
        matched = _ROLLING.fullmatch(value)
        if matched is not None:
            return RollingWindow(int(parse_duration(matched[1]).total_seconds()))
    raise ValueError('must be minute, hour, day, or a time that moves along, as "rolling 24h"')


_DurationText: TypeAlias = Annotated[
    str, Field(pattern=DURATION_PATTERN, examples=["90s", "30m", "24h", "7d"])
]
_EveryText: TypeAlias = Annotated[
    str, Field(pattern=EVERY_PATTERN, examples=["minute", "hour", "day", "rolling 24h"])
]
_WorkingDaysText: TypeAlias = Annotated[
    str, Field(pattern=WORKING_DAYS_PATTERN, examples=["1 working day", "3 working days"])
]
HoursText: TypeAlias = Annotated[str, Field(pattern=HOURS_PATTERN, examples=["08:00-21:00"])]

Duration = Annotated[
    timedelta, BeforeValidator(parse_duration, json_schema_input_type=_DurationText)
]
WorkingDays = Annotated[
    int, BeforeValidator(parse_working_days, json_schema_input_type=_WorkingDaysText)
]
Every = Annotated[
    Clock | RollingWindow, BeforeValidator(parse_every, json_schema_input_type=_EveryText)
]
Hours = Annotated[tuple[time, time], BeforeValidator(parse_hours, json_schema_input_type=HoursText)]
