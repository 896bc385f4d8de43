"""`smsward records`."""

# ruff: noqa: PLC0415 - see gateway.terminal

from datetime import datetime
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from gateway.domain.records import Purge
from gateway.systems.legal_holds.cli import hold
from gateway.terminal.failure import ExitCode
from gateway.terminal.options import (
    FLAG,
    LAST_RECORDS,
    MASKED,
    AsJson,
    By,
    ConfigDirectory,
    Period,
    RecordQuery,
    UnmaskOptions,
    limited,
)
from gateway.terminal.screen import print_listed

records = App(
    name="records", help="Records of decisions and outcomes (CDR): read, seal, purge.", sort_key=8
)
records.command(hold)


@records.command
def show(
    place: Annotated[Path, Parameter(name="FILE|DIR")],
    /,
    *,
    query: RecordQuery = LAST_RECORDS,
    unmasking: UnmaskOptions = MASKED,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Show the last records of one file, or of a directory. Subscribers' numbers are masked.

    A search by message or port also shows the request and the outcome. Without --from it reads
    the last 48 hours. With --message-id every finding is told in words, too. With --json each
    record is one line of JSON, as in the files.

    Example: smsward records show var/cdr --limit 20

    Example: smsward records show var/cdr --message-id 100123456789 --from 2013-09-01

    Example: smsward records show var/cdr --sender shop --port 10690001* --json
    """
    from gateway.cli.record_search import show_records

    return show_records(place, query, unmasking, config, as_json=as_json)


def trace(
    what: Annotated[str, Parameter(name="NUMBER|MESSAGE_ID")],
    /,
    *,
    since: Annotated[
        datetime | None,
        Parameter(show_default=False, help="From this time on; 48 hours back unless said."),
    ] = None,
    unmasking: UnmaskOptions = MASKED,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Follow one message, or all of a subscriber, from the submit to the receipt.

    With each decision and every finding of it. A mobile number, or what begins with +, is a
    subscriber; anything else is an id of the SMSC or of the gateway.

    Example: smsward trace 13800138000 --since 2013-09-30

    Example: smsward trace 100123456789 --json
    """
    from gateway.cli.record_trace import trace_messages
    from gateway.terminal.deployment import load_settings

    return trace_messages(load_settings(config), what, since, unmasking, as_json=as_json)


@records.command
def export(
    *,
    period: Period,
    output: Annotated[Path, Parameter(alias="-o", help="Write this file, for its owner alone.")],
    unmasking: UnmaskOptions = MASKED,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Write the records of a period as JSON Lines, those that are sealed too.

    Numbers are masked and texts left out, unless --unmask is given with a --reason.

    Example: smsward records export --from 2013-09-01 --to 2013-10-01 --sender shop -o shop.jsonl

    Example: smsward records export --from 2013-09-30T08:00 --to 2013-09-30T12:00
    --number 13800138000 --unmask --reason "case 2013-118" -o case.jsonl
    """
    from gateway.cli.record_work import export_records
    from gateway.terminal.deployment import load_settings

    return export_records(load_settings(config), period, unmasking, output, as_json=as_json)


@records.command
def seal(*, config: ConfigDirectory = None, as_json: AsJson = False) -> int:
    """Seal the hours that are over: numbers and texts encrypted, the file packed.

    A running gateway does this by itself. It may be repeated, and be killed at any moment.

    Example: smsward records seal --config config
    """
    from gateway.cli.record_work import seal_records
    from gateway.terminal.deployment import load_settings

    return seal_records(load_settings(config), as_json=as_json)


@records.command
async def purge(
    *,
    dry_run: Annotated[bool, FLAG, Parameter(help="Only count what would go.")] = False,
    now: Annotated[
        datetime | None,
        Parameter(help="As of this time; with --dry-run it may lie ahead.", show_default=False),
    ] = None,
    by: By = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Delete what is past keeping, but for legal holds: records, messages, ended relations.

    Past keeping is what is older than records.purge_after_months, of an order or a refusal
    counted from the end of all there was between subscriber and SP; the refusal itself goes
    on to hold. A running gateway does this by itself once a day.

    Example: smsward records purge --dry-run --now 2014-03-01
    """
    from gateway.cli.record_work import purge_records
    from gateway.terminal.deployment import load_settings

    settings = load_settings(config)
    return await purge_records(settings, by, now, dry_run=dry_run, as_json=as_json)


@records.command
def purges(
    *,
    limit: Annotated[int, Parameter(help="The last so many.")] = 50,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """List what was purged, the newest first.

    Example: smsward records purges --limit 10
    """
    from gateway.storage.journals import SqlJournals
    from gateway.terminal.store import on_store

    purges = on_store(config, SqlJournals, lambda journals: journals.purges(limited(limit)))
    columns = ("no", "at (UTC)", "what", "from", "to", "count", "by")
    print_listed(purges, columns, map(_purge_row, purges), "nothing yet", as_json=as_json)
    return ExitCode.FINE


def _purge_row(one: Purge) -> tuple[str, ...]:
    times = (f"{time:%Y-%m-%d %H:%M}" for time in (one.since, one.until))
    at = f"{one.at:%Y-%m-%d %H:%M:%S}"
    return (str(one.number), at, one.what, *times, str(one.count), one.by)
