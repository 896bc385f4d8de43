"""`smsward policy`."""

# ruff: noqa: PLC0415 - see gateway.cli.commands

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from gateway.cli.options import (
    NO_REASON,
    USUAL_PLACES,
    AsJson,
    ConfigDirectory,
    Directories,
    Wish,
)

policy = App(
    name="policy",
    help="Check and compare policies, see which were in force (策略), and go back.",
    sort_key=4,
)


@policy.command
def check(
    directory: Annotated[Path | None, Parameter(name="DIR")] = None,
    /,
    *,
    as_json: AsJson = False,
) -> int:
    """Read one bundle, run its self-test, and print every fault as file:line:col.

    Without DIR it is the directory that `run` would take. The exit code is 2 when there is a
    fault.

    Example: smsward policy check policies.new
    """
    from gateway.cli.comparing import check_policies
    from gateway.settings.locate import policies_directory

    return check_policies(policies_directory(directory), as_json=as_json)


@policy.command
def diff(
    old: Annotated[Path, Parameter(name="OLD")],
    new: Annotated[Path, Parameter(name="NEW")],
    /,
    *,
    as_json: AsJson = False,
) -> int:
    """Say what the bundle in one directory says otherwise than that in another.

    Lists and words that came and went, and settings that changed. Words are cut short on the
    screen and whole with --json. The exit code is 0, differences or not.

    Example: smsward policy diff policies policies.new
    """
    from gateway.cli.comparing import diff_policies

    return diff_policies(old, new, as_json=as_json)


@policy.command
def history(
    *,
    limit: Annotated[int, Parameter(help="The last so many.")] = 50,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Show which policies were in force from when on, and who put them there.

    Example: smsward policy history --limit 10
    """
    import asyncio

    from gateway.cli.deployment import load_settings
    from gateway.cli.versions import show_history

    return asyncio.run(show_history(load_settings(config), limit, as_json=as_json))


@policy.command
def rollback(
    number: Annotated[int, Parameter(name="N")],
    /,
    *,
    wish: Wish = NO_REASON,
    directories: Directories = USUAL_PLACES,
) -> int:
    """Put the files of version N of the history back, and have the gateway load them.

    A directory with changes that were never in force is left alone, unless --force is given.
    The exit code is 1 when the gateway refuses, or does not answer in time; the files are
    back then all the same.

    Example: smsward policy rollback 12 --note "K-LOAN held honest banks"
    """
    import asyncio

    from gateway.cli.deployment import load_settings, located
    from gateway.cli.versions import roll_back

    config, policies = located(directories)
    return asyncio.run(roll_back(load_settings(config), policies, number, wish))


@policy.command
def reload(*, wish: Wish = NO_REASON, config: ConfigDirectory = None) -> int:
    """Have the running gateway load its policies and senders, and say what became of it.

    With --force a keyword list may lose more than half of its words, which is refused
    otherwise: a half-written export looks just like that. The exit code is 1 when the
    gateway refuses, or does not answer in time.

    Example: smsward policy reload --force --note "gambling list split in two"
    """
    import asyncio

    from gateway.cli.deployment import load_settings
    from gateway.cli.versions import reload_policies

    return asyncio.run(reload_policies(load_settings(config), wish))
