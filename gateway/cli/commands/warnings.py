"""`smsward warnings`."""

# ruff: noqa: PLC0415 - see gateway.cli.commands

from typing import Annotated

from cyclopts import App, Parameter

from gateway.cli.options import AsJson, ConfigDirectory
from gateway.cli.warning_options import ALL_WARNINGS, WarningNoteOptions, WarningQuery

warnings = App(
    name="warnings",
    help="Look through the early warnings (预警) and violations (违规) of SPs, and note answers.",
    sort_key=5,
)

Number = Annotated[int, Parameter(name="NUMBER", help="The number of a warning, as listed.")]


@warnings.command(name="list")
def list_warnings(
    *, wanted: WarningQuery = ALL_WARNINGS, config: ConfigDirectory = None, as_json: AsJson = False
) -> int:
    """List warnings, the newest first: who did what, from which port, how often.

    A warning is raised once in 24 hours for each SP, port, rule and code; what comes meanwhile
    is counted in it. "in shadow mode" counts the messages that a rule in shadow mode noticed: they
    may have passed.

    Example: smsward warnings list --system-id shop --state open

    Example: smsward warnings list --violations --json
    """
    import asyncio

    from gateway.cli.deployment import load_settings
    from gateway.cli.warning_list import list_raised

    return asyncio.run(list_raised(load_settings(config), wanted, config, as_json=as_json))


@warnings.command
def show(number: Number, /, *, config: ConfigDirectory = None, as_json: AsJson = False) -> int:
    """Show one warning: what was noticed, where samples stand in the records, what was answered.

    A sample is the id of a held message, which `smsward quarantine show` shows, or session and
    sequence_number, as the records of that hour have them.

    Example: smsward warnings show 7
    """
    import asyncio

    from gateway.cli.deployment import load_settings
    from gateway.cli.warning_list import show_raised

    return asyncio.run(show_raised(load_settings(config), number, as_json=as_json))


@warnings.command
def answer(number: Number, /, *, noted: WarningNoteOptions, config: ConfigDirectory = None) -> int:
    """Note what the SP answers to an open warning; it is due within 24 hours.

    Example: smsward warnings answer 7 --note "list bought from a broker, deleted" --by lin
    """
    import asyncio

    from gateway.cli.deployment import load_settings
    from gateway.cli.warning_list import answer_raised

    return asyncio.run(answer_raised(load_settings(config), number, noted))


@warnings.command
def close(number: Number, /, *, noted: WarningNoteOptions, config: ConfigDirectory = None) -> int:
    """Note that nothing is left to do about a warning, answered or not.

    Example: smsward warnings close 7 --note "no more of it in 14 days"
    """
    import asyncio

    from gateway.cli.deployment import load_settings
    from gateway.cli.warning_list import close_raised

    return asyncio.run(close_raised(load_settings(config), number, noted))
