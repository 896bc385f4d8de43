"""The values of shared options, checked: numbers, a scope of records, a reason, a moment."""

import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime

from gateway.domain.msisdn import SHORTEST_NUMBER, masked, msisdn_of
from gateway.policy.bundle import Title
from gateway.records.sealed_values import RecordScope
from gateway.runtime.clock import utcnow
from gateway.terminal.failure import misused
from gateway.terminal.options import Period, UnmaskOptions
from gateway.terminal.screen import visible, warn

_MAX_REASON_CHARS = 400


def reason_of(unmasking: UnmaskOptions) -> str | None:
    """Return why numbers are to be seen, None when they stay masked (R73)."""
    reason = said(unmasking.reason)
    if unmasking.unmask and not reason:
        raise misused(
            "--unmask needs --reason: nobody sees whole numbers without one",
            "say why, for the journal that `smsward audit show` lists",
        )
    if reason and not unmasking.unmask:
        raise misused("--reason goes with --unmask")
    return reason or None


def scope_of(period: Period) -> RecordScope:
    """Return the records that are meant."""
    since, until = moment_of(period.since), moment_of(period.until)
    if since >= until:
        raise misused("--to: must be later than --from")
    msisdn = None if period.number is None else subscriber_of(period.number, "--number: ")
    return RecordScope(since, until, period.sender, msisdn)


def moment_of(given: datetime) -> datetime:
    """Return an aware time: records count in UTC, and so does who says nothing else."""
    return given.replace(tzinfo=UTC) if given.tzinfo is None else given


def moment_since(given: str) -> datetime:
    """Return the time that `--since` means: so long ago, or that moment. Raises CommandError."""
    from gateway.settings.bundles.check_fields import parse_duration  # noqa: PLC0415 - it is slow

    with suppress(ValueError):
        return utcnow() - parse_duration(given)
    with suppress(ValueError):
        return moment_of(datetime.fromisoformat(given))
    raise misused(
        f"--since: {visible(given[:_MAX_QUOTED])} is neither a duration nor a time",
        "as 24h or 7d, or as 2025-11-25T08:00",
    )


def said(text: str) -> str:
    """Return what a person said, on one line and not longer than a journal takes."""
    return visible(text.strip())[:_MAX_REASON_CHARS]


def moment_asked(at: datetime | None) -> datetime:
    """Return the time of `--at`, now for none. Raises CommandError for one without an offset.

    That of this machine would be a guess: rules ask by the clock of the recipient.
    """
    if at is None:
        return utcnow()
    if at.tzinfo is None:
        raise misused("--at: a time with its offset, as 2025-11-25T22:30+08:00")
    return at


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

    A mistyped number may be whole except for one digit: it is not shown either.
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
