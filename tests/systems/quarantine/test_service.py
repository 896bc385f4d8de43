"""What people, SPs, time and the gateway may do to a held message."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.quarantine import FINAL_STATES, HeldMessage, HoldState, ReceiptState
from gateway.stores import Stores
from gateway.systems.quarantine.model import Grounds, MessageIds, is_message_id
from gateway.systems.quarantine.service import ActResult, NotDone, Outcome, QuarantineDesk
from gateway.systems.quarantine.sql import QuarantineStore
from tests.memory_stores import memory_stores

Builder: TypeAlias = Callable[..., HeldMessage]


def moved(outcome: Outcome) -> HeldMessage:
    assert isinstance(outcome, ActResult)
    return outcome.message


def refused(outcome: Outcome) -> NotDone:
    assert isinstance(outcome, NotDone)
    return outcome


async def test_a_release_goes_from_the_request_to_the_smscs_own_id(
    desk: QuarantineDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    message = held()
    await stores.quarantine.hold([message])

    asked = moved(await desk.request_release(message.message_id, "zhao", noon))
    begun = moved(await desk.begin_release(message.message_id, noon))
    done = moved(await desk.confirm(message.message_id, "4711", noon))

    assert (asked.state, asked.note) == (HoldState.RELEASE_REQUESTED, "release asked by zhao")
    assert begun.state is HoldState.RELEASING
    assert (done.state, done.smsc_message_id) == (HoldState.RELEASED, "4711")
    assert done.receipt is ReceiptState.NONE


async def test_a_decision_stays_with_who_and_why_whatever_becomes_of_the_message(
    desk: QuarantineDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=number) for number in (1, 2, 3)])
    asked = "release asked by zhao: the bank confirmed it"

    await desk.request_release_each([1, 2], "zhao", noon, "the bank confirmed it")
    gone = moved(await desk.refuse(1, "opted out", noon))
    await desk.begin_release(2, noon)
    postponed = moved(await desk.postpone(2, "the SMSC is full", noon))
    dropped = moved(await desk.discard(2, "qian", noon))
    cancelled = moved(await desk.cancel(3, "shop", noon))

    assert (gone.note, gone.decision) == ("opted out", asked)
    assert (postponed.note, postponed.decision) == ("the SMSC is full", asked)
    assert dropped.decision == dropped.note == "discarded by qian"
    assert (cancelled.note, cancelled.decision) == ("cancelled by shop", "")


async def test_a_discard_owes_the_sender_the_receipt_it_asked_for(
    desk: QuarantineDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    asking, silent = held(message_id=1), held(message_id=2, receipt_asked=False)
    await stores.quarantine.hold([asking, silent])

    first = moved(await desk.discard(1, "zhao", noon))
    second = moved(await desk.discard(2, "zhao", noon))

    assert (first.state, first.receipt) == (HoldState.DISCARDED, ReceiptState.DUE)
    assert (second.state, second.receipt) == (HoldState.DISCARDED, ReceiptState.NONE)
    assert await stores.quarantine.due_receipts(None, 10) == [first]


async def test_what_is_discarded_cannot_be_released_and_the_operator_hears_why(
    desk: QuarantineDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    message = held()
    await stores.quarantine.hold([message])
    await desk.discard(message.message_id, "zhao", noon)

    outcome = refused(await desk.request_release(message.message_id, "qian", noon))

    assert outcome.state is HoldState.DISCARDED
    assert outcome.why == "it was discarded"


async def test_what_waits_for_its_hour_is_dropped_but_not_released_by_a_person(
    desk: QuarantineDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    waiting = held(state=HoldState.DEFERRED, due_at=noon)
    await stores.quarantine.hold([waiting])

    asked = refused(await desk.request_release(waiting.message_id, "zhao", noon))
    dropped = moved(await desk.discard(waiting.message_id, "zhao", noon))

    assert (asked.state, asked.why) == (HoldState.DEFERRED, "it waits for its hour")
    assert (dropped.state, dropped.receipt) == (HoldState.DISCARDED, ReceiptState.DUE)


async def test_what_a_person_released_stays_reviewed_while_it_waits(
    desk: QuarantineDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    message = held()
    opening, end = noon + timedelta(hours=8), noon + timedelta(hours=56)
    grounds = Grounds("OUTSIDE_WINDOW", "R40", "", "outside the hours", "d2", end, opening)
    await stores.quarantine.hold([message])
    await desk.request_release(message.message_id, "zhao", noon)

    waiting = moved(await desk.defer(message.message_id, grounds, "until 08:00", noon))
    (due,) = await stores.quarantine.take_due(opening, {"sp1"}, 10)

    assert (waiting.state, waiting.due_at) == (HoldState.DEFERRED, opening)
    assert (waiting.reason, waiting.expires_at) == ("OUTSIDE_WINDOW", end)
    assert (due.state, due.is_reviewed) == (HoldState.RELEASE_REQUESTED, True)


async def test_what_is_flagged_when_its_hour_comes_waits_for_a_person(
    desk: QuarantineDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    message = held(state=HoldState.DEFERRED, due_at=noon, reason="OUTSIDE_WINDOW")
    end = noon + timedelta(hours=4)
    grounds = Grounds("CONTENT", "K-LOAN", "loan", "低息贷款", "d2", end)
    await stores.quarantine.hold([message])
    await stores.quarantine.take_due(noon, {"sp1"}, 10)

    flagged = moved(await desk.hold(message.message_id, grounds, "CONTENT", noon))

    assert (flagged.state, flagged.reason, flagged.due_at) == (HoldState.HELD, "CONTENT", None)
    assert not flagged.is_reviewed


async def test_an_unknown_id_is_said_to_be_unknown(desk: QuarantineDesk, noon: datetime) -> None:
    outcome = refused(await desk.discard(404, "zhao", noon))

    assert outcome == NotDone(404, None, "there is no such message")


async def test_a_sender_may_cancel_until_the_message_is_being_written(
    desk: QuarantineDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1), held(message_id=2)])
    await desk.request_release(2, "zhao", noon)
    await desk.begin_release(2, noon)

    cancelled = moved(await desk.cancel(1, "sp1", noon))
    too_late = refused(await desk.cancel(2, "sp1", noon))

    assert (cancelled.state, cancelled.receipt) == (HoldState.CANCELLED, ReceiptState.NONE)
    assert too_late.state is HoldState.RELEASING


async def test_only_messages_whose_time_has_come_expire(
    desk: QuarantineDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    over, requested, fresh = (
        held(message_id=1, expires_at=noon),
        held(message_id=2, expires_at=noon),
        held(message_id=3, expires_at=noon + timedelta(seconds=1)),
    )
    await stores.quarantine.hold([over, requested, fresh])
    await desk.request_release(2, "zhao", noon - timedelta(hours=1))

    expired = await desk.expire_due(noon)

    assert [message.message_id for message in expired] == [1, 2]
    assert {message.receipt for message in expired} == {ReceiptState.DUE}
    assert await desk.expire_due(noon) == []


async def test_the_smsc_may_put_off_or_give_back_a_message(
    desk: QuarantineDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1), held(message_id=2)])
    for message_id in (1, 2):
        await desk.request_release(message_id, "zhao", noon)
        await desk.begin_release(message_id, noon)

    later = moved(await desk.postpone(1, "ESME_RTHROTTLED", noon))
    back = moved(await desk.give_back(2, "ESME_RINVDSTADR", noon))

    assert (later.state, later.note) == (HoldState.RELEASE_REQUESTED, "ESME_RTHROTTLED")
    assert (back.state, back.note) == (HoldState.HELD, "ESME_RINVDSTADR")


async def test_a_release_judged_again_and_refused_is_over(
    desk: QuarantineDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1)])
    await desk.request_release(1, "zhao", noon)

    outcome = moved(await desk.refuse(1, "OPTED_OUT", noon))

    assert (outcome.state, outcome.receipt) == (HoldState.REFUSED, ReceiptState.DUE)
    assert isinstance(await desk.begin_release(1, noon), NotDone)


async def test_what_an_earlier_run_was_releasing_is_in_doubt_until_a_person_decides(
    desk: QuarantineDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1), held(message_id=2)])
    await desk.request_release(1, "zhao", noon)
    await desk.begin_release(1, noon)

    lost = await desk.lose_in_flight(noon)

    assert [message.state for message in lost] == [HoldState.IN_DOUBT]
    assert isinstance(await desk.begin_release(1, noon), NotDone)
    assert isinstance(await desk.request_release(1, "qian", noon), ActResult)


async def test_a_late_answer_ends_the_doubt_even_after_a_second_request(
    desk: QuarantineDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1)])
    await desk.request_release(1, "zhao", noon)
    await desk.begin_release(1, noon)
    await desk.lose(1, "no answer", noon)
    await desk.request_release(1, "zhao", noon)

    await desk.confirm(1, "4711", noon)

    assert isinstance(await desk.begin_release(1, noon), NotDone)


async def test_every_move_is_a_change_that_the_running_gateway_sees(
    desk: QuarantineDesk, stores: Stores, held: Builder, noon: datetime
) -> None:
    await stores.quarantine.hold([held(message_id=1)])

    await desk.request_release(1, "zhao", noon)

    (change,) = await stores.changes.changes(0)
    assert (change.kind.value, change.key, change.at) == ("quarantine", "1", noon)


def test_an_id_carries_the_time_it_was_given(desk: QuarantineDesk, noon: datetime) -> None:
    message_id = str(desk.next_id(noon))

    assert is_message_id(message_id)
    assert message_id[1:14] == str(int(noon.timestamp() * 1000))


ACTORS = (
    "zhao releases",
    "qian discards",
    "sp1 cancels",
    "time",
    "the hour",
    "gateway",
    "gateway",
    "smsc",
)
STEPS = st.lists(st.tuples(st.sampled_from(ACTORS), st.integers(0, 3)), max_size=30)


class Town:
    """Several actors at one message; `written` is what the SMSC has and has not answered."""

    def __init__(self, store: QuarantineStore, message: HeldMessage, noon: datetime) -> None:
        self.store = store
        self.desk = QuarantineDesk(self.store, MessageIds(1))
        self.message_id = message.message_id
        self.message = message
        self.noon = noon
        self.written = 0
        self.judged = 0

    async def state(self) -> HoldState:
        held = await self.store.get(self.message_id)
        assert held is not None
        return held.state

    async def act(self, actor: str, choice: int) -> None:
        match actor:
            case "zhao releases":
                await self.desk.request_release(self.message_id, "zhao", self.noon)
            case "qian discards":
                await self.desk.discard(self.message_id, "qian", self.noon)
            case "sp1 cancels":
                await self.desk.cancel(self.message_id, "sp1", self.noon)
            case "time":
                await self.desk.expire_due(self.noon + timedelta(days=choice))
            case "the hour":
                await self.store.take_due(self.noon + timedelta(hours=8), {"sp1"}, 10)
            case "gateway" if choice == 0:
                await self.judge_again()
            case "gateway":
                await self.write()
            case _:
                await self.answer(choice)

    async def judge_again(self) -> None:
        self.judged = (self.judged + 1) % 3
        until = self.noon + timedelta(days=2)
        grounds = Grounds("OUTSIDE_WINDOW", "R40", "", "", "d2", until, self.noon)
        match self.judged:
            case 0:
                await self.desk.refuse(self.message_id, "OPTED_OUT", self.noon)
            case 1:
                await self.desk.defer(self.message_id, grounds, "OUTSIDE_WINDOW", self.noon)
            case _:
                await self.desk.hold(self.message_id, grounds, "CONTENT", self.noon)

    async def write(self) -> None:
        outcome = await self.desk.begin_release(self.message_id, self.noon)
        if isinstance(outcome, ActResult):
            await asyncio.sleep(0)  # others act before the octets are out
            assert await self.state() is HoldState.RELEASING
            assert self.written == 0
            self.written = 1

    async def answer(self, choice: int) -> None:
        if not self.written:
            return  # the SMSC has nothing to answer
        self.written = 0
        match choice:
            case 0:
                await self.desk.confirm(self.message_id, "4711", self.noon)
            case 1:
                await self.desk.postpone(self.message_id, "ESME_RTHROTTLED", self.noon)
            case 2 if self.judged:
                await self.desk.give_back(self.message_id, "ESME_RINVDSTADR", self.noon)
            case 2:
                await self.desk.turn_down(self.message_id, "ESME_RINVDSTADR", self.noon)
            case _:
                await self.desk.lose(self.message_id, "no answer", self.noon)


# An example takes some 50 ms.
@settings(max_examples=25)
@given(steps=STEPS)
def test_whatever_is_done_in_whatever_order_a_message_ends_once(
    held: Builder, noon: datetime, steps: list[tuple[str, int]]
) -> None:
    async def live() -> None:
        async with memory_stores() as stores:
            town = Town(stores.quarantine, held(), noon)
            await town.store.hold([town.message])
            ended: HoldState | None = None
            for actor, choice in steps:
                await town.act(actor, choice)
                state = await town.state()
                assert ended in (None, state)
                if state in FINAL_STATES:
                    ended = state
                    assert town.written == 0

    asyncio.run(live())


@settings(max_examples=25)
@given(first=STEPS, second=STEPS)
def test_actors_at_once_do_not_end_a_message_twice(
    held: Builder,
    noon: datetime,
    first: list[tuple[str, int]],
    second: list[tuple[str, int]],
) -> None:
    async def live() -> None:
        async with memory_stores() as stores:
            town = Town(stores.quarantine, held(), noon)
            await town.store.hold([town.message])
            await asyncio.gather(*(town.act(actor, choice) for actor, choice in first))
            ended = await town.state()
            await asyncio.gather(*(town.act(actor, choice) for actor, choice in second))
            if ended in FINAL_STATES:
                assert await town.state() is ended
                assert town.written == 0

    asyncio.run(live())
