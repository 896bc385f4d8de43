"""What the options of commands about records come to: a scope, a reason, a moment."""

from datetime import UTC, datetime

from gateway.cli.failure import misused
from gateway.cli.record_options import Period, UnmaskOptions
from gateway.cli.screen import visible
from gateway.cli.subscriber import subscriber_of
from gateway.runtime.record_filter import RecordScope

_MAX_REASON_CHARS = 400


def reason_of(unmasking: UnmaskOptions) -> str | None:
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
    msisdn = None if period.number is None else subscriber_of(period.number, "--number: ")
    return RecordScope(since, until, period.sender, msisdn)


def moment_of(given: datetime) -> datetime:
    """Return an aware time: records count in UTC, and so does who says nothing else."""
    return given.replace(tzinfo=UTC) if given.tzinfo is None else given


def said(text: str) -> str:
    """Return what a person said, on one line and not longer than a journal takes."""
    return visible(text.strip())[:_MAX_REASON_CHARS]
