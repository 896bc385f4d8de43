"""`smsward preferences`."""

# ruff: noqa: PLC0415 - see gateway.cli.commands

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from gateway.cli.options import AsJson, ConfigDirectory
from gateway.cli.preference_options import By, Number, PreferenceSelector
from gateway.cli.record_options import MASKED, UnmaskOptions
from gateway.domain.preferences import PreferenceAction

preferences = App(
    name="preferences",
    help="Look up and change what subscribers want to receive (用户接收策略). As shipped, R50, the"
    " rule that asks them, is in shadow mode: it stops nothing.",
    sort_key=7,
)


@preferences.command
def show(
    *,
    number: Number,
    journal: Annotated[
        bool, Parameter(negative="", show_default=False, help="Show every change instead.")
    ] = False,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Show what a subscriber wants to receive, or how that came to be.

    Numbers decide before keywords, these before categories, classes and quiet hours; within
    one kind the order shown.

    Example: smsward preferences show --number 13800138000
    """
    import asyncio

    from gateway.cli.deployment import load_settings
    from gateway.cli.preference_changes import show_journal, show_preferences

    work = show_journal if journal else show_preferences
    return asyncio.run(work(load_settings(config), number, as_json=as_json))


@preferences.command
def holds(
    number: Annotated[str, Parameter(help="The subscriber's number.")],
    /,
    *,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """List the messages that nothing but a subscriber's own preferences holds.

    They are the subscriber's to let go, by writing 查拦截 and 放行 1 to the service code. What a
    policy holds is not among them: smsward quarantine list shows that. A long message has
    several ids; smsward quarantine show ID prints a text.

    Example: smsward preferences holds 13800138000
    """
    import asyncio

    from gateway.cli.deployment import load_settings
    from gateway.cli.own_holds import list_own_holds

    return asyncio.run(list_own_holds(load_settings(config), number, as_json=as_json))


@preferences.command(name="set")
def set_one(
    *,
    about: PreferenceSelector,
    action: Annotated[
        PreferenceAction, Parameter(help="What becomes of messages that fit it.")
    ] = PreferenceAction.BLOCK,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Keep one preference, in the place of one about the same. It holds within a second.

    As shipped, the rule R50 that asks them is in shadow mode: what they would stop passes, and the
    records tell of it. docs/howto/preferences.md says how to switch it on.

    Example: smsward preferences set --number 13800138000 --kind category --value 房产

    Example: smsward preferences set --number 13800138000 --kind number --value 1069000112
    --action allow

    Example: smsward preferences set --number 13800138000 --kind quiet_hours
    --value 22:00-08:00 --action hold
    """
    import asyncio

    from gateway.cli.deployment import load_settings
    from gateway.cli.preference_changes import set_preference

    return asyncio.run(set_preference(load_settings(config), about, action, as_json=as_json))


@preferences.command
def remove(
    *, about: PreferenceSelector, config: ConfigDirectory = None, as_json: AsJson = False
) -> int:
    """Take one preference back, of any action.

    Example: smsward preferences remove --number 13800138000 --kind category --value 房产
    """
    import asyncio

    from gateway.cli.deployment import load_settings
    from gateway.cli.preference_changes import remove_preference

    return asyncio.run(remove_preference(load_settings(config), about, as_json=as_json))


@preferences.command
def export(
    *,
    number: Number,
    output: Annotated[
        Path | None,
        Parameter(alias="-o", help="Write this file, for its owner alone."),
    ] = None,
    unmasking: UnmaskOptions = MASKED,
    config: ConfigDirectory = None,
) -> int:
    """Give out all that is kept of a subscriber's preferences, as JSON, at their request.

    Numbers of subscribers are masked, unless --unmask is given with a --reason.

    Example: smsward preferences export --number 13800138000 --unmask --reason "asked for, 12 May"
    -o preferences.json
    """
    import asyncio

    from gateway.cli.deployment import load_settings
    from gateway.cli.preference_changes import export_preferences
    from gateway.cli.subscriber import masked_number
    from gateway.cli.unmask_reason import is_unmasked

    settings, about = load_settings(config), f"preferences of {masked_number(number)}"
    unmask = is_unmasked(settings, unmasking, "preferences export", about)
    return asyncio.run(export_preferences(settings, number, output, unmask=unmask))


@preferences.command
def delete(
    *,
    number: Number,
    by: By = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Delete a subscriber's preferences and their history, at their request, for good.

    The journal keeps only that it was done, when and by whom. Export first what is wanted.

    Example: smsward preferences delete --number 13800138000
    """
    import asyncio

    from gateway.cli.deployment import load_settings
    from gateway.cli.preference_changes import delete_preferences

    return asyncio.run(delete_preferences(load_settings(config), number, by, as_json=as_json))
