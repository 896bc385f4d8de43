"""Several processes at one store: each step is taken once, whoever takes it."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Protocol

import pytest

from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.subscriptions.dialogue import WordOutcome
from gateway.systems.subscriptions.model import Changes, ConsentRequest
from gateway.systems.subscriptions.service import SubscriptionDesk

SUBSCRIBER = 8613800138000


class Talk(Protocol):
    stores: Stores
    desk: SubscriptionDesk
    now: datetime
    say: Callable[..., Awaitable[WordOutcome]]
    states: Callable[[], Awaitable[dict[str, str]]]
    wait: Callable[[timedelta], Awaitable[int]]


Keep = Callable[[Changes], Awaitable[bool]]


@pytest.fixture
def keep_after(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[Keep], Awaitable[None]]], None]:
    """Let something happen in another process just before changes are kept, once."""

    def arrange(meanwhile: Callable[[Keep], Awaitable[None]]) -> None:
        keep: Keep = talk.stores.subscriptions.keep
        waiting = [meanwhile]

        async def late(changes: Changes) -> bool:
            if waiting:
                await waiting.pop()(keep)
            return await keep(changes)

        monkeypatch.setattr(talk.stores.subscriptions, "keep", late)

    return arrange


async def test_what_another_process_changed_meanwhile_is_looked_at_again(
    talk: Talk, keep_after: Callable[[Callable[[Keep], Awaitable[None]]], None]
) -> None:
    await talk.say("DY天气")

    async def say_no(_keep: Keep) -> None:
        await talk.say("否")

    keep_after(say_no)
    outcome = await talk.say("是")

    assert outcome == WordOutcome()
    assert await talk.states() == {"天气": "withdrawn"}


async def test_who_never_gets_a_turn_at_the_store_gives_up(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def keep(_changes: Changes) -> bool:
        return False

    monkeypatch.setattr(talk.stores.subscriptions, "keep", keep)

    with pytest.raises(StoreUnavailable):
        await talk.say("DY天气")


async def test_r24_of_two_sweeps_one_withdraws(
    talk: Talk, keep_after: Callable[[Callable[[Keep], Awaitable[None]]], None]
) -> None:
    await talk.say("DY天气")

    async def sweep(_keep: Keep) -> None:
        assert await talk.desk.sweep(talk.now) == 1

    keep_after(sweep)

    assert await talk.wait(timedelta(days=1)) == 0
    assert await talk.states() == {"天气": "withdrawn"}


async def test_r23_of_two_requests_at_once_one_is_sent(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def none_yet(*_asked: object) -> list[ConsentRequest]:
        return []

    monkeypatch.setattr(talk.stores.subscriptions, "requests_of", none_yet)

    sent = [
        await talk.desk.asked("sp1", SUBSCRIBER, "同意每月接收两条优惠吗", talk.now)
        for _ in range(2)
    ]

    assert sent == [True, False]


async def test_sessions_that_are_over_are_forgotten(talk: Talk) -> None:
    await talk.say("DY天气")
    await talk.say("是")
    await talk.say("0000")

    assert await talk.desk.forget_sessions(talk.now) == 0
    assert await talk.desk.forget_sessions(talk.now + timedelta(days=1)) == 1
