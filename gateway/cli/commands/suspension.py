"""`smsward suspension`."""

# ruff: noqa: PLC0415 - see gateway.cli.commands

from typing import Annotated

from cyclopts import App, Parameter

from gateway.cli.options import AsJson, ConfigDirectory
from gateway.cli.preference_options import By
from gateway.domain.suspension import SuspensionState

suspension = App(
    name="suspension",
    help="Look up, set and lift suspensions of personal numbers (暂停).",
    sort_key=7,
)

Number = Annotated[
    str, Parameter(name="NUMBER", allow_leading_hyphen=True, help="The number that sends.")
]


@suspension.command(name="list")
def list_all(
    *,
    state: Annotated[SuspensionState | None, Parameter(help="Only those in this state.")] = None,
    limit: Annotated[int, Parameter(help="At most so many, up to 10 000.")] = 50,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """List suspensions, the newest first. Numbers are masked.

    Example: smsward suspension list --state active
    """
    import asyncio

    from gateway.cli.deployment import load_settings
    from gateway.cli.suspension_changes import list_suspensions

    return asyncio.run(list_suspensions(load_settings(config), state, limit, as_json=as_json))


@suspension.command
def show(number: Number, /, *, config: ConfigDirectory = None, as_json: AsJson = False) -> int:
    """Show whether a number may send, and every suspension of it that is on record.

    Example: smsward suspension show 13900139000
    """
    import asyncio

    from gateway.cli.deployment import load_settings
    from gateway.cli.suspension_changes import show_number

    return asyncio.run(show_number(load_settings(config), number, as_json=as_json))


@suspension.command
def add(
    number: Number,
    /,
    *,
    days: Annotated[int, Parameter(help="For so many days from now, 1 to 366.")] = 3,
    note: Annotated[str, Parameter(help="Why, for those who read it later.")],
    by: By = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Suspend a number by hand: it may send nothing. A running gateway obeys within a second.

    Only a clerk lifts what a clerk has suspended, and the number is not told. It stops
    messages where a rule with the check suspended is enforced, as R43-suspended is shipped.

    Example: smsward suspension add 13900139000 --days 3 --note "case 2026-118"
    """
    import asyncio

    from gateway.cli.deployment import load_settings
    from gateway.cli.suspension_changes import SuspensionOptions, suspend_number

    wish = SuspensionOptions(number, note, by)
    return asyncio.run(suspend_number(load_settings(config), wish, days, as_json=as_json))


@suspension.command
def lift(
    number: Number,
    /,
    *,
    note: Annotated[str, Parameter(help="Why, for those who read it later.")],
    by: By = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Let a number send again, before its time. A running gateway obeys within a second.

    What it sent before stays counted: the caps of the hour and of the day go on to hold.

    Example: smsward suspension lift 13900139000 --note "a club's invitations, checked"
    """
    import asyncio

    from gateway.cli.deployment import load_settings
    from gateway.cli.suspension_changes import SuspensionOptions, lift_suspension

    wish = SuspensionOptions(number, note, by)
    return asyncio.run(lift_suspension(load_settings(config), wish, as_json=as_json))
