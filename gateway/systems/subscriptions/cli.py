"""`smsward subscription`: orders and their history, looked up."""

# ruff: noqa: PLC0415 - see gateway.terminal

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from cyclopts import App, Parameter

from gateway.domain.msisdn import masked
from gateway.domain.subscription import Subscription, SubscriptionState
from gateway.systems.subscriptions.model import SubscriptionEvent
from gateway.terminal.failure import ExitCode
from gateway.terminal.options import AsJson, ConfigDirectory, limited
from gateway.terminal.screen import print_json, print_listed, print_table, say, shown_fields

_MAX_LISTED = 10_000
_COLUMNS = ("subscriber", "SP", "service", "price", "state", "since (UTC)", "until (UTC)")
_STEPS = ("at (UTC)", "step", "then", "message", "SHA-256 of the text")


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders of subscribers to list."""

    number: Annotated[str | None, Parameter(help="Only those of this subscriber.")] = None
    system_id: Annotated[str | None, Parameter(help="Only those from this SP.")] = None
    state: Annotated[
        SubscriptionState | None,
        Parameter(
            show_choices=False, help=f"Only those in this state: {', '.join(SubscriptionState)}."
        ),
    ] = None
    limit: Annotated[int, Parameter(help="At most so many.")] = 50


_ALL = OrderFilter()

subscription = App(
    name="subscription", help="Look up what subscribers ordered (定制), with proof.", sort_key=6
)


@subscription.command(name="list")
def list_orders(
    *, orders: OrderFilter = _ALL, config: ConfigDirectory = None, as_json: AsJson = False
) -> int:
    """List orders, the latest change first. Numbers are masked.

    An order is pending until its subscriber answers the request that named the price, active
    from the yes on, and cancelled, expired or withdrawn in the end. Only active ones may be
    charged.

    Example: smsward subscription list --state active --system-id sp1
    """
    from gateway.systems.subscriptions.sql import SubscriptionStore
    from gateway.terminal.arguments import subscriber_of
    from gateway.terminal.deployment import require_sender
    from gateway.terminal.store import on_store

    msisdn = None if orders.number is None else subscriber_of(orders.number)
    found = on_store(
        config,
        SubscriptionStore,
        lambda store: store.find(
            msisdn=msisdn,
            system_id=orders.system_id,
            state=orders.state,
            limit=limited(orders.limit),
        ),
    )
    if not found:
        require_sender(orders.system_id, config)
    shown, rows = list(map(_described, found)), map(_row, found)
    print_listed(shown, _COLUMNS, rows, "no such orders", as_json=as_json)
    if len(found) == orders.limit and not as_json:
        say("there may be more: narrow it down, or raise --limit")
    return ExitCode.FINE


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
    from gateway.systems.subscriptions.sql import SubscriptionStore
    from gateway.terminal.arguments import subscriber_of
    from gateway.terminal.deployment import require_sender
    from gateway.terminal.store import on_store

    msisdn = subscriber_of(number)

    async def run(store: SubscriptionStore) -> list[tuple[Subscription, list[SubscriptionEvent]]]:
        return [
            (one, await store.history(msisdn, (one.system_id, one.service_id)))
            for one in await store.find(msisdn=msisdn, system_id=system_id, limit=_MAX_LISTED)
        ]

    found = on_store(config, SubscriptionStore, run)
    if not found:
        require_sender(system_id, config)
    if as_json:
        steps = " ".join(SubscriptionEvent._fields)
        described = [
            {**_described(one), "steps": [shown_fields(event, steps) for event in history]}
            for one, history in found
        ]
        print_json({"number": masked(msisdn), "subscriptions": described})
    elif found:
        for one, history in found:
            _print_history(one, history)
    else:
        say(f"{masked(msisdn)} has ordered nothing")
    return ExitCode.FINE


def _print_history(subscription: Subscription, history: Sequence[SubscriptionEvent]) -> None:
    from gateway.systems.subscriptions.texts import price_of

    terms = subscription.terms
    what = f"{subscription.system_id} {subscription.service_id} {terms.name} {price_of(terms)}"
    title = f"{masked(subscription.msisdn)} {what}: {subscription.state}"
    rows = (
        (_time(event.at), event.act, event.state, event.message_id, event.text_sha256)
        for event in history
    )
    print_table(_STEPS, rows, title=title)


def _row(subscription: Subscription) -> tuple[str, ...]:
    from gateway.systems.subscriptions.texts import price_of

    due = subscription.due_at
    return (
        masked(subscription.msisdn),
        subscription.system_id,
        f"{subscription.service_id} {subscription.terms.name}",
        price_of(subscription.terms),
        subscription.state,
        _time(subscription.since),
        "" if due is None else _time(due),
    )


def _described(subscription: Subscription) -> dict[str, object]:
    terms, proof, due = subscription.terms, subscription.evidence, subscription.due_at
    return {
        "number": masked(subscription.msisdn),
        "system_id": subscription.system_id,
        "service": subscription.service_id,
        **shown_fields(terms, "name port price_fen cycle trial_days"),
        "state": subscription.state,
        "since": subscription.since.isoformat(timespec="seconds"),
        "until": None if due is None else due.isoformat(timespec="seconds"),
        "evidence": {
            name: one and shown_fields(one, "message_id text_sha256 at")
            for name, one in (
                ("order", proof.order),
                ("request", proof.request),
                ("confirmation", proof.confirmation),
            )
        },
    }


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
