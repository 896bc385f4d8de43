"""Faults of one part that must not become silence, a false alarm, or somebody else's trouble."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import pytest

from gateway.app.gateway import Gateway
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.sender import Sender, SenderState
from gateway.filter.facts import TextFacts
from gateway.filter.scan import ContentScan
from gateway.proxy import hold_writer
from gateway.proxy.routes import Routes
from gateway.runtime.clock import utcnow
from gateway.settings.smscs import Smsc
from gateway.storage.database import Database
from gateway.storage.errors import StoreUnavailable
from gateway.stores import stores_of
from gateway.systems.quarantine.model import MessageIds
from gateway.systems.quarantine.service import QuarantineDesk
from gateway.systems.quarantine.sql import QuarantineStore
from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from simulators.wire import RESPONSE, CommandStatus, c_octets, header_of, pdu, sequence_of

BuildSender = Callable[..., Sender]
Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]
Reach = Callable[[Gateway, str, HoldState], Awaitable[HeldMessage]]
Serve = Callable[[Callable[[bytes], Awaitable[bytes | None]]], Awaitable[Smsc]]

SOURCE, DESTINATION = "10690001", "13800138000"
LOAN, POISON = "低息贷款", "低息贷款，毒"


@pytest.fixture
def poisonous(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the filter fail on every text with one word in it."""
    judge_texts = ContentScan.judge_texts

    def fail_on_poison(self: ContentScan, texts: Sequence[str], **said: bool) -> TextFacts:
        if any("毒" in text for text in texts):
            raise RuntimeError("a fault of ours")
        return judge_texts(self, tuple(texts), **said)

    monkeypatch.setattr(ContentScan, "judge_texts", fail_on_poison)


async def release(gateway: Gateway, message_id: str) -> None:
    desk = QuarantineDesk(gateway.stores.quarantine, MessageIds(worker=99))
    await desk.request_release(int(message_id), "lin", utcnow())


@pytest.mark.usefixtures("poisonous")
async def test_a_text_the_filter_fails_on_is_not_released_and_holds_up_no_other(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, reach: Reach
) -> None:
    esme = await attach(gateway)
    poison = (await esme.submit(SOURCE, DESTINATION, POISON)).message_id
    loan = (await esme.submit(SOURCE, DESTINATION, LOAN)).message_id

    await release(gateway, poison)
    await release(gateway, loan)
    await reach(gateway, loan, HoldState.RELEASED)
    refused = await reach(gateway, poison, HoldState.REFUSED)

    assert "CONTENT_UNCHECKED" in refused.note
    assert [entry.octets for entry in smsc.journal] == [builders.ucs2(LOAN)]
    assert gateway.plane.tally.filter_failures == 1


@pytest.mark.usefixtures("poisonous")
@pytest.mark.parametrize("message_id", ["8" + "1" * 18, None])
async def test_a_replacement_the_filter_fails_on_is_answered_and_changes_nothing(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, reach: Reach, message_id: str | None
) -> None:
    esme = await attach(gateway)
    held = (await esme.submit(SOURCE, DESTINATION, LOAN)).message_id
    octets = builders.replace_sm(message_id or held, SOURCE, builders.ucs2(POISON), sequence=7)

    async with asyncio.timeout(60):
        answer = await esme.request(octets)

    assert header_of(answer).command_status == CommandStatus.ESME_RREPLACEFAIL
    assert builders.ucs2(LOAN) in (await reach(gateway, held, HoldState.HELD)).pdu
    assert smsc.journal == []


async def test_releases_that_wait_for_their_sender_are_not_looked_up_one_by_one(
    start: Start, sender: BuildSender, attach: Attach, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    gateway = await start(senders=(sender(), sender(system_id="sp2", ports=())))
    esme = await attach(gateway)
    held = [(await esme.submit(SOURCE, DESTINATION, LOAN)).message_id for _ in range(30)]
    esme.close()
    await until(lambda: not gateway.sessions.pairs)
    looked_up: list[str] = []
    to_smsc = Routes.to_smsc
    turns = 0

    def counting(self: Routes, system_id: str, *about: str) -> object:
        looked_up.append(system_id)
        return to_smsc(self, system_id, *about)

    monkeypatch.setattr(Routes, "to_smsc", counting)
    original = gateway.stores.changes.changes

    async def turn(after: int, limit: int = 1000) -> object:
        nonlocal turns
        turns += limit > 100  # the quarantine's follower, not that of consent
        return await original(after, limit)

    monkeypatch.setattr(gateway.stores.changes, "changes", turn)
    for message_id in held:
        await release(gateway, message_id)
    released = turns
    await until(lambda: turns >= released + 10)

    assert 0 < len(looked_up) <= turns + 1


class DownOnce(QuarantineStore):
    """A store whose first commit fails."""

    has_failed = False

    async def hold(self, items: Sequence[HeldMessage]) -> None:
        if not self.has_failed:
            self.has_failed = True
            raise StoreUnavailable("no disk")
        await super().hold(items)


async def test_a_store_that_failed_once_does_not_keep_the_traffic_away_for_ever(
    start: Start, attach: Attach, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is not ready gets no traffic, and so nothing that could show it is well again."""
    gateway = await start(stores=replace(stores_of(database), quarantine=DownOnce(database)))
    esme = await attach(gateway)
    assert gateway._standing is not None
    standing = gateway._standing

    refused = await esme.submit(SOURCE, DESTINATION, LOAN)
    at_once = standing.readiness()
    monkeypatch.setattr(hold_writer, "_DOUBT_S", 0.0)
    later = standing.readiness()
    held = await esme.submit(SOURCE, DESTINATION, LOAN)
    monkeypatch.undo()
    now = standing.readiness()

    assert refused.command_status == CommandStatus.ESME_RMSGQFUL
    assert held.is_ok
    assert (at_once.ready, later.ready, now.ready) == (False, True, True)


@pytest.mark.parametrize("is_there", [False, True])
async def test_a_sender_that_is_removed_or_closed_while_its_bind_is_dialled_is_not_bound(
    start: Start, attach: Attach, serve: Serve, until: Until, sender: BuildSender, *, is_there: bool
) -> None:
    dialled, may_answer = asyncio.Event(), asyncio.Event()

    async def say(octets: bytes) -> bytes:
        dialled.set()
        await may_answer.wait()
        return pdu(header_of(octets).command_id | RESPONSE, sequence_of(octets), c_octets("x"))

    gateway = await start(smscs=(await serve(say),))
    esme = await attach(gateway, kind=None)
    binding = asyncio.gather(esme.bind("sp1", "secret", "trx"))
    await dialled.wait()
    rules = gateway.plane.rules
    after = [sender(state=SenderState.SUSPENDED)] if is_there else []
    gateway.tick.pipeline.load(type(rules)(rules.bundle, after, gateway._knowledge, rules))
    gateway.sessions.follow_accounts()
    may_answer.set()

    (status,) = await binding
    assert status == CommandStatus.ESME_RBINDFAIL
    await until(lambda: not gateway.tick.connections)
    assert gateway.session_counts() == {}
    assert gateway.gate.live_binds("sp1") == 0


async def test_a_window_that_changes_while_a_bind_is_dialled_holds_for_it(
    start: Start, attach: Attach, serve: Serve, sender: BuildSender
) -> None:
    dialled, may_answer = asyncio.Event(), asyncio.Event()

    async def say(octets: bytes) -> bytes:
        dialled.set()
        await may_answer.wait()
        return pdu(header_of(octets).command_id | RESPONSE, sequence_of(octets), c_octets("x"))

    gateway = await start(smscs=(await serve(say),))
    esme = await attach(gateway, kind=None)
    binding = asyncio.gather(esme.bind("sp1", "secret", "trx"))
    await dialled.wait()
    rules = gateway.plane.rules
    fewer = [sender(window=7)]
    gateway.tick.pipeline.load(type(rules)(rules.bundle, fewer, gateway._knowledge, rules))
    gateway.sessions.follow_accounts()
    may_answer.set()

    (status,) = await binding
    assert status == CommandStatus.ESME_ROK
    assert [session.window for session in gateway.sessions.pairs] == [7]


async def test_what_is_kept_of_a_session_does_not_tell_its_password(
    gateway: Gateway, attach: Attach
) -> None:
    await attach(gateway)

    (pair,) = gateway.sessions.pairs.values()

    assert b"secret" in pair.bind_pdu
    assert "secret" not in repr(pair)
