"""`smsward subscription`: orders and their history, looked up."""

# ruff: noqa: PLC0415 - see gateway.terminal

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeAlias

from cyclopts import App, Parameter

from gateway.domain.msisdn import masked
from gateway.domain.subscription import MessageEvidence, Subscription, SubscriptionState
from gateway.runtime.clock import utcnow
from gateway.systems.subscriptions.model import (
    SubscriptionEvent,
    SubscriptionQuery,
    SubscriptionStore,
)
from gateway.terminal.failure import ExitCode, misused
from gateway.terminal.options import AsJson, ConfigDirectory
from gateway.terminal.screen import print_json, print_table, say

_MAX_LISTED = 10_000
_COLUMNS = ("subscriber", "SP", "service", "price", "state", "since (UTC)", "until (UTC)")
_STEPS = ("at (UTC)", "step", "then", "message", "SHA-256 of the text")

Opened: TypeAlias = AbstractAsyncContextManager[SubscriptionStore]
History: TypeAlias = tuple[Subscription, Sequence[SubscriptionEvent]]


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
    import asyncio

    from gateway.terminal.arguments import subscriber_of
    from gateway.terminal.deployment import require_sender

    store = _store(config)
    if not 1 <= orders.limit <= _MAX_LISTED:
        raise misused(f"--limit: 1 to {_MAX_LISTED}")
    wanted = SubscriptionQuery(
        msisdn=None if orders.number is None else subscriber_of(orders.number),
        system_id=orders.system_id,
        state=orders.state,
        limit=orders.limit,
    )
    found = asyncio.run(_found(store, wanted))
    if not found:
        require_sender(orders.system_id, config)
    if as_json:
        print_json([_described(one) for one in found])
    elif found:
        print_table(_COLUMNS, map(_row, found))
        if len(found) == orders.limit:
            say("there may be more: narrow it down, or raise --limit")
    else:
        say("no such orders")
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
    import asyncio

    from gateway.terminal.arguments import subscriber_of
    from gateway.terminal.deployment import require_sender

    store, msisdn = _store(config), subscriber_of(number)
    found = asyncio.run(_histories(store, SubscriptionQuery(msisdn, system_id, limit=_MAX_LISTED)))
    if not found:
        require_sender(system_id, config)
    if as_json:
        described = [
            {**_described(one), "steps": [_step(event) for event in history]}
            for one, history in found
        ]
        print_json({"number": masked(msisdn), "subscriptions": described})
    elif found:
        for one, history in found:
            _print_history(one, history)
    else:
        say(f"{masked(msisdn)} has ordered nothing")
    return ExitCode.FINE


def _store(config: Path | None) -> Opened:
    """Return the orders of a deployment, to be opened."""
    from gateway.systems.subscriptions.sql import SqlSubscriptions
    from gateway.terminal.deployment import load_settings
    from gateway.terminal.store import opened_store

    return opened_store(load_settings(config), lambda database: SqlSubscriptions(database, utcnow))


async def _found(store: Opened, wanted: SubscriptionQuery) -> Sequence[Subscription]:
    async with store as orders:
        return await orders.find(wanted)


async def _histories(store: Opened, wanted: SubscriptionQuery) -> list[History]:
    """Return one subscriber's orders, each with its steps."""
    async with store as orders:
        return [
            (one, await orders.history(one.msisdn, (one.system_id, one.service_id)))
            for one in await orders.find(wanted)
        ]


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
        "name": terms.name,
        "port": terms.port,
        "price_fen": terms.price_fen,
        "cycle": terms.cycle,
        "trial_days": terms.trial_days,
        "state": subscription.state,
        "since": subscription.since.isoformat(timespec="seconds"),
        "until": None if due is None else due.isoformat(timespec="seconds"),
        "evidence": {
            "order": _said(proof.order),
            "request": _said(proof.request),
            "confirmation": _said(proof.confirmation),
        },
    }


def _said(said: MessageEvidence | None) -> dict[str, str] | None:
    if said is None:
        return None
    return {
        "message_id": said.message_id,
        "text_sha256": said.text_sha256,
        "at": said.at.isoformat(timespec="seconds"),
    }


def _step(event: SubscriptionEvent) -> dict[str, str]:
    return {**event._asdict(), "at": event.at.isoformat(timespec="seconds")}


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
