"""What subscribers ordered, on the command line: masked, with proof."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from gateway.domain.subscription import (
    Cycle,
    Event,
    MessageEvidence,
    Subscription,
    SubscriptionAct,
    Terms,
    advance,
)
from gateway.stores import Stores
from gateway.systems.subscriptions.model import Changes, SubscriptionStep

Cli = Callable[..., CompletedProcess[str]]
Command = Callable[..., CompletedProcess[str]]
InStore = Callable[[Callable[[Stores], Awaitable[object] | None]], None]

NUMBER, MSISDN = "13800138000", 8613800138000
NOON = datetime(2013, 11, 25, 12, tzinfo=UTC)
TERMS = Terms("示例商城", "天气", "10690001", 500, Cycle.MONTH)
DIGEST = "5c" * 32


async def order(stores: Stores, system_id: str, *acts: SubscriptionAct) -> None:
    subscription = Subscription(MSISDN, system_id, "weather", TERMS, NOON)
    for act in acts:
        said = MessageEvidence(f"id-{act}", DIGEST, NOON)
        after = advance(subscription, Event(act, said, TERMS, said), NOON)
        assert isinstance(after, Subscription)
        subscription = after
        await stores.subscriptions.keep(Changes((SubscriptionStep(after, act, said),)))


@pytest.fixture
def subscription(cli: Cli, deployment: Path, in_store: InStore) -> Command:
    async def order_two(stores: Stores) -> None:
        await order(stores, "shop", SubscriptionAct.ORDER, SubscriptionAct.CONFIRM)
        await order(stores, "gone", SubscriptionAct.ORDER)

    in_store(order_two)

    def subscription(*arguments: str) -> CompletedProcess[str]:
        return cli("subscription", *arguments, "--config", str(deployment / "config"))

    return subscription


def test_orders_are_listed_with_masked_numbers(subscription: Command) -> None:
    ran = subscription("list")

    assert ran.returncode == 0
    for part in ("138****8000", "shop", "gone", "weather 天气", "5元/月", "active", "pending"):
        assert part in ran.stdout
    assert NUMBER not in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "senders"),
    [
        ((), ["gone", "shop"]),
        (("--number", NUMBER), ["gone", "shop"]),
        (("--number", "13800138001"), []),
        (("--system-id", "shop"), ["shop"]),
        (("--state", "pending"), ["gone"]),
        (("--limit", "1"), ["gone"]),
    ],
)
def test_only_what_was_asked_for_is_listed(
    subscription: Command, arguments: tuple[str, ...], senders: list[str]
) -> None:
    ran = subscription("list", "--json", *arguments)

    assert [one["system_id"] for one in json.loads(ran.stdout)] == senders
    assert NUMBER not in ran.stdout


def test_a_list_that_is_cut_off_says_so(subscription: Command) -> None:
    assert "--limit" in subscription("list", "--limit", "1").stdout


def test_r24_an_order_is_shown_with_all_that_proves_it(subscription: Command) -> None:
    ran = subscription("show", NUMBER, "--system-id", "shop", "--json")

    told = json.loads(ran.stdout)
    (one,) = told["subscriptions"]
    assert told["number"] == "138****8000"
    assert (one["state"], one["price_fen"], one["cycle"]) == ("active", 500, "month")
    assert one["evidence"] == {
        name: {"message_id": said, "text_sha256": DIGEST, "at": "2013-11-25T12:00:00+00:00"}
        for name, said in (
            ("order", "id-order"),
            ("request", "id-order"),
            ("confirmation", "id-confirm"),
        )
    }
    assert [(step["act"], step["state"]) for step in one["steps"]] == [
        ("order", "pending"),
        ("confirm", "active"),
    ]


def test_every_step_is_shown_to_people_too(subscription: Command) -> None:
    ran = subscription("show", NUMBER)

    assert "138****8000 shop weather 天气 5元/月: active" in ran.stdout
    assert "id-confirm" in ran.stdout
    assert "138****8000 gone weather 天气 5元/月: pending" in ran.stdout


def test_who_ordered_nothing_is_told(subscription: Command) -> None:
    assert subscription("show", "13800138001").stdout == "138****8001 has ordered nothing\n"
    assert subscription("list", "--state", "expired").stdout == "no such orders\n"


@pytest.mark.parametrize(
    "arguments", [("list", "--limit", "0"), ("show", "INFO"), ("list", "--number", "INFO")]
)
def test_what_cannot_be_meant_is_a_misuse(
    subscription: Command, arguments: tuple[str, ...]
) -> None:
    assert subscription(*arguments).returncode == 2
