"""`smsward notices`."""

# ruff: noqa: PLC0415 - see gateway.cli.commands

from typing import Annotated

from cyclopts import App, Parameter

from gateway.cli.options import AsJson, ConfigDirectory
from gateway.cli.record_options import MASKED, UnmaskOptions

notices = App(
    name="notices",
    help="See whether SPs have heard of their subscribers' refusals (退订通知).",
    sort_key=6,
)

SystemId = Annotated[str, Parameter(help="The SP that hears, one of senders.yaml.")]


@notices.command(name="list")
def list_standings(*, config: ConfigDirectory = None, as_json: AsJson = False) -> int:
    """Show for each SP since when refusals wait for it, and how its webhook fares.

    A refusal holds from the moment it is recorded, whether its SP has heard of it or not.

    Example: smsward notices list
    """
    import asyncio

    from gateway.cli.deployment import config_of
    from gateway.cli.notice_feed import list_notices

    return asyncio.run(list_notices(config_of(config), as_json=as_json))


@notices.command(name="next")
def next_batch(
    *,
    system_id: SystemId,
    unmasking: UnmaskOptions = MASKED,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Show what an SP hears next. It is the same again until it is acknowledged.

    For an SP without a webhook and without the API: give it the numbers on paper or as a
    file, and acknowledge the batch then. Numbers are masked unless a reason is given.

    Example: smsward notices next --system-id sp1

    Example: smsward notices next --system-id sp1 --json --unmask --reason "monthly file"
    """
    import asyncio

    from gateway.cli.deployment import config_of, load_settings
    from gateway.cli.notice_feed import show_next
    from gateway.cli.unmask_reason import is_unmasked

    directory = config_of(config)
    about = f"the next refusals for {system_id}"
    unmask = is_unmasked(load_settings(directory), unmasking, "notices next", about)
    return asyncio.run(show_next(directory, system_id, unmask=unmask, as_json=as_json))


@notices.command
def acknowledge(
    batch: Annotated[int, Parameter(name="BATCH", help="The number of the batch.")],
    /,
    *,
    system_id: SystemId,
    config: ConfigDirectory = None,
) -> int:
    """Note that an SP has taken a batch: it hears of what comes after it from now on.

    Example: smsward notices acknowledge 7 --system-id sp1
    """
    import asyncio

    from gateway.cli.deployment import config_of
    from gateway.cli.notice_feed import acknowledge_batch

    return asyncio.run(acknowledge_batch(config_of(config), system_id, batch))
