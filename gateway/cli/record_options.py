"""What the commands about records can be asked for."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter

from gateway.cli.failure import misused
from gateway.cli.screen import visible
from gateway.domain.msisdn import msisdn_of
from gateway.runtime.record_picking import RecordScope

_MAX_REASON_CHARS = 400

By = Annotated[str | None, Parameter(help="Who does it; by default the name of your account.")]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Unmasking:
    """Whether whole numbers and texts are to be seen, and why."""

    unmask: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="Whole numbers and texts; is journaled."),
    ] = False
    reason: Annotated[
        str, Parameter(show_default=False, help="Why they must be seen, for the journal.")
    ] = ""


MASKED = Unmasking()


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Period:
    """Which records are meant."""

    since: Annotated[
        datetime, Parameter("--from", help="From this time on; UTC unless it has an offset.")
    ]
    until: Annotated[datetime, Parameter("--to", help="Until before this time.")]
    sender: Annotated[str | None, Parameter(help="Only of this SP.")] = None
    number: Annotated[
        str | None, Parameter(allow_leading_hyphen=True, help="Only of this subscriber.")
    ] = None


def reason_of(unmasking: Unmasking) -> str | None:
    """Return why numbers are to be seen, None when they stay masked (R73)."""
    reason = said(unmasking.reason)
    if unmasking.unmask and not reason:
        raise misused(
            "--unmask needs --reason: nobody sees whole numbers without one",
            "say why, for the journal that `smsward records accesses` lists",
        )
    if reason and not unmasking.unmask:
        raise misused("--reason goes with --unmask")
    return reason or None


def scope_of(period: Period) -> RecordScope:
    """Return the records that are meant."""
    since, until = moment_of(period.since), moment_of(period.until)
    if since >= until:
        raise misused("--to: must be later than --from")
    msisdn = None
    if period.number is not None:
        msisdn = msisdn_of(period.number.encode("utf-8", "replace"))
        if msisdn is None:
            raise misused(
                f"--number: {visible(period.number[:40])} is no subscriber number",
                "digits only, bare or with 86, +86 or 0086 before them",
            )
    return RecordScope(since, until, period.sender, msisdn)


def moment_of(given: datetime) -> datetime:
    """Return an aware time: records count in UTC, and so does who says nothing else."""
    return given.replace(tzinfo=UTC) if given.tzinfo is None else given


def said(text: str) -> str:
    """Return what a person said, on one line and not longer than a journal takes."""
    return visible(text.strip())[:_MAX_REASON_CHARS]
