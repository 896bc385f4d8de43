"""What SMSCs send: answers mapped back, deliveries passed on."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dataplane.attention import (
    BindAnswer,
    ReleaseReceipt,
    SubscriberMessage,
    Unbind,
    Unbound,
)
from gateway.dataplane.link import Link
from gateway.domain.policy import RepliesRule
from gateway.domain.sender import SenderKind
from gateway.policy.complaint_words import ComplaintFormat
from gateway.session.operations import SessionState, Side
from gateway.smpp.commands import CommandId
from gateway.smpp.fields import Tlv, write_tlvs
from gateway.smpp.pdu import HEADER, decode, generic_nack, make, unbind_resp
from gateway.smpp.status import CommandStatus
from simulators import builders
from tests.dataplane.conftest import (
    PORT,
    SUBSCRIBER,
    World,
    advert,
    answer,
    header,
    outcomes,
    pdus,
    sender,
    sent,
    sequence_of,
    smsc,
    status_of,
    unnumbered,
)

TEMPORARY = CommandStatus.ESME_RX_T_APPN


def delivery(sequence: int = 1, octets: bytes = b"R") -> bytes:
    return builders.deliver_sm(SUBSCRIBER, PORT, octets, data_coding=0, sequence=sequence)


def asked(world: World, session: Link, *sequences: int) -> Link:
    """Let an SP submit under `sequences`; return the link that the answers come on."""
    world.submit(session, *(advert(sequence=n) for n in sequences))
    return smsc(session)


# No body at all, or an id and TLVs with stray octets behind them.
bodies = st.just(b"") | st.builds(
    lambda message_id, tlvs, odd: message_id.encode() + b"\0" + write_tlvs(tlvs) + odd,
    st.text("0aF", max_size=64),
    st.lists(st.builds(Tlv, st.integers(0, 0xFFFF), st.binary(max_size=9)), max_size=3),
    st.binary(max_size=3),
)


@given(
    order=st.permutations(range(1, 7)),
    bodies=st.lists(bodies, min_size=6, max_size=6),
    bytewise=st.booleans(),
)
def test_answers_in_any_order_reach_who_asked_as_they_are(
    order: list[int],
    bodies: list[bytes],
    bytewise: bool,  # noqa: FBT001 - hypothesis gives it
) -> None:
    world = World()
    session = world.session()
    link = asked(world, session, *range(101, 107))
    answers = [
        HEADER.pack(16 + len(body), CommandId.SUBMIT_SM_RESP, 0, own) + body
        for own, body in zip(order, bodies, strict=True)
    ]
    data = b"".join(answers)
    size = 1 if bytewise else len(data)

    heard = b""
    for at in range(0, len(data), size):
        batch = world.resp(link, data[at : at + size])
        heard += b"".join(batch.writes.get(session, ()))

    assert [unnumbered(pdu) for pdu in pdus(heard)] == [unnumbered(pdu) for pdu in answers]
    assert [sequence_of(pdu) for pdu in pdus(heard)] == [100 + own for own in order]
    assert not link.outstanding


@pytest.mark.parametrize("sequence", [0, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_the_senders_number_comes_back_whatever_it_was(world: World, sequence: int) -> None:
    session = world.session()
    link = asked(world, session, sequence)

    batch = world.resp(link, answer(1))

    assert [sequence_of(pdu) for pdu in sent(batch, session)] == [sequence]


def test_two_messages_under_one_number_are_both_answered(world: World) -> None:
    session = world.session()
    link = asked(world, session, 5, 5)

    batch = world.resp(link, answer(2, b"b"), answer(1, b"a"))

    assert [pdu[16:] for pdu in sent(batch, session)] == [b"b\0", b"a\0"]


def test_answers_in_a_row_are_one_piece_also_around_a_stray(world: World) -> None:
    session = world.session()
    link = asked(world, session, 1, 2, 3)

    batch = world.resp(link, answer(1), answer(2), answer(99), answer(3))

    assert [len(pdus(octets)) for octets in batch.writes[session]] == [2, 1]


def test_answers_for_different_sessions_are_kept_apart(world: World) -> None:
    """As in pooled mode, where many sessions share a bind."""
    one, other = world.session("sp1"), world.session("sp2")
    other.peer = link = smsc(one)
    asked(world, one, 11)
    asked(world, other, 21, 22)
    asked(world, one, 12)

    batch = world.resp(link, *map(answer, (1, 2, 3, 4)))

    assert [sequence_of(pdu) for pdu in sent(batch, one)] == [11, 12]
    assert [sequence_of(pdu) for pdu in sent(batch, other)] == [21, 22]


def test_an_answer_is_recorded_with_status_id_and_latency(world: World) -> None:
    session = world.session()
    link = asked(world, session, 7, 8)
    world.now += 0.25

    batch = world.resp(link, answer(1), answer(2, status=CommandStatus.ESME_RTHROTTLED))

    about = ("o", 1_700_000_000.0, session.number, "sp1", 4)
    assert outcomes(batch) == [
        (*about, 7, 0, b"ab12", 250_000, "answered"),
        (*about, 8, 0x58, b"", 250_000, "answered"),
    ]
    assert world.plane.tally.answers == {0: 1, 0x58: 1}
    assert sum(world.plane.tally.latency_us) == 2
    assert world.plane.tally.latency_us[(250_000).bit_length()] == 2


def test_a_receipt_does_not_overtake_the_answer_before_it(world: World) -> None:
    session = world.session()
    link = asked(world, session, 7, 8)

    batch = world.resp(link, answer(1), delivery(70), answer(2))

    assert [header(pdu)[0] for pdu in sent(batch, session)] == [
        CommandId.SUBMIT_SM_RESP,
        CommandId.DELIVER_SM,
        CommandId.SUBMIT_SM_RESP,
    ]


def test_a_delivery_goes_on_under_a_number_of_ours_and_is_not_acknowledged(world: World) -> None:
    session = world.session()

    batch = world.resp(smsc(session), delivery(0xFFFFFFFF))

    (passed,) = sent(batch, session)
    assert unnumbered(passed) == unnumbered(delivery())
    assert session.outstanding == {
        sequence_of(passed): (smsc(session), 0xFFFFFFFF, 5, world.now, None)
    }
    assert smsc(session) not in batch.writes
    assert smsc(session).clocks.last_traffic_at == session.clocks.last_traffic_at == world.now


def test_a_data_sm_from_the_smsc_goes_on_and_its_answer_comes_back(world: World) -> None:
    session = world.session()
    pdu = builders.data_sm(SUBSCRIBER, PORT, b"R", sequence=70)

    batch = world.resp(smsc(session), pdu)
    back = world.submit(session, make(CommandId.DATA_SM_RESP, 1, message_id=b""))

    assert [unnumbered(p) for p in sent(batch, session)] == [unnumbered(pdu)]
    assert [header(p) for p in sent(back, smsc(session))] == [(CommandId.DATA_SM_RESP, 0, 70)]


def test_an_alert_goes_on_and_waits_for_no_answer(world: World) -> None:
    session = world.session()

    batch = world.resp(smsc(session), builders.alert_notification(SUBSCRIBER, PORT))

    assert [header(pdu)[0] for pdu in sent(batch, session)] == [CommandId.ALERT_NOTIFICATION]
    assert not session.outstanding


@pytest.mark.parametrize("state", [SessionState.BOUND_TX, SessionState.UNBINDING])
def test_a_delivery_to_a_session_that_can_not_take_it_shall_come_again(
    world: World, state: SessionState
) -> None:
    session = world.session()
    session.state = state
    alert = builders.alert_notification(SUBSCRIBER, PORT)

    batch = world.resp(smsc(session), delivery(70), alert)

    assert [header(pdu) for pdu in sent(batch, smsc(session))] == [
        (CommandId.DELIVER_SM_RESP, TEMPORARY, 70)
    ]
    assert session not in batch.writes


def test_a_delivery_on_a_bind_without_a_session_shall_come_again(world: World) -> None:
    link = smsc(world.session())
    link.peer = None

    batch = world.resp(link, delivery(70))

    assert [status_of(pdu) for pdu in sent(batch, link)] == [TEMPORARY]


def test_a_sender_with_too_many_deliveries_unanswered_lets_the_smsc_wait() -> None:
    world = World(deliver_window=2)
    session = world.session()
    link = asked(world, session, 7)

    batch = world.resp(
        link, *map(delivery, (70, 71, 72)), answer(1), builders.enquire_link(9), delivery(73)[:20]
    )

    assert [sequence_of(pdu) for pdu in sent(batch, session)] == [1, 2, 7]
    assert [header(pdu) for pdu in sent(batch, link)] == [(CommandId.ENQUIRE_LINK_RESP, 0, 9)]
    assert link.is_blocked
    assert link.tail == delivery(72) + delivery(73)[:20]


def test_an_answer_of_the_sender_frees_the_smsc() -> None:
    world = World(deliver_window=1)
    session = world.session()
    link = smsc(session)
    world.resp(link, delivery(70), delivery(71))

    freed = world.submit(session, make(CommandId.DELIVER_SM_RESP, 1)).freed
    batch = world.resp(link)

    assert freed == {link}
    assert [unnumbered(pdu) for pdu in sent(batch, session)] == [unnumbered(delivery())]
    assert not link.is_blocked


def test_deliveries_of_a_watched_sender_are_handed_over(world: World) -> None:
    session = world.session()
    link = smsc(session)
    world.plane.watched.add("sp1")
    moved = builders.data_sm(SUBSCRIBER, PORT, b"R")

    batch = world.resp(link, delivery(70), moved)

    assert batch.attention == [ReleaseReceipt(link, delivery(70), "sp1")]
    assert [unnumbered(pdu) for pdu in sent(batch, session)] == [unnumbered(moved)]


BINDING_ANSWERS = [
    make(CommandId.BIND_TRANSCEIVER_RESP, 1, system_id=b"smsc"),
    make(CommandId.BIND_TRANSCEIVER_RESP, 1, CommandStatus.ESME_RBINDFAIL),
    generic_nack(CommandStatus.ESME_RINVCMDID, 1),
]


@pytest.mark.parametrize("reply", BINDING_ANSWERS)
def test_what_follows_the_answer_to_our_bind_waits_until_both_sides_are_bound(
    world: World, reply: bytes
) -> None:
    session = world.session(state=SessionState.BINDING)
    link = smsc(session)
    link.next_sequence()  # our bind has it

    batch = world.resp(link, reply, delivery(70), builders.enquire_link(5))
    session.state = link.state = SessionState.BOUND_TRX
    after = world.resp(link)

    assert batch.attention == [BindAnswer(link, reply)]
    assert [header(pdu)[0] for pdu in sent(batch, link)] == [CommandId.ENQUIRE_LINK_RESP]
    assert [unnumbered(pdu) for pdu in sent(after, session)] == [unnumbered(delivery())]


@pytest.mark.parametrize(
    "reply",
    [
        make(CommandId.BIND_TRANSCEIVER_RESP, 2, system_id=b"smsc"),
        make(CommandId.BIND_TRANSCEIVER_RESP, 0, system_id=b"smsc"),
        generic_nack(CommandStatus.ESME_RINVCMDID, 2),
    ],
)
def test_what_has_not_the_number_of_our_bind_is_no_answer_to_it(world: World, reply: bytes) -> None:
    link = smsc(world.session(state=SessionState.BINDING))
    bound = make(CommandId.BIND_TRANSCEIVER_RESP, link.next_sequence(), system_id=b"smsc")

    batch = world.resp(link, reply, bound)

    assert batch.attention == [BindAnswer(link, bound)]
    assert world.plane.tally.stray == 1


@pytest.mark.parametrize(
    "request_pdu", [delivery(70), builders.data_sm(SUBSCRIBER, PORT, b"R", sequence=70)]
)
def test_a_delivery_goes_out_with_command_status_0(world: World, request_pdu: bytes) -> None:
    session = world.session()

    batch = world.resp(smsc(session), request_pdu[:8] + b"\0\0\0\x45" + request_pdu[12:])

    assert [unnumbered(pdu) for pdu in sent(batch, session)] == [unnumbered(request_pdu)]


def test_an_answer_with_tlvs_is_recorded_as_any_other(world: World) -> None:
    session = world.session()
    link = asked(world, session, 7)
    reply = make(CommandId.SUBMIT_SM_RESP, 1, message_id=b"ab12", tlvs=[Tlv(0x0428, b"\1")])

    batch = world.resp(link, reply)

    assert [row[7] for row in outcomes(batch)] == [b"ab12"]
    assert sum(world.plane.tally.latency_us) == 1


def malformed(pdu: bytes, rest: bytes = b"", *, cut: int = 0) -> bytes:
    """Return `pdu` without its last octets, or with others behind it."""
    body = pdu[16 : len(pdu) - cut] + rest
    return (16 + len(body)).to_bytes(4, "big") + pdu[4:16] + body


RECEIPT = builders.deliver_sm(
    SUBSCRIBER,
    PORT,
    b"id:0A1b submit date:1309300834 done date:1309300835 stat:DELIVRD err:000 text:hello",
    data_coding=0,
    esm_class=4,
    sequence=70,
)
CUT_TLV = b"\x04\x27\0\x05\2"


@pytest.mark.parametrize(
    ("pdu", "status"),
    [
        (malformed(delivery(70), cut=1), CommandStatus.ESME_RINVMSGLEN),
        (malformed(delivery(70), cut=20), CommandStatus.ESME_RINVDSTADR),
        (malformed(RECEIPT, cut=2), CommandStatus.ESME_RINVMSGLEN),
        (malformed(RECEIPT, CUT_TLV), CommandStatus.ESME_RINVOPTPARSTREAM),
        (
            malformed(RECEIPT, b"\0\x1e\0\5" + b"0A1b\0" + CUT_TLV),
            CommandStatus.ESME_RINVOPTPARSTREAM,
        ),
        (
            malformed(builders.data_sm(SUBSCRIBER, PORT, b"R", sequence=70), cut=1),
            CommandStatus.ESME_RINVOPTPARSTREAM,
        ),
        (
            make(CommandId.DELIVER_SM, 70)[:3] + b"\x10" + make(CommandId.DELIVER_SM, 70)[4:16],
            CommandStatus.ESME_RINVSERTYP,
        ),
    ],
)
@pytest.mark.parametrize("is_watched", [False, True])
def test_a_malformed_delivery_is_answered_and_reaches_no_sp(
    world: World, pdu: bytes, status: CommandStatus, *, is_watched: bool
) -> None:
    world.plane.watched = {"sp1"} if is_watched else set()
    session = world.session()
    link = smsc(session)

    batch = world.resp(link, pdu, builders.enquire_link(5))

    assert [header(p)[1:] for p in sent(batch, link)] == [(status, 70), (0, 5)]
    assert session not in batch.writes
    assert (batch.attention, world.plane.tally.malformed) == ([], 1)
    assert [(row[6], row[9]) for row in outcomes(batch)] == [(status, "malformed")]


def test_a_malformed_alert_is_dropped(world: World) -> None:
    session = world.session()

    batch = world.resp(
        smsc(session), malformed(builders.alert_notification(SUBSCRIBER, PORT), cut=3)
    )

    assert batch.writes == {}
    assert world.plane.tally.malformed == 1


def test_an_smsc_that_unbinds_still_answers(world: World) -> None:
    session = world.session()
    link = asked(world, session, 7, 8)

    batch = world.resp(link, answer(1), builders.unbind(5), answer(2), delivery(70))

    assert batch.attention == [Unbind(link, 5)]
    assert [sequence_of(pdu) for pdu in sent(batch, session)] == [7, 8]
    assert [header(pdu) for pdu in sent(batch, link)] == [
        (CommandId.DELIVER_SM_RESP, TEMPORARY, 70)
    ]


def test_the_answer_to_our_unbind_is_handed_over(world: World) -> None:
    link = smsc(world.session())
    link.state = SessionState.UNBINDING

    assert world.resp(link, unbind_resp(1)).attention == [Unbound(link)]


def test_an_answer_on_a_bind_that_only_receives_is_a_stray(world: World) -> None:
    session = world.session()
    link = asked(world, session, 7)
    link.state = SessionState.BOUND_RX

    batch = world.resp(link, answer(1))

    assert not batch.writes
    assert list(link.outstanding) == [1]


def test_the_gateways_own_release_is_not_told_to_an_sp(world: World) -> None:
    session = world.session()
    link = asked(world, session, 7)
    link.register(None, 0, CommandId.SUBMIT_SM, world.now, "release")

    batch = world.resp(link, answer(1), answer(2))

    assert [sequence_of(pdu) for pdu in sent(batch, session)] == [7]
    assert len(batch.attention) == 1


def test_answers_move_the_inactivity_timers_of_both(world: World) -> None:
    session = world.session()
    link = asked(world, session, 7)
    world.now += 10

    world.resp(link, builders.enquire_link())
    idle = link.clocks.last_traffic_at
    world.resp(link, answer(1))

    assert idle == 1000.0
    assert link.clocks.last_traffic_at == session.clocks.last_traffic_at == 1010.0


def test_a_receipt_goes_on_with_its_odd_tlvs(world: World) -> None:
    session = world.session()
    tlvs = [Tlv(0x0427, b"\2"), Tlv(0x001E, b"0AB\0"), Tlv(0x1454, b""), Tlv(0x0427, b"\3")]
    pdu = make(CommandId.DELIVER_SM, 70, source_addr=b"13800138000", esm_class=4, tlvs=tlvs)

    batch = world.resp(smsc(session), pdu)

    assert [unnumbered(p) for p in sent(batch, session)] == [unnumbered(pdu)]


@given(chunks=st.lists(st.binary(max_size=60), max_size=6))
def test_whatever_an_smsc_sends_nothing_raises(chunks: list[bytes]) -> None:
    world = World(pdu_octets=200)
    session = world.session()
    link = asked(world, session, *range(1, 5))

    for chunk in chunks:
        world.resp(link, chunk)

    assert len(link.tail) <= 200


def test_links_of_a_tick_are_worked_on_in_turn() -> None:
    world = World()
    one, other = world.session("sp1"), world.session("sp2")
    chunks = [(smsc(s), delivery(70)) for s in (one, other)]

    batch = world.pipeline.resp(chunks, world.now, 0.0)

    assert [len(sent(batch, s)) for s in (one, other)] == [1, 1]
    assert list(itertools.chain(one.outstanding, other.outstanding)) == [1, 1]
    assert all(link.side is Side.ESME for link in batch.writes)


def listening(world: World) -> World:
    """Let replies be heard, and what is longer than two characters be withheld."""
    world.plane.rules.replies = RepliesRule("已退订", "已恢复")
    world.plane.withholds = lambda pdu, _system_id: len(decode(pdu).octets("short_message")) > 2
    return world


def test_a_reply_is_passed_on_and_heard() -> None:
    world = listening(World())
    session = world.session()

    batch = world.resp(smsc(session), delivery(octets=b"TD"))

    assert batch.attention == [SubscriberMessage(smsc(session), delivery(octets=b"TD"), "sp1")]
    assert len(sent(batch, session)) > 0


def test_r33_what_is_for_the_gateway_alone_is_neither_passed_on_nor_answered() -> None:
    world = listening(World())
    session = world.session()
    world.plane.watched.add(smsc(session).system_id)

    batch = world.resp(smsc(session), delivery(octets=b"0000"))

    assert batch.attention == [
        SubscriberMessage(smsc(session), delivery(octets=b"0000"), "sp1", is_withheld=True)
    ]
    assert batch.writes == {}


@pytest.mark.parametrize("is_heard", [True, False])
def test_r80_what_is_written_to_a_report_code_is_never_passed_on(*, is_heard: bool) -> None:
    world = listening(World()) if is_heard else World()
    world.plane.withholds = lambda _pdu, _system_id: False
    world.plane.complaint_codes = {b"12321": ComplaintFormat.STAR}
    session = world.session()
    pdu, other = (
        builders.deliver_sm(SUBSCRIBER, to, b"95533*hello", data_coding=0, sequence=1)
        for to in ("12321", "123210")
    )
    receipt = builders.deliver_sm(
        SUBSCRIBER,
        "12321",
        b"id:0A1b submit date:1309300834 done date:1309300835 stat:DELIVRD err:000",
        data_coding=0,
        esm_class=4,
        sequence=2,
    )

    batch = world.resp(smsc(session), pdu)

    assert batch.attention == [
        SubscriberMessage(smsc(session), pdu, "sp1", is_withheld=True, is_complaint=True)
    ]
    assert batch.writes == {}
    assert len(sent(world.resp(smsc(session), other), session)) > 0
    assert len(sent(world.resp(smsc(session), receipt), session)) > 0


def test_r63_what_is_written_to_a_port_of_another_network_is_heard_and_to_a_person_not() -> None:
    peer = replace(sender("cmcc", ports=()), kind=SenderKind.PEER)
    world = listening(World(senders=(sender(), peer)))
    world.plane.withholds = lambda _pdu, _system_id: False
    session = world.session("cmcc")
    to_port, to_person = (
        builders.deliver_sm(SUBSCRIBER, to, b"TD", data_coding=0, sequence=1)
        for to in ("1065712345", "13912345678")
    )

    receipt = builders.deliver_sm(
        SUBSCRIBER,
        "1065712345",
        b"id:0A1b submit date:1309300834 done date:1309300835 stat:DELIVRD err:000",
        data_coding=0,
        esm_class=4,
        sequence=2,
    )

    batch = world.resp(smsc(session), to_port, to_person, receipt)

    assert batch.attention == [SubscriberMessage(smsc(session), to_port, "cmcc")]
    assert len(sent(batch, session)) == 3


def test_without_the_rule_nothing_is_withheld() -> None:
    world = listening(World())
    world.plane.rules.replies = None
    session = world.session()

    batch = world.resp(smsc(session), delivery(octets=b"0000"))

    assert batch.attention == []
    assert len(sent(batch, session)) > 0
