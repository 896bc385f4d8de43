"""Long messages that go on whole or not at all (R62, `long_messages: assemble`)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import time, timedelta
from pathlib import Path
from typing import Protocol

import pytest

from gateway.app.gateway import Gateway
from gateway.domain.held_findings import told_items
from gateway.domain.policy import (
    ROLLING_DAY,
    ContentRule,
    CountDimension,
    Enforcement,
    Limit,
    LongMessages,
    RepliesRule,
)
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.verdict import Action
from gateway.policy.bundle import Bundle, Rule, Title
from gateway.policy.check import Check
from gateway.policy.checks.no_optout_hint import NoOptoutHint
from gateway.policy.checks.outside_window import OutsideWindow
from gateway.policy.checks.too_often import TooOften
from gateway.policy.hours import Window, WindowSet
from gateway.proxy import release_follower
from gateway.proxy.release_follower import ReleaseFollower
from gateway.runtime.clock import utcnow
from gateway.storage.database import Database
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.quarantine.model import MessageIds, is_message_id
from gateway.systems.quarantine.service import ActResult, QuarantineDesk
from gateway.systems.quarantine.sql import QuarantineStore
from simulators import builders
from simulators.esme import RawEsme, answer_of
from simulators.smsc import Behaviour, SimulatedSmsc
from simulators.wire import CommandStatus, header_of, read_message

Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Refuse = Callable[[Gateway, int], Awaitable[None]]
Reach = Callable[[Gateway, str, HoldState], Awaitable[HeldMessage]]
LogLines = list[dict[str, object]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]

PORT, DESTINATION, OTHER = "10690001", "13800138000", "13900139000"
ABROAD = "12125550123"
SUBSCRIBER = 8613800138000
FRAUD, LOAN, CLEAN = (
    ("您好，代\u200b", "开发票，再见"),
    ("您好，低息", "贷款，再见"),
    ("您好，", "再见"),
)
MORNING, LATER = "2025-11-25T09:00:00+08:00", "2025-11-25T09:01:01+08:00"


class Wall(Protocol):
    """The clock of the gateway."""

    def set(self, moment: str) -> None: ...


class MoodyQuarantine(QuarantineStore):
    """A store that can be slow, or down."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.is_down = False
        self.commits = 0
        self.may_commit = asyncio.Event()
        self.may_commit.set()
        self.can_move = True

    async def hold(self, items: Sequence[HeldMessage]) -> None:
        self.commits += 1
        await self.may_commit.wait()
        if self.is_down:
            raise StoreUnavailable("no disk")
        await super().hold(items)

    async def parts_of(self, assembly: int) -> list[HeldMessage]:
        if not self.can_move:
            raise StoreUnavailable("no disk")
        return await super().parts_of(assembly)


@pytest.fixture
async def stores(stores: Stores, database: Database) -> Stores:
    """Stores that forget, the quarantine among them moody."""
    return replace(stores, quarantine=MoodyQuarantine(database))


@pytest.fixture
def store(stores: Stores) -> MoodyQuarantine:
    assert isinstance(stores.quarantine, MoodyQuarantine)
    return stores.quarantine


@pytest.fixture
def bundle(bundle: Bundle) -> Bundle:
    """The policy of all these tests."""
    return replace(bundle, content=ContentRule(long_messages=LongMessages.ASSEMBLE))


def rule(rule_id: str, check: Check, action: Action = Action.REJECT) -> Rule:
    return Rule(rule_id, Title("", ""), "[PR]", check, Enforcement.ENFORCE, action=action)


def parts(texts: Sequence[str], reference: int = 7, *, to: str = DESTINATION) -> list[bytes]:
    """Build the parts of a long message, each asking for a receipt."""
    return [
        builders.submit_sm(
            PORT,
            to,
            bytes((5, 0, 3, reference, len(texts), number)) + builders.ucs2(text),
            esm_class=builders.UDH_INDICATOR,
            registered_delivery=1,
        )
        for number, text in enumerate(texts, start=1)
    ]


async def submit(esme: RawEsme, *pdus: bytes) -> list[str]:
    """Submit one after the other; return the ids, all of which are the gateway's."""
    ids = []
    for octets in pdus:
        sequence = esme.next_sequence().to_bytes(4, "big")
        answer = answer_of(await esme.request(octets[:12] + sequence + octets[16:]))
        assert answer.is_ok
        assert is_message_id(answer.message_id)
        ids.append(answer.message_id)
    return ids


def unnumbered(octets: bytes) -> bytes:
    return octets[:12] + octets[16:]


def forwarded(smsc: SimulatedSmsc) -> list[bytes]:
    return [unnumbered(entry.pdu) for entry in smsc.journal]


def desk(gateway: Gateway) -> QuarantineDesk:
    """Return another process's hold on the store: the command line's, say."""
    return QuarantineDesk(gateway.stores.quarantine, MessageIds(worker=99))


async def told(esme: RawEsme, count: int) -> dict[str, str]:
    """Return the stat of the next receipts by the id they are about."""
    found = {}
    for _ in range(count):
        text = read_message(await esme.next_pdu()).octets.decode("ascii")
        fields = dict(word.split(":", 1) for word in text.split() if ":" in word)
        found[fields["id"]] = fields["stat"]
    return found


@dataclass(frozen=True)
class Bound:
    """A gateway, and an SP that is bound to it."""

    gateway: Gateway
    esme: RawEsme
    reach: Reach

    async def all_reached(self, ids: Sequence[str], state: HoldState) -> list[HeldMessage]:
        return [await self.reach(self.gateway, one, state) for one in ids]


@pytest.fixture
async def bound(start: Start, attach: Attach, stores: Stores, reach: Reach) -> Bound:
    gateway = await start(stores=stores)
    return Bound(gateway, await attach(gateway), reach)


async def test_r62_a_word_over_two_parts_second_first_has_one_verdict_and_both_are_refused(
    bound: Bound, smsc: SimulatedSmsc
) -> None:
    first, second = parts(FRAUD)

    ids = await submit(bound.esme, second, first)
    refused = await bound.all_reached(ids, HoldState.REFUSED)
    receipts = await told(bound.esme, 2)

    assert {one.note for one in refused} == {"judged again: CONTENT"}
    assert receipts == dict.fromkeys(ids, "REJECTD")
    assert smsc.journal == []


async def test_r62_a_word_over_two_parts_that_spell_their_number_differently_is_found(
    bound: Bound, smsc: SimulatedSmsc
) -> None:
    first, second = (parts(FRAUD, to=to)[n] for n, to in enumerate((ABROAD, f"+{ABROAD}")))
    national = first.replace(builders.address(ABROAD), builders.address(ABROAD, ton=2))

    ids = await submit(bound.esme, national, second)

    await bound.all_reached(ids, HoldState.REFUSED)
    assert smsc.journal == []


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
async def test_r62_what_is_whole_and_clean_goes_on_as_it_came_in_the_order_of_its_parts(
    bound: Bound, smsc: SimulatedSmsc, order: tuple[int, ...]
) -> None:
    sent = parts(("您好，", "很高兴，", "再见"))

    ids = await submit(bound.esme, *(sent[place] for place in order))
    released = await bound.all_reached(ids, HoldState.RELEASED)

    assert forwarded(smsc) == [unnumbered(octets) for octets in sent]
    by_part = sorted(released, key=lambda one: one.part)
    assert [one.smsc_message_id for one in by_part] == [e.message_id for e in smsc.journal]


async def test_nothing_goes_on_while_a_part_is_missing(bound: Bound, smsc: SimulatedSmsc) -> None:
    first, _ = parts(CLEAN)

    (waiting,) = await bound.all_reached(await submit(bound.esme, first), HoldState.DEFERRED)
    await bound.esme.submit(PORT, DESTINATION, "您好")

    assert (waiting.reason, waiting.part) == ("PARTS_AWAITED", 1)
    assert waiting.assembly == waiting.message_id
    assert [entry.octets for entry in smsc.journal] == [builders.ucs2("您好")]


async def test_receipts_of_the_smsc_come_under_the_ids_that_the_sender_was_given(
    bound: Bound, smsc: SimulatedSmsc
) -> None:
    smsc.behaviour = Behaviour(receipts=True, seed=7)

    ids = await submit(bound.esme, *parts(CLEAN))

    assert await told(bound.esme, 2) == dict.fromkeys(ids, "DELIVRD")


async def test_a_part_is_acknowledged_only_once_it_is_committed(
    bound: Bound, store: MoodyQuarantine, until: Until
) -> None:
    store.may_commit.clear()
    before = len(bound.esme.strays)

    waiting = asyncio.gather(submit(bound.esme, parts(CLEAN)[0]))
    await until(lambda: store.commits == 1)
    await bound.esme.request(builders.enquire_link(900))
    assert not waiting.done()
    store.may_commit.set()

    assert len((await waiting)[0]) == 1
    assert len(bound.esme.strays) == before


async def test_without_a_store_a_part_is_refused_and_may_be_sent_again(
    bound: Bound, store: MoodyQuarantine, smsc: SimulatedSmsc, log: LogLines
) -> None:
    first, second = parts(CLEAN)
    await submit(bound.esme, first)
    store.is_down = True

    status = header_of(await bound.esme.request(second)).command_status
    store.is_down = False
    ids = await submit(bound.esme, second)
    await bound.all_reached(ids, HoldState.RELEASED)

    assert status == CommandStatus.ESME_RMSGQFUL
    assert forwarded(smsc) == [unnumbered(first), unnumbered(second)]
    events = [str(line["event"]) for line in log]
    assert [event for event in events if event.startswith("store.")] == [
        "store.failed",
        "store.recovered",
    ]


async def test_r62_a_set_that_stays_incomplete_is_judged_as_it_is_and_goes_on(
    start: Start, attach: Attach, wall: Wall, reach: Reach, smsc: SimulatedSmsc
) -> None:
    wall.set(MORNING)
    bound = await _bound(start, attach, reach)
    sent = parts(("您好，", "很高兴，", "再见"))

    ids = await submit(bound.esme, sent[2], sent[0])
    wall.set(LATER)
    await bound.all_reached(ids, HoldState.RELEASED)

    assert forwarded(smsc) == [unnumbered(sent[0]), unnumbered(sent[2])]


async def test_r62_a_set_that_stays_incomplete_and_holds_the_word_is_refused(
    start: Start, attach: Attach, wall: Wall, reach: Reach, smsc: SimulatedSmsc
) -> None:
    wall.set(MORNING)
    bound = await _bound(start, attach, reach)

    ids = await submit(bound.esme, *parts((*FRAUD, "再见"))[:2])
    wall.set(LATER)
    await bound.all_reached(ids, HoldState.REFUSED)

    assert smsc.journal == []


async def test_what_only_asks_for_a_person_is_held_as_one_and_released_as_one(
    bound: Bound, smsc: SimulatedSmsc
) -> None:
    sent = parts(LOAN)

    ids = await submit(bound.esme, *sent)
    held = await bound.all_reached(ids, HoldState.HELD)
    outcome = await desk(bound.gateway).request_release(int(ids[1]), "zhao", utcnow())
    await bound.all_reached(ids, HoldState.RELEASED)

    assert {(one.reason, one.rule) for one in held} == {("CONTENT", "K-LOAN")}
    assert isinstance(outcome, ActResult)
    assert [one.message_id for one in outcome.together] == [int(one) for one in ids]
    assert forwarded(smsc) == [unnumbered(octets) for octets in sent]


async def test_what_is_held_once_it_is_whole_tells_all_that_holds_it_and_goes_at_once(
    start: Start, attach: Attach, stores: Stores, reach: Reach, bundle: Bundle, smsc: SimulatedSmsc
) -> None:
    hint = rule("R30", NoOptoutHint(), Action.QUARANTINE)
    policy = replace(bundle, rules=(*bundle.rules, hint))
    gateway = await start(stores=stores, policy=policy)
    both = Bound(gateway, await attach(gateway), reach)

    ids = await submit(both.esme, *parts(("【示例商城】五折，低息", "贷款")))
    first, second = await both.all_reached(ids, HoldState.HELD)
    await desk(gateway).request_release(int(ids[0]), "zhao", utcnow())
    await both.all_reached(ids, HoldState.RELEASED)

    assert first.rule == "R30"
    assert [rule for rule, _ in told_items(first.found)] == ["R30", "K-LOAN"]
    assert (second.found, second.category) == (first.found, "loan")
    assert len(smsc.journal) == 2


async def test_what_is_held_as_one_is_discarded_as_one(bound: Bound, smsc: SimulatedSmsc) -> None:
    ids = await submit(bound.esme, *parts(LOAN))
    await bound.all_reached(ids, HoldState.HELD)

    await desk(bound.gateway).discard(int(ids[0]), "zhao", utcnow())

    await bound.all_reached(ids, HoldState.DISCARDED)
    assert await told(bound.esme, 2) == dict.fromkeys(ids, "REJECTD")
    assert smsc.journal == []


async def test_a_sender_that_cancels_one_part_cancels_all(
    bound: Bound, smsc: SimulatedSmsc
) -> None:
    first, second, third = parts(("您好，", "很高兴，", "再见"))
    ids = await submit(bound.esme, first, second)

    answer = await bound.esme.request(builders.cancel_sm(ids[1], PORT, DESTINATION, sequence=77))
    await bound.all_reached(ids, HoldState.CANCELLED)
    late = await submit(bound.esme, third)
    (refused,) = await bound.all_reached(late, HoldState.REFUSED)

    assert header_of(answer).command_status == 0
    assert refused.note == "its other parts: cancelled"
    assert smsc.journal == []


async def test_r21_a_refusal_that_comes_before_the_last_part_wins(
    bound: Bound, smsc: SimulatedSmsc, refuse: Refuse
) -> None:
    first, second = parts(CLEAN)
    ids = await submit(bound.esme, first)
    await refuse(bound.gateway, SUBSCRIBER)

    ids += await submit(bound.esme, second)
    await bound.all_reached(ids, HoldState.REFUSED)

    assert smsc.journal == []


async def test_r40_a_long_message_waits_for_its_hour_and_leaves_as_one(
    start: Start,
    attach: Attach,
    wall: Wall,
    reach: Reach,
    bundle: Bundle,
    smsc: SimulatedSmsc,
) -> None:
    hours = rule("R40", OutsideWindow(WindowSet((Window(time(8), time(21)),))), Action.DEFER)
    wall.set("2025-11-25T22:00:00+08:00")
    policy = replace(bundle, rules=(*bundle.rules, hours))
    bound = await _bound(start, attach, reach, policy=policy)
    sent = parts(CLEAN)

    ids = await submit(bound.esme, *sent)
    quarantine = bound.gateway.stores.quarantine
    async with asyncio.timeout(60):
        while {one.reason for one in await quarantine.find()} != {"OUTSIDE_WINDOW"}:
            pass
    await bound.all_reached(ids, HoldState.DEFERRED)
    before = list(smsc.journal)
    wall.set("2025-11-26T08:00:00+08:00")
    await bound.all_reached(ids, HoldState.RELEASED)

    assert before == []
    assert forwarded(smsc) == [unnumbered(octets) for octets in sent]


async def test_r42_a_long_message_counts_as_one(
    start: Start, attach: Attach, reach: Reach, bundle: Bundle, smsc: SimulatedSmsc
) -> None:
    often = rule("R42", TooOften((Limit((CountDimension.DESTINATION,), 1, ROLLING_DAY),)))
    policy = replace(bundle, rules=(*bundle.rules, often))
    bound = await _bound(start, attach, reach, policy=policy)

    passed = await submit(bound.esme, *parts(CLEAN, 1))
    await bound.all_reached(passed, HoldState.RELEASED)
    stopped = await submit(bound.esme, *parts(CLEAN, 2))
    await bound.all_reached(stopped, HoldState.REFUSED)

    assert len(smsc.journal) == 2


async def test_r30_the_way_out_may_stand_in_the_last_part(
    start: Start, attach: Attach, reach: Reach, bundle: Bundle, smsc: SimulatedSmsc
) -> None:
    policy = replace(bundle, rules=(*bundle.rules, rule("R30", NoOptoutHint())))
    bound = await _bound(start, attach, reach, policy=policy)

    told_how = await submit(bound.esme, *parts(("全场五折，", "回T退订"), 1))
    silent = await submit(bound.esme, *parts(("全场五折，", "欢迎光临"), 2))
    await bound.all_reached(told_how, HoldState.RELEASED)
    await bound.all_reached(silent, HoldState.REFUSED)

    assert len(smsc.journal) == 2


async def test_a_part_that_contradicts_another_is_kept_for_a_person(bound: Bound) -> None:
    first, second = parts(CLEAN)
    other, _ = parts(("您早，", "再见"))

    ids = await submit(bound.esme, first, other, second)

    held = await bound.all_reached(ids[1:], HoldState.HELD)
    assert {one.reason for one in held} == {"PARTS_CONFLICT"}
    await bound.all_reached(ids[:1], HoldState.DEFERRED)


async def test_a_part_that_claims_to_be_of_two_messages_is_kept_for_a_person(
    bound: Bound,
) -> None:
    octets = bytes((5, 0, 3, 7, 2, 1)) + builders.ucs2("您好")
    tlvs = [(0x020C, b"\0\x09"), (0x020E, b"\2"), (0x020F, b"\1")]
    pdu = builders.submit_sm(PORT, DESTINATION, octets, esm_class=builders.UDH_INDICATOR, tlvs=tlvs)

    ids = await submit(bound.esme, pdu)

    (held,) = await bound.all_reached(ids, HoldState.HELD)
    assert held.reason == "PARTS_CONFLICT"


async def test_a_part_sent_twice_goes_on_twice_beside_itself(
    bound: Bound, smsc: SimulatedSmsc
) -> None:
    first, second = parts(CLEAN)

    ids = await submit(bound.esme, first, first, second)
    await bound.all_reached(ids, HoldState.RELEASED)

    assert forwarded(smsc) == [unnumbered(one) for one in (first, first, second)]


async def test_a_long_message_of_one_part_does_not_wait(bound: Bound, smsc: SimulatedSmsc) -> None:
    (only,) = parts(("您好",))

    answer = answer_of(await bound.esme.request(only))

    assert answer.message_id == smsc.journal[0].message_id


async def test_parts_to_many_are_judged_one_by_one_with_what_waits(
    bound: Bound, smsc: SimulatedSmsc
) -> None:
    first, second = parts(FRAUD)
    octets = builders.submit_multi(
        PORT,
        [DESTINATION],
        bytes((5, 0, 3, 7, 2, 2)) + builders.ucs2(FRAUD[1]),
        esm_class=builders.UDH_INDICATOR,
        sequence=99,
    )
    assert second.endswith(builders.ucs2(FRAUD[1]))
    await submit(bound.esme, first)

    status = header_of(await bound.esme.request(octets)).command_status

    assert status == CommandStatus.ESME_RSUBMITFAIL
    assert smsc.journal == []


async def test_sets_of_one_reference_do_not_mix_between_subscribers(
    bound: Bound, smsc: SimulatedSmsc
) -> None:
    mine, yours = parts(CLEAN), parts(CLEAN, to=OTHER)

    await submit(bound.esme, mine[0], yours[1])
    assert smsc.journal == []
    ids = await submit(bound.esme, yours[0], mine[1])
    await bound.all_reached(ids, HoldState.RELEASED)

    assert sorted(forwarded(smsc)) == sorted(map(unnumbered, (*mine, *yours)))


async def test_a_restart_between_two_parts_loses_nothing_and_sends_nothing_twice(
    start: Start, attach: Attach, reach: Reach, tmp_path: Path, smsc: SimulatedSmsc
) -> None:
    url = f"sqlite:///{tmp_path}/smsward.db"
    first_run = await start(store_url=url)
    sent = parts(CLEAN)
    ids = await submit(await attach(first_run), sent[0])
    await first_run.stop()

    second_run = await start(store_url=url)
    ids += await submit(await attach(second_run), sent[1])
    released = [await reach(second_run, one, HoldState.RELEASED) for one in ids]

    assert {one.assembly for one in released} == {int(ids[0])}
    assert forwarded(smsc) == [unnumbered(octets) for octets in sent]


async def test_what_was_whole_when_the_gateway_died_goes_on_after_the_start(
    start: Start,
    attach: Attach,
    reach: Reach,
    tmp_path: Path,
    smsc: SimulatedSmsc,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = f"sqlite:///{tmp_path}/smsward.db"

    async def dies(_releasing: ReleaseFollower, _assembly: int) -> None:
        """Do nothing any more."""

    with monkeypatch.context() as patch:
        patch.setattr(ReleaseFollower, "release_parts", dies)
        first_run = await start(store_url=url)
        clean, fraud = parts(CLEAN, 1), parts(FRAUD, 2)
        esme = await attach(first_run)
        good, bad = await submit(esme, *clean), await submit(esme, *fraud)
        await first_run.stop()

    second_run = await start(store_url=url)
    await attach(second_run)
    for one in good:
        await reach(second_run, one, HoldState.RELEASED)
    for one in bad:
        await reach(second_run, one, HoldState.REFUSED)

    assert forwarded(smsc) == [unnumbered(octets) for octets in clean]


async def test_parts_that_were_written_when_the_gateway_died_are_all_in_doubt(
    start: Start, attach: Attach, reach: Reach, tmp_path: Path, smsc: SimulatedSmsc
) -> None:
    url = f"sqlite:///{tmp_path}/smsward.db"
    smsc.behaviour = Behaviour(answer_delay_s=60, seed=7)
    first_run = await start(store_url=url)
    sent = parts(CLEAN)
    ids = await submit(await attach(first_run), *sent)
    for one in ids:
        await reach(first_run, one, HoldState.RELEASING)
    await first_run.stop()

    second_run = await start(store_url=url)
    await attach(second_run)

    for one in ids:
        await reach(second_run, one, HoldState.IN_DOUBT)
    assert len(smsc.journal) <= len(sent)


async def test_a_sender_whose_parts_the_smsc_takes_too_slowly_is_told_to_wait(
    bound: Bound, monkeypatch: pytest.MonkeyPatch, smsc: SimulatedSmsc
) -> None:
    monkeypatch.setattr(release_follower, "_AT_ONCE", 2)
    monkeypatch.setattr(release_follower, "_MANY_WAIT", 2)
    smsc.behaviour = Behaviour(answer_delay_s=60, seed=7)
    await submit(bound.esme, *parts(CLEAN, 1))
    await smsc.received(2)  # they have all the room that there is
    await submit(bound.esme, *parts(CLEAN, 2))

    status, reference = 0, 3
    async with asyncio.timeout(60):
        while not status:
            (part, _), reference = parts(CLEAN, reference), reference + 1
            status = header_of(await bound.esme.request(part)).command_status
    answer = await bound.esme.submit(PORT, DESTINATION, LOAN[0] + LOAN[1])

    assert status == CommandStatus.ESME_RMSGQFUL
    assert answer.is_ok
    assert len(smsc.journal) == 2


async def test_r31_the_way_out_that_a_long_message_tells_is_known(
    start: Start, attach: Attach, reach: Reach, bundle: Bundle
) -> None:
    policy = replace(bundle, replies=RepliesRule("已退订", "已恢复"))
    bound = await _bound(start, attach, reach, policy=policy)

    ids = await submit(bound.esme, *parts(("全场五折，回", "R退订")))
    await bound.all_reached(ids, HoldState.RELEASED)

    assert "R" in bound.gateway.plane.hints.of("sp1", "10690001")


async def test_a_part_that_comes_after_its_time_begins_anew(
    start: Start, attach: Attach, wall: Wall, reach: Reach, smsc: SimulatedSmsc
) -> None:
    wall.set(MORNING)
    bound = await _bound(start, attach, reach)
    first, second = parts(CLEAN)
    ids = await submit(bound.esme, first)
    wall.set(LATER)

    ids += await submit(bound.esme, second)
    wall.set("2025-11-25T09:03:00+08:00")
    released = await bound.all_reached(ids, HoldState.RELEASED)

    assert [one.assembly for one in released] == [int(one) for one in ids]
    # Each was released by itself: which comes first is left open.
    assert sorted(forwarded(smsc)) == sorted([unnumbered(first), unnumbered(second)])


async def test_a_part_whose_commit_outlasts_its_time_is_kept_all_the_same(
    start: Start, attach: Attach, wall: Wall, reach: Reach, stores: Stores, until: Until
) -> None:
    wall.set(MORNING)
    gateway = await start(stores=stores)
    bound, store = Bound(gateway, await attach(gateway), reach), stores.quarantine
    assert isinstance(store, MoodyQuarantine)
    store.may_commit.clear()

    slow = asyncio.gather(submit(bound.esme, parts(CLEAN, 1)[0]))
    await until(lambda: store.commits == 1)
    wall.set(LATER)
    late = asyncio.gather(submit(bound.esme, parts(CLEAN, 2)[0]))
    await until(lambda: store.commits == 2)
    store.may_commit.set()

    await bound.all_reached((await slow)[0], HoldState.RELEASED)
    await bound.all_reached((await late)[0], HoldState.DEFERRED)


@pytest.mark.parametrize(
    ("texts", "end"),
    [
        ((*FRAUD, "再见"), HoldState.REFUSED),
        (("您好，", "很高兴，", "再见"), HoldState.RELEASED),
        ((*LOAN, "再见"), HoldState.HELD),
    ],
)
async def test_r62_a_part_that_is_too_late_shares_what_became_of_the_others(  # noqa: PLR0913, PLR0917 - a gateway with a clock and a store
    start: Start,
    attach: Attach,
    wall: Wall,
    reach: Reach,
    stores: Stores,
    until: Until,
    texts: tuple[str, ...],
    end: HoldState,
) -> None:
    wall.set(MORNING)
    gateway = await start(stores=stores)
    bound, store = Bound(gateway, await attach(gateway), reach), stores.quarantine
    assert isinstance(store, MoodyQuarantine)
    first, second, third = parts(texts)
    ids = await submit(bound.esme, first, second)
    store.may_commit.clear()

    late = asyncio.gather(submit(bound.esme, third))
    await until(lambda: store.commits == 3)
    wall.set(LATER)
    before = await bound.all_reached(ids, end)
    store.may_commit.set()
    (after,) = await bound.all_reached((await late)[0], end)

    assert after.assembly == before[0].assembly


async def test_what_is_whole_while_the_store_fails_leaves_when_its_time_is_over(  # noqa: PLR0913, PLR0917 - a gateway with a clock and a store
    start: Start,
    attach: Attach,
    wall: Wall,
    reach: Reach,
    stores: Stores,
    until: Until,
    smsc: SimulatedSmsc,
    log: LogLines,
) -> None:
    wall.set(MORNING)
    gateway = await start(stores=stores)
    bound, store = Bound(gateway, await attach(gateway), reach), stores.quarantine
    assert isinstance(store, MoodyQuarantine)
    store.can_move = False
    sent = parts(CLEAN)

    ids = await submit(bound.esme, *sent)
    await until(lambda: any(line["event"] == "store.failed" for line in log))
    store.can_move = True
    await bound.all_reached(ids, HoldState.DEFERRED)
    wall.set(LATER)
    await bound.all_reached(ids, HoldState.RELEASED)

    assert forwarded(smsc) == [unnumbered(octets) for octets in sent]


@pytest.mark.parametrize(
    "pdu",
    [
        builders.submit_sm(PORT, DESTINATION, builders.ucs2("您好")),
        builders.submit_sm(PORT, DESTINATION, b"\x09", esm_class=builders.UDH_INDICATOR),
    ],
)
async def test_what_is_no_part_any_more_does_not_keep_the_gateway_from_starting(
    start: Start, attach: Attach, reach: Reach, stores: Stores, pdu: bytes
) -> None:
    message_id = 8_1764072000000_01_000
    odd = HeldMessage(
        message_id=message_id,
        system_id="sp1",
        source=PORT,
        destination=DESTINATION,
        pdu=pdu,
        reason="PARTS_AWAITED",
        rule="PARTS",
        category="",
        evidence="",
        digest="0123456789ab",
        receipt_asked=False,
        held_at=utcnow(),
        expires_at=utcnow() + timedelta(hours=1),
        state=HoldState.DEFERRED,
        due_at=utcnow() + timedelta(hours=1),
        assembly=message_id,
        part=1,
    )
    await stores.quarantine.hold([odd])

    bound = Bound(gateway := await start(stores=stores), await attach(gateway), reach)

    await bound.all_reached([str(message_id)], HoldState.DEFERRED)


async def _bound(
    start: Start, attach: Attach, reach: Reach, *, policy: Bundle | None = None
) -> Bound:
    gateway = await start() if policy is None else await start(policy=policy)
    return Bound(gateway, await attach(gateway), reach)
