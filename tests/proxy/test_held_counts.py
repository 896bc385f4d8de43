"""One SP cannot fill the quarantine for the others, and gets its room back as messages end."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.app.gateway import Gateway
from gateway.domain.quarantine import FINAL_STATES, ROW_OCTETS, HeldMessage, HoldState
from gateway.domain.sender import Sender
from gateway.proxy.hold_writer import HeldCounts
from gateway.runtime.clock import utcnow
from gateway.settings.gateway import Limits
from gateway.storage.errors import StoreUnavailable
from gateway.stores import Stores
from gateway.systems.quarantine.model import HeldTotals, MessageIds
from gateway.systems.quarantine.service import ActResult, QuarantineDesk
from simulators import builders
from simulators.esme import RawEsme
from simulators.smsc import SimulatedSmsc
from simulators.wire import CommandStatus, header_of

BuildSender = Callable[..., Sender]
Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Until = Callable[[Callable[[], bool]], Awaitable[None]]

SOURCE, DESTINATION = "10690001", "13800138000"
LOAN = "低息贷款，当天到账"
FULL = CommandStatus.ESME_RMSGQFUL
TWO = Limits(held_per_sender=2)
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def held(message_id: int, state: HoldState, system_id: str = "sp1") -> HeldMessage:
    return HeldMessage(
        message_id=message_id,
        system_id=system_id,
        source=SOURCE,
        destination=DESTINATION,
        pdu=b"",
        reason="CONTENT",
        rule="K-LOAN",
        category="loan",
        evidence="",
        digest="",
        receipt_asked=False,
        held_at=NOON,
        expires_at=NOON + timedelta(days=1),
        state=state,
    )


def desk(gateway: Gateway) -> QuarantineDesk:
    """Return another process's hold on the store: the command line's, say."""
    return QuarantineDesk(gateway.stores.quarantine, MessageIds(worker=99))


async def submit(esme: RawEsme) -> tuple[int, str]:
    answer = await esme.submit(SOURCE, DESTINATION, LOAN)
    return answer.command_status, answer.message_id


async def test_an_sp_whose_share_is_full_is_refused_and_the_others_are_not(
    start: Start, attach: Attach, sender: BuildSender
) -> None:
    other = sender(system_id="sp2", ports=sender().ports)
    gateway = await start(senders=(sender(), other), limits=TWO)
    first, second = await attach(gateway), await attach(gateway, "sp2")

    told = [(await submit(first))[0] for _ in range(4)]
    others = [(await submit(second))[0] for _ in range(2)]
    clean = await first.submit(SOURCE, DESTINATION, "您好")

    assert told == [0, 0, FULL, FULL]
    assert others == [0, 0]
    assert clean.is_ok


async def test_what_people_discard_or_let_go_makes_room(
    start: Start, attach: Attach, smsc: SimulatedSmsc, until: Until
) -> None:
    gateway = await start(limits=TWO)
    esme = await attach(gateway)
    (_, released), (_, discarded) = await submit(esme), await submit(esme)
    assert (await submit(esme))[0] == FULL

    outcomes = [
        await desk(gateway).request_release(int(released), "lin", utcnow()),
        await desk(gateway).discard(int(discarded), "lin", utcnow()),
    ]
    counts = gateway._held_counts
    await until(lambda: counts.of("sp1") == 0)

    assert all(isinstance(outcome, ActResult) for outcome in outcomes)
    assert [(await submit(esme))[0] for _ in range(3)] == [0, 0, FULL]
    assert len(smsc.journal) == 1


async def test_after_a_restart_what_waits_counts_on(
    start: Start, attach: Attach, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'smsward.db'}"
    first = await start(store_url=url, limits=TWO)
    esme = await attach(first)
    (_, discarded), (status, _) = await submit(esme), await submit(esme)
    assert isinstance(await desk(first).discard(int(discarded), "lin", utcnow()), ActResult)
    assert status == 0
    await esme.unbind()
    await first.stop()

    second = await start(store_url=url, limits=TWO)
    again = await attach(second)

    assert [(await submit(again))[0] for _ in range(2)] == [0, FULL]


async def test_what_could_not_be_held_takes_no_room(
    start: Start, attach: Attach, monkeypatch: pytest.MonkeyPatch, stores: Stores
) -> None:
    gateway = await start(stores=stores, limits=TWO)
    esme = await attach(gateway)

    async def fail(*_items: object) -> None:
        raise StoreUnavailable("disk full")

    with monkeypatch.context() as failing:
        failing.setattr(stores.quarantine, "hold", fail)
        refused = [(await submit(esme))[0] for _ in range(3)]

    assert refused == [FULL] * 3
    assert [(await submit(esme))[0] for _ in range(3)] == [0, 0, FULL]


def test_a_message_that_ended_counts_off_once_however_many_changes_speak_of_it() -> None:
    counts = HeldCounts(HeldTotals(10, 10_000))
    counts.begin({"sp1": HeldTotals(3, 3 * ROW_OCTETS)})
    over = held(1, HoldState.RELEASED)

    counts.follow([over], is_all=True)
    counts.follow([over], is_all=False)
    counts.follow([over], is_all=True)

    assert counts.of("sp1") == 2
    assert counts.octets() == {"sp1": 2 * ROW_OCTETS}


# A step is one change of a message, or a look at what changed: so many changes at most.
steps = st.lists(
    st.one_of(
        st.tuples(st.integers(1, 6), st.sampled_from(sorted(set(HoldState)))),
        st.integers(1, 3),
    ),
    max_size=60,
)


@given(steps)
def test_whoever_looks_late_counts_what_is_there_in_the_end(
    steps: list[tuple[int, HoldState] | int],
) -> None:
    counts = HeldCounts(HeldTotals(10, 10_000))
    counts.begin({"sp1": HeldTotals(6, 6 * ROW_OCTETS)})
    states = dict.fromkeys(range(1, 7), HoldState.HELD)
    changes: list[int] = []

    def look(limit: int) -> None:
        page = set(changes[:limit])
        is_all = len(changes[:limit]) < limit
        del changes[:limit]
        counts.follow([held(one, states[one]) for one in sorted(page)], is_all=is_all)

    for step in (*steps, *[2] * 60):
        if isinstance(step, int):
            look(step)
        elif states[step[0]] not in FINAL_STATES:
            states[step[0]] = step[1]
            changes.append(step[0])

    left = sum(state not in FINAL_STATES for state in states.values())
    assert counts.of("sp1") == left
    assert counts.octets().get("sp1", 0) == left * ROW_OCTETS


def test_octets_fill_the_share_of_an_sp_before_its_messages_do() -> None:
    counts = HeldCounts(HeldTotals(10, 1_000))

    counts.add("sp1", 900)

    assert counts.has_room("sp1", 100)
    assert not counts.has_room("sp1", 101)
    assert counts.has_room("sp2", 1_000)
    counts.take_back("sp1", 900)
    assert counts.has_room("sp1", 1_000)
    assert counts.added == {"sp1": 900}


async def test_an_sp_whose_octets_are_full_is_refused_until_people_make_room(
    start: Start, attach: Attach, until: Until
) -> None:
    gateway = await start(limits=Limits(held_octets_per_sender=3 * ROW_OCTETS))
    esme = await attach(gateway)

    told = [await submit(esme) for _ in range(3)]
    assert [status for status, _ in told] == [0, 0, FULL]
    await desk(gateway).discard(int(told[0][1]), "lin", utcnow())
    await until(lambda: gateway._held_counts.of("sp1") == 1)

    assert [(await submit(esme))[0] for _ in range(2)] == [0, FULL]


async def test_replacing_the_text_of_a_held_message_takes_room_as_well(
    start: Start, attach: Attach
) -> None:
    gateway = await start(limits=Limits(held_octets_per_sender=2 * ROW_OCTETS))
    esme = await attach(gateway)
    _, message_id = await submit(esme)
    before = gateway._held_counts.octets()["sp1"]

    longer, shorter = (
        builders.replace_sm(message_id, SOURCE, builders.ucs2("您好" * length), sequence=length)
        for length in (60, 1)
    )
    told = [header_of(await esme.request(longer)).command_status]
    once = gateway._held_counts.octets()["sp1"]
    told.append(header_of(await esme.request(shorter)).command_status)

    held = await gateway.stores.quarantine.get(int(message_id))
    assert held is not None
    assert told == [0, 0]
    assert before < once <= 2 * ROW_OCTETS
    assert gateway._held_counts.octets() == {"sp1": held.octets}
