"""How many PDUs that are neither judged nor relayed an SP may send."""

import pytest

from gateway.dataplane.attention import FramingFault, Wait
from gateway.dataplane.link import Link
from gateway.dataplane.relay import (
    CONTROLS_AT_ONCE,
    CONTROLS_PER_S,
    CONTROLS_UNBOUND,
    control_wait_s,
)
from gateway.session.operations import SessionState, Side
from gateway.smpp.commands import CommandId
from gateway.smpp.pdu import HEADER, enquire_link_resp, make
from simulators import builders
from tests.dataplane.conftest import World, advert, header, sent, smsc, up

ENQUIRY = builders.enquire_link(5)
UNKNOWN = HEADER.pack(16, 0x777, 0, 5)
STRAY = make(CommandId.DELIVER_SM_RESP, 77, message_id=b"")


def unbound(world: World, state: SessionState = SessionState.OPEN) -> Link:
    link = Link(99, Side.ESME, 10, world.now)
    link.state = state
    return link


@pytest.mark.parametrize("state", [SessionState.OPEN, SessionState.BINDING])
@pytest.mark.parametrize(
    ("pdu", "answers"),
    [(ENQUIRY, 1), (UNKNOWN, 1), (STRAY, 0), (enquire_link_resp(1), 0)],
)
def test_a_connection_that_never_binds_is_closed_after_twenty_control_pdus(
    world: World, state: SessionState, pdu: bytes, answers: int
) -> None:
    link = unbound(world, state)

    batch = world.submit(link, *[pdu] * 1000)

    assert len(sent(batch, link)) == CONTROLS_UNBOUND * answers
    assert link.state is SessionState.CLOSED
    assert batch.attention == [FramingFault(link, "20 control PDUs and no bind")]
    assert world.plane.tally.stray <= CONTROLS_UNBOUND  # the rest was not even looked at


def test_what_comes_of_a_closed_connection_is_not_looked_at(world: World) -> None:
    link = unbound(world, SessionState.CLOSED)

    batch = world.submit(link, *[ENQUIRY] * 1000)

    assert (batch.writes, batch.attention, world.plane.tally.stray) == ({}, [], 0)


def test_twenty_control_pdus_before_the_bind_harm_nobody(world: World) -> None:
    link = unbound(world)

    batch = world.submit(link, *[ENQUIRY] * CONTROLS_UNBOUND, builders.bind("sp1", "secret"))

    assert len(sent(batch, link)) == CONTROLS_UNBOUND
    assert link.state is SessionState.BINDING


@pytest.mark.parametrize("pdu", [ENQUIRY, UNKNOWN, STRAY, builders.bind("sp1", "secret")])
def test_a_bound_sp_past_its_budget_has_to_wait_and_loses_no_pdu(world: World, pdu: bytes) -> None:
    session = world.session()
    session.window = 10_000
    world.plane.session_octets = 1 << 20

    at_once = world.submit(session, *[pdu] * CONTROLS_AT_ONCE)
    past_it = world.submit(session, *[pdu] * CONTROLS_PER_S, advert())

    assert at_once.attention == []
    assert past_it.attention == [Wait(session)]
    assert len(sent(past_it, session)) == (0 if pdu is STRAY else CONTROLS_PER_S)
    assert len(up(past_it, session)) == 1
    assert control_wait_s(session, world.now) == pytest.approx(1.0)
    assert control_wait_s(session, world.now + 1.01) == 0


def test_an_sp_that_enquires_each_second_never_waits(world: World) -> None:
    session = world.session()

    for _ in range(10_000):
        assert world.submit(session, ENQUIRY).attention == []
        world.now += 1


def test_the_smsc_is_not_held_to_the_budget_of_sps(world: World) -> None:
    session = world.session()

    batch = world.resp(smsc(session), *[ENQUIRY] * (CONTROLS_AT_ONCE + 1))
    strays = world.resp(smsc(session), *[make(CommandId.SUBMIT_SM_RESP, 7, 8)] * 3000)

    assert [header(pdu)[0] for pdu in sent(batch, smsc(session))][-1] == CommandId.ENQUIRE_LINK_RESP
    assert batch.attention == strays.attention == []
