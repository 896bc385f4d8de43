"""`smsward subscription`."""

# ruff: noqa: PLC0415 - see gateway.cli.commands

from typing import Annotated

from cyclopts import App, Parameter

from gateway.cli.options import ORDERS, AsJson, ConfigDirectory, OrderFilter

subscription = App(
    name="subscription", help="Look up what subscribers ordered (定制), with proof.", sort_key=6
)


@subscription.command(name="list")
def list_orders(
    *, orders: OrderFilter = ORDERS, config: ConfigDirectory = None, as_json: AsJson = False
) -> int:
    """List orders, the latest change first. Numbers are masked.

    An order is pending until its subscriber answers the request that named the price, active
    from the yes on, and cancelled, expired or withdrawn in the end. Only active ones may be
    charged.

    Example: smsward subscription list --state active --system-id sp1
    """
    import asyncio

    from gateway.cli.deployment import load_settings
    from gateway.cli.order_list import print_orders

    return asyncio.run(print_orders(load_settings(config), orders, config, as_json=as_json))


@subscription.command
def show(
    number: Annotated[str, Parameter(name="NUMBER")],
    /,
    *,
    system_id: Annotated[str | None, Parameter(help="Only what was ordered from this SP.")] = None,
    config: ConfigDirectory = None,
    as_json: AsJson = False,
) -> int:
    """Show what one subscriber ordered, each step with the message that it rests on.

    Messages stand there by id and by the SHA-256 of their text: a person who has the text
    can prove that it is the one. The ids are those of the records (`reply`, `confirmation`), and
    for `sent` that of the SMSC.

    Example: smsward subscription show 13800138000
    """
    import asyncio

    from gateway.cli.deployment import load_settings
    from gateway.cli.order_list import print_histories

    settings = load_settings(config)
    return asyncio.run(print_histories(settings, number, system_id, config, as_json=as_json))
