"""The subscriber that a command line names."""

import re

from gateway.cli.failure import misused
from gateway.cli.screen import visible
from gateway.domain.msisdn import masked, msisdn_of

_LATER_DIGITS = re.compile(r"(?<=[0-9]{3})[0-9]")
_MAX_QUOTED = 40


def subscriber_of(number: str, option: str = "") -> int:
    """Return the msisdn that is meant by `number`, given as `option`. Raises CommandError.

    What was mistyped may be a whole number but for one digit: it is not said either.
    """
    msisdn = msisdn_of(number.encode("utf-8", "replace"))
    if msisdn is None:
        said = _LATER_DIGITS.sub("*", visible(number[:_MAX_QUOTED]))
        raise misused(
            f"{option}{said} is no subscriber number",
            "digits only, bare or with 86, +86 or 0086 before them",
        )
    return msisdn


def masked_number(number: str) -> str:
    """Return `number` as a screen or a journal may show it. Raises CommandError."""
    return masked(subscriber_of(number))
