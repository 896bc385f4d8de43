"""`smsward complaints`: what subscribers reported as spam (举报)."""

# ruff: noqa: PLC0415 - see gateway.terminal

from datetime import datetime
from typing import Annotated

from cyclopts import App, Parameter

from gateway.domain.msisdn import masked
from gateway.systems.complaints.model import Complaint, ComplaintSource, ComplaintState
from gateway.terminal.failure import CommandError, ExitCode, run_async
from gateway.terminal.options import MASKED, AsJson, ConfigDirectory, UnmaskOptions, limited
from gateway.terminal.screen import (
    masked_source,
    print_fields,
    print_json,
    print_listed,
    visible,
)

_COLUMNS = ("no", "taken (UTC)", "source", "sender", "SP", "category", "reporter", "state")


complaints = App(
    name="complaints",
    help="Take down what subscribers report as spam (举报).",
    sort_key=7,
)


@complaints.command(name="list")
def list_all(
    *,
    state: Annotated[ComplaintState | None, Parameter(help="Only those in this state.")] = None,
    source: Annotated[ComplaintSource | None, Parameter(help="Only from there.")] = None,
    port: Annotated[str | None, Parameter(help="Only of this port.")] = None,
    limit: Annotated[int, Parameter(help="At most so many, up to 10 000.")] = 50,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """List complaints, the newest first. Numbers are masked, texts are not shown.

    Example: smsward complaints list --state received
    """
    from gateway.systems.complaints.sql import ComplaintStore
    from gateway.terminal.store import on_store

    most = limited(limit)
    found = on_store(
        config,
        ComplaintStore,
        lambda store: store.find(limit=most, state=state, source=source, port=port),
    )
    _print(found, as_json=as_json)
    return ExitCode.FINE


@complaints.command
def show(
    number: Annotated[int, Parameter(name="NO", help="The number of the complaint.")],
    /,
    *,
    unmasking: UnmaskOptions = MASKED,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Show a complaint with its text. That is noted in the journal; numbers are masked.

    Example: smsward complaints show 17
    """
    from gateway.runtime.masking import masked_text
    from gateway.systems.complaints.sql import ComplaintStore
    from gateway.terminal.deployment import load_settings
    from gateway.terminal.store import is_unmasked, on_store

    one = on_store(config, ComplaintStore, lambda store: store.get(number))
    if one is None:
        raise CommandError(
            f"there is no complaint {number}", advice="smsward complaints list lists them"
        )
    looking = is_unmasked(
        load_settings(config), unmasking, "complaints show", f"complaint {number}", always=True
    )
    is_whole = run_async(looking)
    described = _described(one) | {"text": one.text if is_whole else masked_text(one.text)}
    if is_whole:
        described |= {"sender": one.sender, "reporter": one.reporter}
    if as_json:
        print_json(described)
    else:
        fields = ((name, _words(value)) for name, value in described.items())
        print_fields((name, value) for name, value in fields if value)
    return ExitCode.FINE


@complaints.command
def status(
    reporter: Annotated[str, Parameter(name="NUMBER", help="The number of the subscriber.")],
    /,
    *,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Tell what became of the complaints of a subscriber, the newest first.

    Example: smsward complaints status 13800138000
    """
    from gateway.systems.complaints.sql import ComplaintStore
    from gateway.terminal.arguments import subscriber_of
    from gateway.terminal.store import on_store

    msisdn = subscriber_of(reporter)
    _print(
        on_store(config, ComplaintStore, lambda store: store.find(reporter=msisdn)),
        as_json=as_json,
    )
    return ExitCode.FINE


def _print(found: list[Complaint], *, as_json: bool) -> None:
    shown, rows = list(map(_described, found)), map(_row, found)
    print_listed(shown, _COLUMNS, rows, "no such complaints", as_json=as_json)


def _described(one: Complaint) -> dict[str, object]:
    from gateway.runtime.masking import masked_text

    return {
        "no": one.number,
        "source": one.source,
        "id": masked_text(one.source_id),
        "state": one.state,
        "invalid_reason": one.invalid_reason,
        "case": one.case_number,
        "sender": masked_source(one.sender),
        "system_id": one.system_id or None,
        "port": masked_source(one.port) or None,
        "category": one.category or None,
        "reporter": None if one.reporter is None else masked(one.reporter),
        "reported_at": one.reported_at,
        "received_at": one.received_at,
        "taken_at": one.taken_at,
        "attachments": list(one.attachments),
        "by": one.by,
    }


def _row(one: Complaint) -> tuple[str, ...]:
    reason = f": {one.invalid_reason}" if one.invalid_reason else ""
    return (
        str(one.number),
        f"{one.taken_at:%Y-%m-%d %H:%M}",
        one.source,
        masked_source(one.sender),
        one.system_id,
        one.category,
        "" if one.reporter is None else masked(one.reporter),
        f"{one.state}{reason}",
    )


def _words(value: object) -> str:
    match value:
        case None:
            return ""
        case list():
            return "\n".join(value)
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}"
        case _:
            return visible(str(value))
