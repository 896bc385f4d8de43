"""The subscriber that a command line names."""

import re
from collections.abc import Iterable

from gateway.cli.failure import misused
from gateway.cli.screen import visible, warn
from gateway.domain.msisdn import SHORTEST_NUMBER, masked, msisdn_of
from gateway.policy.rules import Title

_LATER_DIGITS = re.compile(r"(?<=[0-9]{3})[0-9]")
_MAX_QUOTED = 40
_MAINLAND = range(86_130_0000_0000, 86_200_0000_0000)
# A digit or two too few or too many, bare and with their 86.
_MISTYPED = tuple(
    range(
        before * 10**digits + 13 * 10 ** (digits - 2), before * 10**digits + 2 * 10 ** (digits - 1)
    )
    for digits in (9, 10, 12, 13)
    for before in (0, 86)
)
_MAX_WARNINGS = 5


def subscriber_of(number: str, option: str = "", *, warns: bool = True) -> int:
    """Return the MSISDN for `number`, the value of `option`. Raises CommandError.

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
    """Say which of `numbers` are odd: the first few.

    They are taken as they are: what looks like one may be a number of another country.
    """
    odd = [said.en for number in numbers if (said := oddity_of(number)) is not None]
    for said_of_one in odd[:_MAX_WARNINGS]:
        warn(said_of_one)
    if len(odd) > _MAX_WARNINGS:
        warn(f"and {len(odd) - _MAX_WARNINGS} more")


def oddity_of(number: str) -> Title | None:
    """Return what is odd about `number`, which is not said whole; None where nothing is."""
    if not is_odd(msisdn_of(number.encode("utf-8", "replace"))):
        return None
    said = _LATER_DIGITS.sub("*", number)
    return Title(
        f"{said} 的位数与中国大陆手机号码不符，是否输错？",
        f"{said} has too few or too many digits for a mainland mobile number: is it mistyped?",
    )


def is_odd(msisdn: int | None) -> bool:
    """Tell whether a number is a mainland mobile number with one or two digits missing or added."""
    if msisdn is None or msisdn in _MAINLAND:  # most are: lists have millions
        return False
    return any(msisdn in some for some in _MISTYPED)


def masked_number(number: str) -> str:
    """Return `number` as a screen or a journal may show it. Raises CommandError."""
    return masked(subscriber_of(number, warns=False))
