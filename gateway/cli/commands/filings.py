"""`smsward filings`."""

# ruff: noqa: PLC0415 - see gateway.cli.commands

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from gateway.cli.options import NOTHING_NAMED, AsJson, ConfigDirectory, FilingSelector

filings = App(
    name="filings",
    help="Keep what SPs have filed (报备): licences, signatures, templates, scopes, approvals.",
    sort_key=7,
)

Sender = Annotated[str, Parameter(name="SENDER")]


@filings.command(name="import")
def import_file(
    file: Annotated[Path, Parameter(name="FILE")],
    /,
    *,
    dry_run: Annotated[
        bool, Parameter(negative="", show_default=False, help="Only say what would change.")
    ] = False,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """File what a YAML file says, all of it or nothing. A running gateway obeys within a second.

    What is on file already is replaced where the file says otherwise; what the file does not
    name stays. Every fault is printed as file:line:col. It may be repeated.

    Example: smsward filings import filings.yaml --dry-run
    """
    import asyncio

    from gateway.cli.deployment import config_of
    from gateway.cli.filing_changes import import_filings

    directory = config_of(config)
    return asyncio.run(import_filings(directory, file, dry_run=dry_run, as_json=as_json))


@filings.command(name="list")
def list_filings(
    *,
    sender: Annotated[str | None, Parameter(help="Only this SP.")] = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """List each SP with its licence, in how many days that ends, and how much it has filed.

    An SP without a licence on file may bind, unless filings.licence_required is set.

    Example: smsward filings list
    """
    import asyncio

    from gateway.cli.deployment import load_settings
    from gateway.cli.filing_list import list_filed

    return asyncio.run(list_filed(load_settings(config), sender, as_json=as_json))


@filings.command
def show(sender: Sender, /, *, config: ConfigDirectory = None, as_json: AsJson = False) -> int:
    """Show all that one SP has filed.

    Example: smsward filings show shop
    """
    import asyncio

    from gateway.cli.deployment import load_settings
    from gateway.cli.filing_list import show_filed

    return asyncio.run(show_filed(load_settings(config), sender, as_json=as_json))


@filings.command
def expiring(
    *,
    within: Annotated[int, Parameter(help="So many days ahead.")] = 30,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """List licences and approvals that end soon, or have ended, the most urgent first.

    When its licence has ended an SP can bind no more; a port whose approval has ended is no
    longer exempt as one of public interest.

    Example: smsward filings expiring --within 30 --json
    """
    import asyncio

    from gateway.cli.deployment import load_settings
    from gateway.cli.filing_list import list_expiring

    return asyncio.run(list_expiring(load_settings(config), within, as_json=as_json))


@filings.command
def remove(
    sender: Sender,
    /,
    *,
    named: FilingSelector = NOTHING_NAMED,
    config: ConfigDirectory = None,
) -> int:
    """Remove what an SP has filed: name what, or say --all.

    Example: smsward filings remove shop --signature 示例商城 --template T-001
    """
    import asyncio

    from gateway.cli.deployment import load_settings
    from gateway.cli.filing_changes import remove_filings

    return asyncio.run(remove_filings(load_settings(config), sender, named))


@filings.command
def export(
    *,
    sender: Annotated[str | None, Parameter(help="Only this SP.")] = None,
    output: Annotated[Path | None, Parameter(alias="-o", help="Write this file.")] = None,
    config: ConfigDirectory = None,
) -> int:
    """Print what is on file as the YAML that import reads.

    Example: smsward filings export -o filings.yaml
    """
    import asyncio

    from gateway.cli.deployment import load_settings
    from gateway.cli.filing_changes import export_filings

    return asyncio.run(export_filings(load_settings(config), sender, output))
