"""What people let go: written once, in its turn."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from gateway.app.gateway import Gateway
from gateway.domain.quarantine import HeldMessage, HoldState
from gateway.domain.sender import Sender
from gateway.runtime.clock import utcnow
from gateway.systems.quarantine.decisions import UNDO_FOR, ReviewDesk
from gateway.systems.quarantine.model import NewReview, PersonDecision, ReviewDecision
from gateway.systems.quarantine.service import ActResult, NotDone
from simulators import builders
from simulators.esme import RawEsme, answer_of
from simulators.smsc import SimulatedSmsc
from tests.proxy.people import (
    DESTINATION,
    LOAN,
    SOURCE,
    desk,
    hold,
    release,
)

BuildSender = Callable[..., Sender]
Start = Callable[..., Awaitable[Gateway]]
Attach = Callable[..., Awaitable[RawEsme]]
Reach = Callable[[Gateway, str, HoldState], Awaitable[HeldMessage]]


async def test_a_released_message_reaches_the_smsc_once_and_as_it_was_sent(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, reach: Reach
) -> None:
    esme = await attach(gateway)
    sent = builders.submit_sm(
        SOURCE,
        DESTINATION,
        builders.ucs2(LOAN),
        tlvs=[(0x1401, b"\xff\x00"), (0x1401, b"")],
        service_type="WAP",
        sequence=77,
    )
    message_id = answer_of(await esme.request(sent)).message_id
    assert smsc.journal == []

    await release(gateway, message_id)
    held = await reach(gateway, message_id, HoldState.RELEASED)

    (entry,) = smsc.journal
    assert entry.pdu[:12] + entry.pdu[16:] == sent[:12] + sent[16:]
    assert held.smsc_message_id == entry.message_id
    assert esme.strays == []


async def test_nothing_is_released_twice(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, reach: Reach
) -> None:
    esme = await attach(gateway)
    message_id = await hold(esme)
    people = desk(gateway)

    asked = await asyncio.gather(
        *(people.request_release(int(message_id), "lin", utcnow()) for _ in range(3))
    )
    await reach(gateway, message_id, HoldState.RELEASED)
    again = await people.request_release(int(message_id), "lin", utcnow())
    await esme.submit(SOURCE, DESTINATION, "您好")

    assert [type(outcome) for outcome in asked].count(ActResult) == 1
    assert isinstance(again, NotDone)
    assert len(smsc.journal) == 2


async def test_a_release_waits_for_its_sender_to_bind(
    start: Start, attach: Attach, smsc: SimulatedSmsc, sender: BuildSender, reach: Reach
) -> None:
    gateway = await start(senders=(sender(), sender(system_id="sp2", ports=())))
    esme = await attach(gateway)
    message_id = await hold(esme)
    await esme.unbind()
    await attach(gateway, "sp2")
    await release(gateway, message_id)
    await reach(gateway, message_id, HoldState.RELEASE_REQUESTED)

    await attach(gateway, kind="rx")
    await attach(gateway, kind="tx")
    await reach(gateway, message_id, HoldState.RELEASED)

    (entry,) = smsc.journal
    assert entry.system_id == "sp1"


async def test_a_release_asked_for_while_nothing_ran_is_made_up_for(
    start: Start, attach: Attach, smsc: SimulatedSmsc, reach: Reach, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'smsward.db'}"
    first = await start(store_url=url)
    esme = await attach(first)
    message_id = await hold(esme)
    await esme.unbind()
    await release(first, message_id)
    await first.stop()

    second = await start(store_url=url)
    await attach(second)
    await reach(second, message_id, HoldState.RELEASED)

    assert len(smsc.journal) == 1


async def test_a_decision_that_can_be_undone_no_more_reaches_the_smsc_and_one_undone_does_not(
    gateway: Gateway, attach: Attach, smsc: SimulatedSmsc, reach: Reach
) -> None:
    esme = await attach(gateway)
    kept, undone, waiting = [await hold(esme) for _ in range(3)]
    reviews = ReviewDesk(gateway.stores.reviews, str)
    ago = utcnow() - UNDO_FOR
    made = {
        one: await reviews.decide(NewReview(int(one), PersonDecision.RELEASED, "lin"), at)
        for one, at in ((undone, utcnow()), (waiting, utcnow()))
    }
    decision = made[undone]
    assert isinstance(decision, ReviewDecision)
    assert isinstance(await reviews.undo(decision.number, "lin", utcnow()), ReviewDecision)

    await reviews.decide(NewReview(int(kept), PersonDecision.RELEASED, "lin"), ago)
    released = await reach(gateway, kept, HoldState.RELEASED)

    assert released.decision == "release asked by lin"
    assert len(smsc.journal) == 1
    states = {one.message_id: one.state for one in await gateway.stores.quarantine.find()}
    assert (states[int(undone)], states[int(waiting)]) == (HoldState.HELD, HoldState.HELD)
