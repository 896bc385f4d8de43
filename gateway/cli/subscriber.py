"""The subscriber that a command line names."""

from gateway.cli.failure import misused
from gateway.cli.screen import visible
from gateway.domain.msisdn import masked, msisdn_of

_MAX_QUOTED = 40


def subscriber_of(number: str) -> int:
    """Return the msisdn that is meant by `number`. Raises CommandError."""
    msisdn = msisdn_of(number.encode("utf-8", "replace"))
    if msisdn is None:
        raise misused(
            f"{visible(number[:_MAX_QUOTED])} is no subscriber number",
            "digits only, bare or with 86, +86 or 0086 before them",
        )
    return msisdn


def masked_number(number: str) -> str:
    """Return `number` as a screen or a journal may show it. Raises CommandError."""
    return masked(subscriber_of(number))
