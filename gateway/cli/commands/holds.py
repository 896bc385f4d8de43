"""`smsward records hold`."""

# ruff: noqa: PLC0415 - see gateway.cli.commands

from typing import Annotated

from cyclopts import App, Parameter

from gateway.cli.options import AsJson, ConfigDirectory
from gateway.cli.record_options import By, Period

hold = App(name="hold", help="Keep records from being purged (司法保全).")


@hold.command
def add(
    *,
    period: Period,
    reason: Annotated[str, Parameter(help="Why, for example fraud under investigation.")],
    reference: Annotated[str, Parameter(help="The number of the case or of the letter.")],
    by: By = None,
    config: ConfigDirectory = None,
) -> int:
    """Keep the records and held messages of a period from being purged, until lifted.

    Example: smsward records hold add --from 2013-09-01 --to 2013-10-01
    --number 13800138000 --reason fraud --reference "case 2013-118"
    """
    import asyncio

    from gateway.cli.deployment import load_settings
    from gateway.cli.legal_holds import add_hold

    return asyncio.run(add_hold(load_settings(config), period, reason, reference, by))


@hold.command(name="list")
def list_all(*, config: ConfigDirectory = None, as_json: AsJson = False) -> int:
    """List holds, the newest first, those that were lifted too. Numbers are masked.

    Example: smsward records hold list --json
    """
    import asyncio

    from gateway.cli.deployment import load_settings
    from gateway.cli.legal_holds import list_holds

    return asyncio.run(list_holds(load_settings(config), as_json=as_json))


@hold.command
def lift(
    number: Annotated[int, Parameter(name="NO")],
    /,
    *,
    by: By = None,
    config: ConfigDirectory = None,
) -> int:
    """End a hold. What only it kept goes with the first purge a day later.

    Example: smsward records hold lift 3
    """
    import asyncio

    from gateway.cli.deployment import load_settings
    from gateway.cli.legal_holds import lift_hold

    return asyncio.run(lift_hold(load_settings(config), number, by))
