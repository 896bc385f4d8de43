"""The subscriber that a command line names."""

import re
from collections.abc import Iterable

from gateway.cli.failure import misused
from gateway.cli.screen import visible, warn
from gateway.domain.msisdn import SHORTEST_NUMBER, masked, msisdn_of

_LATER_DIGITS = re.compile(r"(?<=[0-9]{3})[0-9]")
_MAX_QUOTED = 40
# Mainland mobile numbers of ten or twelve digits where they have eleven, bare and with their 86.
_MAINLAND = range(86_130_0000_0000, 86_200_0000_0000)
_MISTYPED = (
    range(13_0000_0000, 20_0000_0000),
    range(1300_0000_0000, 2000_0000_0000),
    range(8613_0000_0000, 8620_0000_0000),
    range(86_1300_0000_0000, 86_2000_0000_0000),
)
_MAX_WARNINGS = 5


def subscriber_of(number: str, option: str = "", *, warns: bool = True) -> int:
    """Return the msisdn that is meant by `number`, given as `option`. Raises CommandError.

    What was mistyped may be a whole number but for one digit: it is not said either.
    """
    msisdn = msisdn_of(number.encode("utf-8", "replace"))
    if msisdn is None or msisdn < SHORTEST_NUMBER:
        said = _LATER_DIGITS.sub("*", visible(number[:_MAX_QUOTED]))
        raise misused(
            f"{option}{said} is no subscriber number",
            "digits only, bare or with 86, +86 or 0086 before them",
        )
    if warns:
        warn_of_odd((number,))
    return msisdn


def warn_of_odd(numbers: Iterable[str]) -> None:
    """Say which of `numbers` have a digit more or fewer than a mainland number: the first few.

    They are taken as they are: what looks like one may be a number of another country.
    """
    odd = [number for number in numbers if is_odd(msisdn_of(number.encode("utf-8", "replace")))]
    for number in odd[:_MAX_WARNINGS]:
        said = _LATER_DIGITS.sub("*", number)
        warn(f"{said} has a digit more or fewer than a mainland mobile number: is it mistyped?")
    if len(odd) > _MAX_WARNINGS:
        warn(f"and {len(odd) - _MAX_WARNINGS} more")


def is_odd(msisdn: int | None) -> bool:
    """Tell whether a number has a digit more or fewer than a mainland mobile number."""
    if msisdn is None or msisdn in _MAINLAND:  # most are: lists have millions
        return False
    return any(msisdn in some for some in _MISTYPED)


def masked_number(number: str) -> str:
    """Return `number` as a screen or a journal may show it. Raises CommandError."""
    return masked(subscriber_of(number, warns=False))
