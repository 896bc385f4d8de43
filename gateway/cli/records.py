"""`smsward records`."""

# ruff: noqa: PLC0415 - see gateway.terminal

from datetime import datetime
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from gateway.systems.legal_holds.cli import hold
from gateway.terminal.failure import run_async
from gateway.terminal.options import MASKED, AsJson, By, ConfigDirectory, Period, UnmaskOptions

records = App(
    name="records", help="Records of decisions and outcomes (CDR): read, seal, purge.", sort_key=8
)
records.command(hold)


@records.command
def show(
    place: Annotated[Path, Parameter(name="FILE|DIR")],
    /,
    *,
    limit: Annotated[int, Parameter(help="The last so many.")] = 50,
    unmasking: UnmaskOptions = MASKED,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Show the last records of one file, or of a directory. Subscribers' numbers are masked.

    With --json each record is one line of JSON, as in the files.

    Example: smsward records show var/cdr --limit 20
    """
    from gateway.cli.record_export import show_records

    return show_records(place, limit, unmasking, config, as_json=as_json)


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
    from gateway.cli.record_export import export_records
    from gateway.terminal.deployment import load_settings

    return export_records(load_settings(config), period, unmasking, output, as_json=as_json)


@records.command
def seal(*, config: ConfigDirectory = None, as_json: AsJson = False) -> int:
    """Seal the hours that are over: numbers and texts encrypted, the file packed.

    A running gateway does this by itself. It may be repeated, and be killed at any moment.

    Example: smsward records seal --config config
    """
    from gateway.cli.record_upkeep import seal_records
    from gateway.terminal.deployment import load_settings

    return seal_records(load_settings(config), as_json=as_json)


@records.command
def purge(
    *,
    dry_run: Annotated[
        bool, Parameter(negative="", show_default=False, help="Only count what would go.")
    ] = False,
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
    from gateway.cli.record_upkeep import purge_records
    from gateway.terminal.deployment import load_settings

    settings = load_settings(config)
    return run_async(purge_records(settings, by, now, dry_run=dry_run, as_json=as_json))


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
    from gateway.cli.record_upkeep import list_purges
    from gateway.terminal.deployment import load_settings

    return run_async(list_purges(load_settings(config), limit, as_json=as_json))


@records.command
def verify(*, config: ConfigDirectory = None, as_json: AsJson = False) -> int:
    """Verify the purge log and the journal of looks: each row is chained to the one before.

    The first row that is missing or was changed is named, and the exit code is 1. A running
    gateway does this once a day and logs both heads (`journal.verified`): compare them.

    Example: smsward records verify
    """
    from gateway.cli.record_upkeep import verify_journals
    from gateway.terminal.deployment import load_settings

    return run_async(verify_journals(load_settings(config), as_json=as_json))


@records.command
def accesses(
    *,
    limit: Annotated[int, Parameter(help="The last so many.")] = 50,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """List who saw whole numbers, when and why, the newest first.

    Example: smsward records accesses --json
    """
    from gateway.cli.record_upkeep import list_accesses
    from gateway.terminal.deployment import load_settings

    return run_async(list_accesses(load_settings(config), limit, as_json=as_json))
