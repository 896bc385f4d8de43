"""What both directions have in common: control PDUs, relayed answers, octets left over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dataplane.attention import FramingFault, OwnAnswer
from gateway.dataplane.link import Link
from gateway.dataplane.plane import Turn
from gateway.dataplane.relay import message_id_of, relay_answer, renumbered
from gateway.session.operations import SessionState
from gateway.smpp.commands import CommandId
from gateway.smpp.fields import UnsuccessSme
from gateway.smpp.pdu import HEADER, decode, make
from gateway.smpp.status import CommandStatus
from simulators import builders
from tests.dataplane.conftest import (
    AT,
    CLEAN,
    PORT,
    SUBSCRIBER,
    World,
    advert,
    answer,
    header,
    outcomes,
    sent,
    sequence_of,
    smsc,
    unnumbered,
    up,
)

MULTI_RESP = CommandId.SUBMIT_MULTI_RESP
NARROWED = builders.submit_multi(PORT, [SUBSCRIBER, "me"], builders.ucs2(CLEAN), sequence=9)
ME = UnsuccessSme(1, 1, b"me", CommandStatus.ESME_RINVDSTADR)


def both(world: World) -> list[Link]:
    session = world.session()
    return [session, smsc(session)]


def hear(world: World, link: Link, octets: bytes) -> list[bytes]:
    """Let either side hear octets; return what it is answered."""
    session = link.peer if link.system_id and link.side.value == "smsc" else None
    batch = world.submit(link, octets) if session is None else world.resp(link, octets)
    return sent(batch, link)


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("sequence", [0, 1, 0xFFFFFFFF])
def test_an_enquiry_is_answered_on_either_side_with_its_number(side: int, sequence: int) -> None:
    world = World()

    (reply,) = hear(world, both(world)[side], builders.enquire_link(sequence))

    assert header(reply) == (CommandId.ENQUIRE_LINK_RESP, 0, sequence)


@pytest.mark.parametrize("side", [0, 1])
def test_an_unknown_command_is_answered_by_its_number_and_the_session_stays(side: int) -> None:
    world = World()
    link = both(world)[side]

    (reply,) = hear(world, link, HEADER.pack(16, 0x777, 0, 5))

    assert header(reply) == (CommandId.GENERIC_NACK, CommandStatus.ESME_RINVCMDID, 5)
    assert link.state is SessionState.BOUND_TRX


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize(
    ("octets", "sequence"),
    [
        (b"\0\0\0\x02\0", 0),
        (b"\0\0\0\x0f", 0),
        (b"GET / HTTP/1.1\r\n\r\n", int.from_bytes(b".1\r\n", "big")),
        (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03", 0),
        (HEADER.pack(70_001, 4, 0, 9), 9),
        (HEADER.pack(15, 4, 0, 0xFFFFFFFF), 0xFFFFFFFF),
    ],
)
def test_a_length_nobody_can_mean_ends_the_session_at_once(
    side: int, octets: bytes, sequence: int
) -> None:
    world = World()
    link = both(world)[side]

    batch = world.resp(link, octets) if side else world.submit(link, octets)

    assert [header(pdu) for pdu in sent(batch, link)] == [
        (CommandId.GENERIC_NACK, CommandStatus.ESME_RINVCMDLEN, sequence)
    ]
    assert [type(item) for item in batch.attention] == [FramingFault]
    assert link.state is SessionState.CLOSED
    assert link.tail == b""
    assert world.plane.tally.framing_faults == 1


@pytest.mark.parametrize("side", [0, 1])
def test_four_octets_are_enough_to_see_a_false_length(side: int) -> None:
    world = World()
    link = both(world)[side]

    quiet = hear(world, link, b"\0\1\x11")
    nacked = hear(world, link, b"\x71")

    assert quiet == []
    assert header(nacked[0])[:2] == (CommandId.GENERIC_NACK, CommandStatus.ESME_RINVCMDLEN)


def test_the_longest_pdu_is_taken_and_one_octet_more_is_not() -> None:
    world = World(pdu_octets=100)
    session = world.session()
    longest = HEADER.pack(100, CommandId.ENQUIRE_LINK, 0, 1) + bytes(84)

    (taken,) = hear(world, session, longest)
    (refused,) = hear(world, session, HEADER.pack(101, CommandId.ENQUIRE_LINK, 0, 1))

    assert header(taken)[0] == CommandId.ENQUIRE_LINK_RESP
    assert header(refused)[:2] == (CommandId.GENERIC_NACK, CommandStatus.ESME_RINVCMDLEN)
    assert session.state is SessionState.CLOSED


def test_good_pdus_before_a_fault_are_as_good_as_any(world: World) -> None:
    session = world.session()

    batch = world.submit(session, advert(), b"\0\0\0\x02")

    assert len(up(batch, session)) == 1
    assert session.state is SessionState.CLOSED


@pytest.mark.parametrize("side", [0, 1])
def test_a_closed_link_is_not_answered_and_keeps_nothing(side: int) -> None:
    world = World()
    link = both(world)[side]
    link.state, link.tail = SessionState.CLOSED, advert()[:30]

    replies = hear(world, link, advert()[30:] + b"\0\0\0\x02" + advert()[:20])

    assert replies == []
    assert link.tail == b""


def test_a_pdu_begun_starts_the_read_timer_and_its_octets_do_not_restart_it(world: World) -> None:
    session = world.session()

    world.submit(session, advert()[:10])
    began = session.clocks.partial_since
    world.now += 5
    world.submit(session, advert()[10:20])

    assert began == 1000.0
    assert session.clocks.partial_since == 1000.0
    world.submit(session, advert()[20:] + b"\0")
    assert session.clocks.partial_since == 1005.0
    assert session.clocks.last_octets_at == 1005.0


def test_a_blocked_session_is_not_blamed_for_what_it_could_not_send(world: World) -> None:
    session = world.session(window=1)

    world.submit(session, advert(), advert(), advert()[:20])

    assert session.is_blocked
    assert session.clocks.partial_since is None


def test_renumbering_changes_four_octets() -> None:
    pdu = advert(sequence=1)

    assert renumbered(pdu, 0xFFFFFFFF) == pdu[:12] + b"\xff" * 4 + pdu[16:]


def test_an_answer_without_a_request_is_dropped_and_counted(world: World) -> None:
    session = world.session()

    batch = world.resp(smsc(session), answer(1))

    assert not batch.writes
    assert not batch.rows
    assert world.plane.tally.stray == 1


def test_an_answer_of_the_wrong_type_leaves_the_request_waiting(world: World) -> None:
    session = world.session()
    world.submit(session, advert(sequence=5))

    wrong = world.resp(smsc(session), answer(1, command_id=CommandId.DATA_SM_RESP))
    right = world.resp(smsc(session), answer(1))

    assert not wrong.writes
    assert [header(pdu) for pdu in sent(right, session)] == [(CommandId.SUBMIT_SM_RESP, 0, 5)]


def test_an_answer_sent_twice_counts_once(world: World) -> None:
    session = world.session()
    world.submit(session, advert(sequence=5))

    batch = world.resp(smsc(session), answer(1), answer(1))

    assert len(sent(batch, session)) == 1
    assert world.plane.tally.stray == 1


def test_a_nack_answers_any_request_and_is_passed_on(world: World) -> None:
    session = world.session()
    world.submit(session, advert(sequence=5))

    batch = world.resp(smsc(session), make(CommandId.GENERIC_NACK, 1, CommandStatus.ESME_RSYSERR))

    assert [header(pdu) for pdu in sent(batch, session)] == [
        (CommandId.GENERIC_NACK, CommandStatus.ESME_RSYSERR, 5)
    ]
    assert [row[6] for row in outcomes(batch)] == [CommandStatus.ESME_RSYSERR]


def test_answers_are_counted_by_status_whatever_they_answer(world: World) -> None:
    session = world.session()
    world.submit(session, advert(), builders.data_sm(PORT, SUBSCRIBER, b""))

    world.resp(smsc(session), answer(1), answer(2, status=8, command_id=CommandId.DATA_SM_RESP))

    assert world.plane.tally.answers == {0: 1, 8: 1}


def amended(octets: bytes) -> bytes:
    """Return what the SP hears when the SMSC answers NARROWED with `octets`."""
    world = World()
    session = world.session()
    world.submit(session, NARROWED)
    batch = world.resp(
        smsc(session),
        (16 + len(octets)).to_bytes(4, "big") + HEADER.pack(0, MULTI_RESP, 0, 1)[4:] + octets,
    )
    (reply,) = sent(batch, session)
    assert header(reply) == (MULTI_RESP, 0, 9)
    return reply


def test_those_the_smsc_refused_are_told_beside_those_the_gateway_refused() -> None:
    theirs = UnsuccessSme(1, 1, b"13800138000", 0x64)
    body = make(MULTI_RESP, 1, message_id=b"x", unsuccess_sme=(theirs,))[16:]

    assert decode(amended(body)).fields == {"message_id": b"x", "unsuccess_sme": (theirs, ME)}


@pytest.mark.parametrize("body", [b"", b"x\0", b"x\0\x05", b"x", b"x\0\0\x04\x24\xff\xff"])
def test_an_answer_without_a_sound_list_gets_one(body: bytes) -> None:
    assert decode(amended(body)).fields == {
        "message_id": body[:1],
        "unsuccess_sme": (ME,),
    }


def test_a_list_that_is_full_still_tells_what_the_gateway_refused() -> None:
    theirs = (UnsuccessSme(1, 1, b"13800138000", 0x64),) * 255
    body = make(MULTI_RESP, 1, message_id=b"x", unsuccess_sme=theirs)[16:]

    listed = decode(amended(body)).fields["unsuccess_sme"]

    assert isinstance(listed, tuple)
    assert len(listed) == 255
    assert listed[-1] == ME


@pytest.mark.parametrize(
    "reply",
    [
        make(MULTI_RESP, 1, CommandStatus.ESME_RSYSERR),
        make(CommandId.GENERIC_NACK, 1, CommandStatus.ESME_RSYSERR),
        make(CommandId.GENERIC_NACK, 1),
    ],
)
def test_an_answer_that_accepts_nothing_is_passed_on_as_it_is(world: World, reply: bytes) -> None:
    session = world.session()
    world.submit(session, NARROWED)

    batch = world.resp(smsc(session), reply)

    assert [unnumbered(pdu) for pdu in sent(batch, session)] == [unnumbered(reply)]


@given(body=st.binary(max_size=80), status=st.sampled_from([0, 8]))
def test_any_answer_to_many_is_passed_on(body: bytes, status: int) -> None:
    world = World()
    session = world.session()
    world.submit(session, NARROWED)

    batch = world.resp(smsc(session), HEADER.pack(16 + len(body), MULTI_RESP, status, 1) + body)

    assert [sequence_of(pdu) for pdu in sent(batch, session)] == [9]


@pytest.mark.parametrize(
    ("reply", "heard"),
    [
        (make(CommandId.QUERY_SM_RESP, 1, message_id=b"ab12", message_state=2), b"8000"),
        (make(CommandId.QUERY_SM_RESP, 1, CommandStatus.ESME_RQUERYFAIL), None),
    ],
)
def test_an_answer_about_a_released_message_bears_our_id(
    world: World, reply: bytes, heard: bytes | None
) -> None:
    session = world.session()
    query = builders.query_sm("ab12", PORT, sequence=5)
    world.pipeline.relay(session, smsc(session), query, (world.now, AT), b"8000")

    batch = world.resp(smsc(session), reply)

    (passed,) = sent(batch, session)
    assert sequence_of(passed) == 5
    if heard is None:
        assert unnumbered(passed) == unnumbered(reply)
    else:
        assert decode(passed).octets("message_id") == heard


def test_an_answer_to_the_gateways_own_outbound_message_is_handed_over(world: World) -> None:
    link = smsc(world.session())
    own = link.register(None, 0, CommandId.SUBMIT_SM, world.now, "errand")

    batch = world.resp(link, answer(own))

    assert batch.attention == [OwnAnswer(link, "errand", answer(own))]
    assert not batch.writes
    assert [row[2] for row in outcomes(batch)] == [0]


def test_a_message_id_is_read_as_far_as_one_can_be_long() -> None:
    assert message_id_of(bytes(16) + b"7" * 60_000) == b"7" * 64
    assert message_id_of(HEADER.pack(16, CommandId.SUBMIT_SM_RESP, 8, 1)) == b""


def whole(command_id: int, body: bytes, status: int = 0) -> bytes:
    return HEADER.pack(16 + len(body), command_id, status, 1) + body


QUERY = builders.query_sm("ab12", PORT, sequence=5)
DATA = builders.data_sm(PORT, SUBSCRIBER, b"", sequence=5)
MANY = builders.submit_multi(PORT, [SUBSCRIBER], builders.ucs2(CLEAN), sequence=5)
SCHEDULED = advert(sequence=5, schedule="000001000000000R")


@pytest.mark.parametrize(
    ("asked", "body"),
    [
        (advert(sequence=5), b"ab12"),
        (advert(sequence=5), b"7" * 65 + b"\0"),
        (advert(sequence=5), b"7" * 60_000),
        (advert(sequence=5), b"ab12\0\x02\x10\0\x02\x34"),
        (SCHEDULED, b"ab12"),
        (DATA, b"ab12"),
        (QUERY, b"ab12\0"),
        (QUERY, b"ab12\0\0\2"),
        (MANY, b"ab12\0"),
        (MANY, b"ab12\0\1"),
    ],
)
def test_a_malformed_answer_of_the_smsc_is_dropped_and_a_sound_one_still_counts(
    world: World, asked: bytes, body: bytes
) -> None:
    session = world.session()
    link = smsc(session)
    world.submit(session, asked)
    command_id = header(asked)[0] | 0x8000_0000

    dropped = world.resp(link, whole(command_id, body))
    counted = world.plane.tally.malformed
    sound = make(command_id, 1, message_id=b"ab12")
    passed = world.resp(link, sound)

    assert (dropped.writes, dropped.rows, counted) == ({}, [], 1)
    assert [unnumbered(pdu) for pdu in sent(passed, session)] == [unnumbered(sound)]


def test_who_gets_only_a_malformed_answer_hears_that_none_came(world: World) -> None:
    session = world.session()
    world.submit(session, advert(sequence=5))
    world.resp(smsc(session), whole(CommandId.SUBMIT_SM_RESP, b"ab12"))
    world.now += 31

    batch = world.expire(smsc(session))

    assert [header(pdu) for pdu in sent(batch, session)] == [
        (CommandId.SUBMIT_SM_RESP, CommandStatus.ESME_RSYSERR, 5)
    ]


@pytest.mark.parametrize("asked", [advert(sequence=5), DATA])
def test_an_error_with_a_malformed_body_goes_on_without_it(world: World, asked: bytes) -> None:
    session = world.session()
    world.submit(session, asked)
    command_id = header(asked)[0] | 0x8000_0000

    batch = world.resp(smsc(session), whole(command_id, b"ab", CommandStatus.ESME_RTHROTTLED))

    assert sent(batch, session) == [HEADER.pack(16, command_id, CommandStatus.ESME_RTHROTTLED, 5)]


def test_a_malformed_answer_to_the_gateways_own_request_settles_nothing(world: World) -> None:
    link = smsc(world.session())
    own = link.register(None, 0, CommandId.SUBMIT_SM, world.now, "errand")

    batch = world.resp(link, whole(CommandId.SUBMIT_SM_RESP, b"ab12"))

    assert batch.attention == []
    assert own in link.outstanding


def test_an_answer_makes_room_for_who_was_waiting(world: World) -> None:
    session = world.session(window=1)
    world.submit(session, builders.data_sm(PORT, SUBSCRIBER, b""), advert())
    turn = Turn(world.plane, world.now, AT)

    relay_answer(turn, smsc(session), answer(1, command_id=CommandId.DATA_SM_RESP))

    assert turn.batch.freed == {session}


@pytest.mark.parametrize("asks", ["another session", "the gateway"])
@pytest.mark.parametrize("ends", ["answered", "timeout"])
def test_who_waits_goes_on_when_anothers_request_on_its_bind_ends(
    world: World, asks: str, ends: str
) -> None:
    asker = world.session() if asks == "another session" else None
    session = world.session(window=1)
    link = smsc(session)
    own = link.register(asker, 5, CommandId.QUERY_SM, world.now, None)
    world.submit(session, advert())
    assert session.is_blocked

    if ends == "answered":
        end = make(CommandId.QUERY_SM_RESP, own, message_id=b"7", message_state=2)
        batch = world.resp(link, end)
    else:
        world.now += 31
        batch = world.expire(link)

    assert session in batch.freed
