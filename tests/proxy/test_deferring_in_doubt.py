"""Messages that wait for their hour, while SPs, the SMSC, the store or the gateway go away."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, time
from pathlib import Path
from typing import Protocol

import pytest

from gateway.app import followers
from gateway.app.gateway import Gateway
from gateway.domain.policy import Enforcement
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.sender import Sender
from gateway.domain.verdict import Action
from gateway.policy.bundle import Bundle, Rule, Title
from gateway.policy.checks.outside_window import OutsideWindow
from gateway.policy.hours import Window, WindowSet
from gateway.storage.database import Database
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.consent.follower import ConsentFollower
from gateway.systems.quarantine.service import QuarantineDesk
from gateway.systems.quarantine.sql import QuarantineStore
from simulators import builders
from simulators.esme import Answer, RawEsme, answer_of
from simulators.smsc import Behaviour, SimulatedSmsc
from simulators.wire import CommandStatus

LogLines = list[dict[str, object]]
BuildSender = Callable[..., Sender]
Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
Reach = Callable[[Gateway, str, HoldState], Awaitable[HeldMessage]]


class Wall(Protocol):
    """The clock of the gateway."""

    def set(self, moment: str) -> None: ...


PORT, DESTINATION = "10690001", "13800138000"
ADVERT = "【示例商城】全场五折，回T退订"
EVENING = "2025-11-25T21:00:00+08:00"
OPENING = "2025-11-26T08:00:00+08:00"
HOURS = Rule(
    "R40",
    Title("", ""),
    "[PR]",
    OutsideWindow(WindowSet((Window(time(8), time(21)),))),
    Enforcement.ENFORCE,
    action=Action.DEFER,
)


class Frail(QuarantineStore):
    """A store that fails when it is told to, and notes whose messages it was asked for."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.holds = self.finds = True
        self.failures = 0
        self.asked: list[set[str]] = []

    async def hold(self, items: Sequence[HeldMessage]) -> None:
        if not self.holds:
            self.failures += 1
            raise StoreUnavailable("no disk")
        await super().hold(items)

    async def take_due(
        self, now: datetime, system_ids: Collection[str], limit: int
    ) -> list[HeldMessage]:
        self.asked.append(set(system_ids))
        if not self.finds:
            self.failures += 1
            raise StoreUnavailable("no disk")
        return await super().take_due(now, system_ids, limit)


@pytest.fixture
def bundle(bundle: Bundle) -> Bundle:
    """The policy of all these tests, with the hours from 8 to 21."""
    return replace(bundle, rules=(*bundle.rules, HOURS))


@pytest.fixture
def frail(stores: Stores, database: Database) -> tuple[Frail, Stores]:
    store = Frail(database)
    return store, replace(stores, quarantine=store)


async def submit(esme: RawEsme, validity: str = "") -> Answer:
    return answer_of(
        await esme.request(
            builders.submit_sm(
                PORT,
                DESTINATION,
                builders.ucs2(ADVERT),
                registered_delivery=1,
                sequence=esme.next_sequence(),
                validity=validity,
            )
        )
    )


@pytest.mark.parametrize(
    ("back_at", "due_at"),
    [
        ("2025-11-26T09:30:00+08:00", None),
        ("2025-11-26T22:00:00+08:00", "2025-11-27T08:00:00+08:00"),
    ],
)
async def test_what_was_due_while_nothing_ran_leaves_at_the_start_or_at_the_next_opening(  # noqa: PLR0913, PLR0917 - two starts on one store
    start: Start,
    attach: Attach,
    reach: Reach,
    wall: Wall,
    tmp_path: Path,
    back_at: str,
    due_at: str | None,
) -> None:
    url = f"sqlite:///{tmp_path / 'smsward.db'}"
    wall.set(EVENING)
    first = await start(store_url=url)
    message_id = (await submit(await attach(first))).message_id
    await first.stop()

    wall.set(back_at)
    second = await start(store_url=url)
    await attach(second)
    if due_at is not None:
        store = second.stores.quarantine
        while (held := await store.get(int(message_id))) is None or held.due_at == first_due():
            await reach(second, message_id, HoldState.DEFERRED)
        assert held.due_at == datetime.fromisoformat(due_at)
        wall.set(due_at)

    await reach(second, message_id, HoldState.RELEASED)


def first_due() -> datetime:
    return datetime.fromisoformat(OPENING)


async def test_a_message_waits_past_its_hour_for_its_sender(  # noqa: PLR0913, PLR0917 - a whole gateway and what happens to it
    start: Start,
    attach: Attach,
    sender: BuildSender,
    smsc: SimulatedSmsc,
    wall: Wall,
    frail: tuple[Frail, Stores],
    until: Until,
    reach: Reach,
) -> None:
    store, stores = frail
    wall.set(EVENING)
    gateway = await start(stores=stores, senders=(sender(), sender(system_id="sp2", ports=())))
    esme = await attach(gateway)
    message_id = (await submit(esme)).message_id
    await esme.unbind()
    await attach(gateway, kind="rx")
    await attach(gateway, "sp2")

    wall.set("2025-11-26T10:00:00+08:00")
    store.asked.clear()
    await until(lambda: len(store.asked) > 2)
    waiting = await store.get(int(message_id))
    await attach(gateway, kind="tx")
    await reach(gateway, message_id, HoldState.RELEASED)

    assert store.asked[:2] == [{"sp2"}] * 2
    assert waiting is not None
    assert (waiting.state, waiting.due_at) == (HoldState.DEFERRED, first_due())
    assert len(smsc.journal) == 1


async def test_what_its_sender_comes_too_late_for_expires_with_a_receipt(
    start: Start, attach: Attach, smsc: SimulatedSmsc, wall: Wall, reach: Reach
) -> None:
    wall.set(EVENING)
    gateway = await start()
    esme = await attach(gateway)
    message_id = (await submit(esme, validity="251126083000032+")).message_id
    await esme.unbind()

    wall.set("2025-11-26T09:00:00+08:00")
    esme = await attach(gateway)
    receipt = await esme.next_pdu()

    await reach(gateway, message_id, HoldState.EXPIRED)
    assert b"stat:EXPIRED" in receipt
    assert smsc.journal == []


async def test_what_expired_while_the_smsc_was_full_is_not_written_any_more(  # noqa: PLR0913, PLR0917 - a whole gateway and what happens to it
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    wall: Wall,
    frail: tuple[Frail, Stores],
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def expire_nothing(_desk: QuarantineDesk, _now: datetime) -> list[HeldMessage]:
        return []

    monkeypatch.setattr(QuarantineDesk, "expire_due", expire_nothing)  # it comes a moment later
    store, stores = frail
    wall.set(EVENING)
    esme = await attach(await start(stores=stores))
    await submit(esme, validity="251126083000032+")
    smsc.behaviour = Behaviour(error_every=1, error_status=CommandStatus.ESME_RTHROTTLED)
    wall.set(OPENING)
    await smsc.received(1)

    wall.set("2025-11-26T08:30:00+08:00")
    smsc.behaviour = Behaviour()
    store.asked.clear()
    await until(lambda: len(store.asked) > 3)

    assert smsc.counters.accepted == 0


async def test_without_a_store_an_advert_by_night_is_refused_and_does_not_pass(
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    wall: Wall,
    frail: tuple[Frail, Stores],
) -> None:
    store, stores = frail
    wall.set(EVENING)
    esme = await attach(await start(stores=stores))
    store.holds = False

    answer = await submit(esme)

    assert answer.command_status == CommandStatus.ESME_RMSGQFUL
    assert store.failures == 1
    assert smsc.journal == []


async def test_a_store_that_cannot_tell_what_is_due_is_asked_again(  # noqa: PLR0913, PLR0917 - a whole gateway and what happens to it
    start: Start,
    attach: Attach,
    wall: Wall,
    frail: tuple[Frail, Stores],
    until: Until,
    reach: Reach,
    log: LogLines,
) -> None:
    store, stores = frail
    wall.set(EVENING)
    gateway = await start(stores=stores)
    message_id = (await submit(await attach(gateway))).message_id
    store.finds = False

    wall.set(OPENING)
    await until(lambda: store.failures > 1)
    store.finds = True
    await reach(gateway, message_id, HoldState.RELEASED)

    assert [line["event"] for line in log if line["event"] == "store.failed"] == ["store.failed"]


async def test_what_was_being_written_when_the_gateway_died_is_not_written_again(
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    wall: Wall,
    reach: Reach,
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'smsward.db'}"
    wall.set(EVENING)
    first = await start(store_url=url)
    esme = await attach(first)
    message_id = (await submit(esme)).message_id
    smsc.behaviour = Behaviour(hold_answers=True)
    wall.set(OPENING)
    await smsc.received(1)
    await first.stop()

    smsc.behaviour = Behaviour()
    second = await start(store_url=url)
    esme = await attach(second)
    await reach(second, message_id, HoldState.IN_DOUBT)
    await submit(esme)

    assert len(smsc.journal) == 2


async def test_while_consent_cannot_be_read_what_is_due_waits(  # noqa: PLR0913, PLR0917 - a whole gateway and what happens to it
    start: Start,
    attach: Attach,
    smsc: SimulatedSmsc,
    wall: Wall,
    reach: Reach,
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wall.set(EVENING)
    gateway = await start()
    message_id = (await submit(await attach(gateway))).message_id
    sets = gateway.plane.rules.knowledge.consent

    async def catch_up(_follower: ConsentFollower) -> int:
        raise StoreUnavailable("no disk")

    with monkeypatch.context() as patch:
        patch.setattr(followers, "_STALE_S", 0.0)
        patch.setattr(ConsentFollower, "catch_up", catch_up)
        await until(lambda: not sets.is_current)
        wall.set(OPENING)
        await reach(gateway, message_id, HoldState.RELEASE_REQUESTED)
        before = list(smsc.journal)
    await reach(gateway, message_id, HoldState.RELEASED)

    assert before == []
    assert len(smsc.journal) == 1
