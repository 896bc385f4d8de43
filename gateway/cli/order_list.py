"""The work of `smsward subscription`: orders and their history, looked up."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from gateway.cli.failure import ExitCode, misused
from gateway.cli.known_sender import require_sender
from gateway.cli.options import OrderFilter
from gateway.cli.screen import print_json, print_table, say
from gateway.cli.storage import opened_store
from gateway.cli.subscriber import subscriber_of
from gateway.domain.msisdn import masked
from gateway.domain.subscription import MessageEvidence, Subscription
from gateway.ports.subscriptions import SubscriptionEvent, SubscriptionQuery
from gateway.settings.gateway import GatewaySettings
from gateway.systems.subscriptions.texts import price_of

_MAX_LISTED = 10_000
_COLUMNS = ("subscriber", "SP", "service", "price", "state", "since (UTC)", "until (UTC)")
_STEPS = ("at (UTC)", "step", "then", "message", "SHA-256 of the text")


async def print_orders(
    settings: GatewaySettings, orders: OrderFilter, config: Path | None, *, as_json: bool
) -> int:
    """Print the orders that are asked for; return the exit code."""
    if not 1 <= orders.limit <= _MAX_LISTED:
        raise misused(f"--limit: 1 to {_MAX_LISTED}")
    wanted = SubscriptionQuery(
        msisdn=None if orders.number is None else subscriber_of(orders.number),
        system_id=orders.system_id,
        state=orders.state,
        limit=orders.limit,
    )
    async with opened_store(settings) as stores:
        found = await stores.subscriptions.find(wanted)
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


async def print_histories(
    settings: GatewaySettings,
    number: str,
    system_id: str | None,
    config: Path | None,
    *,
    as_json: bool,
) -> int:
    """Print each order of one subscriber with all its steps; return the exit code."""
    msisdn = subscriber_of(number)
    async with opened_store(settings) as stores:
        store = stores.subscriptions
        found = await store.find(SubscriptionQuery(msisdn, system_id, limit=_MAX_LISTED))
        histories = [await store.history(msisdn, (one.system_id, one.service_id)) for one in found]
    if not found:
        require_sender(system_id, config)
    if as_json:
        described = [
            {**_described(one), "steps": [_step(event) for event in history]}
            for one, history in zip(found, histories, strict=True)
        ]
        print_json({"number": masked(msisdn), "subscriptions": described})
    elif found:
        for one, history in zip(found, histories, strict=True):
            _print_history(one, history)
    else:
        say(f"{masked(msisdn)} has ordered nothing")
    return ExitCode.FINE


def _print_history(subscription: Subscription, history: Sequence[SubscriptionEvent]) -> None:
    terms = subscription.terms
    what = f"{subscription.system_id} {subscription.service_id} {terms.name} {price_of(terms)}"
    title = f"{masked(subscription.msisdn)} {what}: {subscription.state}"
    rows = (
        (_time(event.at), event.act, event.state, event.message_id, event.text_sha256)
        for event in history
    )
    print_table(_STEPS, rows, title=title)


def _row(subscription: Subscription) -> tuple[str, ...]:
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
