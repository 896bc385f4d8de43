"""Subscribers write faster than the store hears them: nobody takes the others' places."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime

import pytest

from gateway.app.gateway import Gateway
from gateway.domain.consent import Answer, ConsentAnswer
from gateway.domain.policy import RepliesRule
from gateway.policy.bundle import Bundle
from gateway.proxy import replies
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.subscriptions.model import SubscriberRecords
from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]

PORT, LOUD, OTHER = "10690001", "13800138000", "13900139000"
TRY_LATER = 0x64


@pytest.fixture
def hearing(bundle: Bundle) -> Bundle:
    """A policy under which replies are heard."""
    return replace(bundle, replies=RepliesRule("您已退订", "您已恢复"))


class Door:
    """Keeps whoever looks into the store waiting until it is opened."""

    def __init__(self, stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waiting = 0
        self._open = asyncio.Event()
        self._known = stores.subscriptions.known
        monkeypatch.setattr(stores.subscriptions, "known", self._wait)

    async def _wait(self, msisdn: int, port: str, at: datetime) -> SubscriberRecords:
        self.waiting += 1
        await self._open.wait()
        return await self._known(msisdn, port, at)

    def open(self) -> None:
        self._open.set()


async def say(smsc: SimulatedSmsc, who: str, text: str) -> int:
    return await smsc.deliver("sp1", who, PORT, text.encode("utf-16-be"), data_coding=8)


def insist(smsc: SimulatedSmsc, times: int, text: str = "0000") -> None:
    """Let one subscriber write the same so many times in one breath."""
    for number in range(times):
        octets = builders.ucs2(text)
        smsc.inject("sp1", builders.deliver_sm(LOUD, PORT, octets, sequence=90 + number))


async def test_one_subscriber_leaves_the_others_their_places(
    start: Start,
    hearing: Bundle,
    attach: Attach,
    smsc: SimulatedSmsc,
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replies, "_MAX_AT_ONCE", 12)
    gateway = await start(policy=hearing)
    stores = gateway.stores
    await attach(gateway)
    door = Door(stores, monkeypatch)

    insist(smsc, 30)
    await until(lambda: gateway.plane.tally.replies_put_back == 22)
    async with asyncio.TaskGroup() as group:
        listing = group.create_task(say(smsc, OTHER, "0000"))
        await until(lambda: door.waiting == 2)  # the loud one's take turns
        door.open()

    assert listing.result() == 0
    await until(lambda: len(smsc.journal) == 9)
    assert await say(smsc, LOUD, "0000") == 0


async def test_where_no_refusal_can_be_kept_the_smsc_keeps_it_and_none_is_lost(
    start: Start,
    hearing: Bundle,
    attach: Attach,
    smsc: SimulatedSmsc,
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replies, "_MAX_UNKEPT", 2)
    gateway = await start(policy=hearing)
    stores = gateway.stores
    esme = await attach(gateway)

    failed: set[int] = set()

    async def fail(answers: Sequence[ConsentAnswer]) -> int:
        failed.update(answer.msisdn for answer in answers)
        raise StoreUnavailable("disk full")

    async def answer_of(number: int) -> ConsentAnswer | None:
        return await stores.consent.answer_of(8613000000000 + number, "sp1")

    with monkeypatch.context() as failing:
        failing.setattr(stores.consent, "record", fail)
        for number in range(2):
            assert await say(smsc, str(13000000000 + number), "TD") == TRY_LATER
        sets = gateway._knowledge.consent
        await until(lambda: len(failed) == 2)
        put_back = [await say(smsc, str(13000000002 + number), "TD") for number in range(2)]
        agreed = await say(smsc, OTHER, "HF")

        assert put_back == [TRY_LATER, TRY_LATER]
        assert sets.is_refused("sp1", 8613000000003)  # it holds, kept or not
        assert agreed == 0  # the SP may hear it: who agrees may do so again
    tally = gateway.plane.tally
    assert (tally.replies_put_back, tally.replies_unheard) == (2, 1)
    assert esme.pdus().qsize() == 1

    await until(lambda: len(smsc.journal) == 2)  # what was kept in here is in the store now
    for number in range(4):
        assert await say(smsc, str(13000000000 + number), "TD") == 0
    await until(lambda: len(smsc.journal) == 4)
    answers = [await answer_of(number) for number in range(4)]
    assert [one.answer for one in answers if one is not None] == [Answer.REFUSED] * 4
