"""The end of the tick: octets on to the SMSC, answers back, messages to hold."""

import re
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dataplane.attention import Hold
from gateway.domain.consent import Answer
from gateway.domain.policy import Enforcement
from gateway.domain.sender import Rate, SenderState
from gateway.domain.verdict import Action
from gateway.policy.checks.campaign import Campaign
from gateway.policy.checks.opt_out import OptOut
from gateway.smpp.commands import CommandId
from gateway.smpp.fields import Tag, Tlv
from gateway.smpp.pdu import HEADER, Pdu, decode, make
from gateway.smpp.status import CommandStatus
from simulators import builders
from tests.dataplane.conftest import (
    BUNDLE,
    CLEAN,
    DUBIOUS,
    PORT,
    SPAM,
    SUBSCRIBER,
    UDHI,
    World,
    advert,
    answer,
    decisions,
    header,
    long_advert,
    rule,
    sender,
    sent,
    sequence_of,
    smsc,
    status_of,
    udh,
    unnumbered,
    up,
)

OFFER = "【春晓书店】会员日全场图书八折，满99元包邮，拒收请回复R"


def stray(pdu: bytes, octets: bytes) -> bytes:
    """Return a PDU with octets behind its last TLV."""
    return (len(pdu) + len(octets)).to_bytes(4, "big") + pdu[4:] + octets


texts = st.text("您好再见验证码0123456789", min_size=1, max_size=40)
tlvs = st.lists(
    st.tuples(
        st.sampled_from([0x0005, 0x0204, 0x0426, 0x060D, 0x1400, 0x1454, 0x3FFF, 0x0001]),
        st.binary(max_size=12),
    ),
    max_size=5,
)
submits = st.one_of(
    st.builds(
        advert,
        texts,
        st.integers(0, 0xFFFFFFFF),
        to=st.sampled_from([SUBSCRIBER, f"+86{SUBSCRIBER}", "13900139000"]),
        esm_class=st.sampled_from([0, 3, 0x80]),
        registered_delivery=st.integers(0, 255),
        tlvs=tlvs,
        service_type=st.sampled_from(["", "CMT"]),
        schedule=st.sampled_from(["", "000001000000000R"]),
    ),
    st.builds(
        lambda text, number, more: builders.data_sm(
            PORT, SUBSCRIBER, builders.ucs2(text), tlvs=more, sequence=number
        ),
        texts,
        st.integers(0, 0xFFFFFFFF),
        tlvs,
    ),
    st.builds(
        lambda text, number, odd: stray(advert(text, number), odd),
        texts,
        st.integers(0, 0xFFFFFFFF),
        st.binary(min_size=1, max_size=3),
    ),
    st.builds(
        lambda text, number: builders.submit_multi(
            PORT, [SUBSCRIBER, "13900139000"], builders.ucs2(text), sequence=number
        ),
        texts,
        st.integers(0, 0xFFFFFFFF),
    ),
)


@given(
    stream=st.lists(submits, max_size=8),
    cuts=st.lists(st.integers(0, 1500), max_size=12),
    bytewise=st.booleans(),
)
def test_what_goes_on_is_what_came_but_for_the_numbers(
    stream: list[bytes],
    cuts: list[int],
    bytewise: bool,  # noqa: FBT001 - hypothesis gives it
) -> None:
    world = World()
    session = world.session()
    data = b"".join(stream)
    edges = range(len(data) + 1) if bytewise else sorted({0, *cuts, len(data)})

    written = b""
    for start, end in pairwise(edges):
        batch = world.submit(session, data[start:end])
        written += b"".join(batch.writes.get(smsc(session), ()))
        assert not batch.writes.get(session)

    passed = pdus_of(written)
    assert [unnumbered(pdu) for pdu in passed] == [unnumbered(pdu) for pdu in stream]
    assert [sequence_of(pdu) for pdu in passed] == list(range(1, len(stream) + 1))
    asked = [entry[1] for entry in smsc(session).outstanding.values()]
    assert asked == [sequence_of(pdu) for pdu in stream]
    assert session.tail == b""


def pdus_of(octets: bytes) -> list[bytes]:
    cut = []
    while octets:
        length = HEADER.unpack_from(octets)[0]
        cut.append(octets[:length])
        octets = octets[length:]
    return cut


def test_a_message_is_registered_before_it_is_written(world: World) -> None:
    session = world.session()

    batch = world.submit(session, advert(sequence=77))

    (pdu,) = up(batch, session)
    assert smsc(session).outstanding == {sequence_of(pdu): (session, 77, 4, world.now, None)}


def test_numbers_wrap_and_skip_what_is_outstanding(world: World) -> None:
    session = world.session()
    world.submit(session, advert(sequence=1))
    smsc(session).sequence = 0x7FFFFFFE

    batch = world.submit(session, *(advert(sequence=n) for n in (2, 3, 4)))

    assert [sequence_of(pdu) for pdu in up(batch, session)] == [0x7FFFFFFF, 2, 3]


@pytest.mark.parametrize(
    "request_pdu",
    [
        advert(sequence=7),
        advert(sequence=7, tlvs=[(Tag.USER_MESSAGE_REFERENCE, b"ab")]),
        builders.data_sm(PORT, SUBSCRIBER, builders.ucs2(CLEAN), sequence=7),
        builders.submit_multi(PORT, [SUBSCRIBER, "13900139000"], builders.ucs2(CLEAN), sequence=7),
        make(CommandId.REPLACE_SM, 7, message_id=b"ab12", source_addr=PORT.encode()),
        make(CommandId.QUERY_SM, 7, message_id=b"ab12", source_addr=PORT.encode()),
        make(CommandId.CANCEL_SM, 7, message_id=b"ab12", source_addr=PORT.encode()),
    ],
)
def test_a_request_goes_out_with_command_status_0(world: World, request_pdu: bytes) -> None:
    session = world.session()

    batch = world.submit(session, request_pdu[:8] + b"\0\0\0\x45" + request_pdu[12:])

    assert [unnumbered(pdu) for pdu in up(batch, session)] == [unnumbered(request_pdu)]


def test_what_is_left_of_many_goes_out_with_command_status_0(world: World) -> None:
    session = world.session()
    many = builders.submit_multi(PORT, [SUBSCRIBER, "me"], builders.ucs2(CLEAN), sequence=7)

    batch = world.submit(session, many[:8] + b"\0\0\0\x45" + many[12:])

    assert [status_of(pdu) for pdu in up(batch, session)] == [0]


def test_messages_that_pass_in_a_row_are_one_piece(world: World) -> None:
    session = world.session()

    batch = world.submit(session, advert(), advert(), advert(SPAM), advert(), builders.unbind())

    assert [len(pdus_of(bytes(octets))) for octets in batch.writes[smsc(session)]] == [2, 1]


def test_what_came_first_goes_on_first_though_the_next_is_rebuilt(world: World) -> None:
    session = world.session()
    narrowed = builders.submit_multi(PORT, [SUBSCRIBER, "me"], builders.ucs2(CLEAN))

    batch = world.submit(session, advert("一"), narrowed, advert("二"), narrowed, narrowed)

    sequences = [sequence_of(pdu) for pdu in up(batch, session)]
    assert sequences == [1, 2, 3, 4, 5]
    assert [header(pdu)[0] for pdu in up(batch, session)] == [4, 0x21, 4, 0x21, 0x21]


def test_each_session_writes_to_its_own_bind(world: World) -> None:
    one, other = world.session("sp1"), world.session("sp2")

    batch = world.submit_all((one, advert("一")), (other, advert("二")))

    assert [unnumbered(p) for p in up(batch, one)] == [unnumbered(advert("一"))]
    assert [unnumbered(p) for p in up(batch, other)] == [unnumbered(advert("二"))]


@pytest.mark.parametrize("sequence", [0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_a_refusal_echoes_the_senders_number(world: World, sequence: int) -> None:
    session = world.session()

    batch = world.submit(session, advert(SPAM, sequence))

    assert [header(pdu) for pdu in sent(batch, session)] == [
        (CommandId.SUBMIT_SM_RESP, CommandStatus.ESME_RSUBMITFAIL, sequence)
    ]
    assert not up(batch, session)


def test_a_refused_message_is_recorded_and_counted(world: World) -> None:
    session = world.session()

    batch = world.submit(session, advert(SPAM, 7), advert(CLEAN, 8))

    assert [row[5:13] for row in decisions(batch)] == [
        (
            *(7, b"10690001", b"13800138000"),
            *("reject", "CONTENT", "K-FRAUD", "ESME_RSUBMITFAIL", "0123456789ab"),
        ),
        (8, b"10690001", b"13800138000", "forward", "", "", "", "0123456789ab"),
    ]
    tally = world.plane.tally
    assert tally.verdicts == {("reject", "CONTENT"): 1}
    assert tally.senders == {("sp1", "reject"): 1, ("sp1", "forward"): 1}
    assert tally.forwarded == 1


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"state": SenderState.SUSPENDED}, CommandStatus.ESME_RSUBMITFAIL),
        ({"rate": Rate(0.001, 1)}, CommandStatus.ESME_RTHROTTLED),
        ({"ports": ()}, CommandStatus.ESME_RINVSRCADR),
        (
            {"ports": (), "statuses": {"SOURCE_NOT_OWNED": "ESME_RINVSRCTON"}},
            CommandStatus.ESME_RINVSRCTON,
        ),
    ],
)
def test_each_reason_has_its_status(changes: dict[str, object], status: CommandStatus) -> None:
    world = World(senders=(replace(sender(), **changes),))  # type: ignore[arg-type]
    session = world.session()
    world.submit(session, advert())

    batch = world.submit(session, advert())

    assert [status_of(pdu) for pdu in sent(batch, session)] == [status]


def refused_with_tlvs(pdu: bytes, *, knows_tlvs: bool = True) -> Pdu:
    """Return the answer to a request that is refused, of an SP that asks for TLVs."""
    own = {"CONTENT": "0x410", "SOURCE_NOT_OWNED": "0x411"}
    world = World(senders=(sender(statuses=own, refusal_tlvs=True),))
    session = world.session()
    session.knows_tlvs = knows_tlvs
    (answer,) = sent(world.submit(session, pdu), session)
    return decode(answer)


@pytest.mark.parametrize(
    "pdu",
    [
        advert(SPAM),
        builders.data_sm(PORT, SUBSCRIBER, builders.ucs2(SPAM)),
        builders.submit_multi(PORT, [SUBSCRIBER], builders.ucs2(SPAM)),
    ],
)
def test_a_refusal_names_reason_and_rule_in_a_tlv_if_the_sp_asks_for_that(pdu: bytes) -> None:
    answer = refused_with_tlvs(pdu)

    assert (answer.command_status, answer.octets("message_id")) == (0x410, b"")
    assert answer.tlvs == (Tlv(Tag.ADDITIONAL_STATUS_INFO_TEXT, b"CONTENT K-FRAUD\0"),)


def test_who_knows_no_tlvs_hears_the_status_alone() -> None:
    answer = refused_with_tlvs(advert(SPAM), knows_tlvs=False)

    assert (answer.command_status, answer.fields, answer.tlvs) == (0x410, {}, ())


def test_the_answer_to_a_replace_sm_has_no_body_for_a_tlv() -> None:
    answer = refused_with_tlvs(builders.replace_sm("1", "95588", builders.ucs2(CLEAN)))

    assert (answer.command_status, answer.tlvs) == (0x411, ())


TOLD_LATER = World(senders=(sender(accept=frozenset({"CONTENT"})),))


@pytest.mark.parametrize(
    "pdu",
    [
        advert(SPAM, registered_delivery=1),
        builders.data_sm(PORT, SUBSCRIBER, builders.ucs2(SPAM), registered_delivery=1),
    ],
)
def test_a_refusal_that_an_sp_accepts_is_kept_for_its_receipt(pdu: bytes) -> None:
    session = TOLD_LATER.session()

    batch = TOLD_LATER.submit(session, pdu)

    assert not batch.writes
    (kept,) = batch.attention
    assert isinstance(kept, Hold)
    assert (kept.is_refused, kept.receipt_asked, kept.pdu) == (True, True, pdu)
    (row,) = decisions(batch)
    assert row[8:13] == ("reject", "CONTENT", "K-FRAUD", "ESME_ROK", "0123456789ab")
    assert row[13] == kept.message_id


@pytest.mark.parametrize(
    "pdu",
    [
        advert(CLEAN, source="95588"),
        builders.replace_sm("1", PORT, builders.ucs2(SPAM)),
    ],
)
def test_other_refusals_are_told_in_the_answer(pdu: bytes) -> None:
    session = TOLD_LATER.session()

    batch = TOLD_LATER.submit(session, pdu)

    assert not batch.attention
    assert [status_of(answer) != 0 for answer in sent(batch, session)] == [True]


def test_a_refusal_by_the_subscriber_stops_the_message() -> None:
    world = World(bundle=replace(BUNDLE, rules=(rule("R21", OptOut()),)))
    world.sets.apply(8613800138000, "sp1", Answer.REFUSED)
    session = world.session()

    batch = world.submit(session, advert())

    assert [row[9] for row in decisions(batch)] == ["OPTED_OUT"]
    assert [status_of(pdu) for pdu in sent(batch, session)] == [CommandStatus.ESME_RSUBMITFAIL]


def test_a_message_to_hold_is_not_answered_before_it_is_committed(world: World) -> None:
    session = world.session()
    pdu = advert(DUBIOUS, 0xFFFFFFFF, registered_delivery=1)

    batch = world.submit(session, pdu)

    assert not batch.writes
    assert session.held == 1
    (hold,) = batch.attention
    assert isinstance(hold, Hold)
    assert hold.pdu == pdu
    assert (hold.session, hold.sequence, hold.command_id) == (session, 0xFFFFFFFF, 4)
    assert (hold.source, hold.destination) == (b"10690001", b"13800138000")
    assert hold.message_id == 8 * 10**18 + 1
    assert hold.verdict.digest == "0123456789ab"
    assert hold.verdict.deciding is not None
    assert hold.verdict.deciding.evidence == DUBIOUS
    assert (hold.receipt_asked, hold.joined, hold.refused) == (True, "", ())
    (row,) = decisions(batch)
    assert row[8:14] == ("quarantine", "CONTENT", "K-LOAN", "", "0123456789ab", hold.message_id)


@pytest.mark.parametrize(("asked", "is_asked"), [(0, False), (1, True), (2, True), (0x10, False)])
def test_a_receipt_is_asked_for_by_the_low_bits(
    world: World,
    asked: int,
    is_asked: bool,  # noqa: FBT001
) -> None:
    batch = world.submit(world.session(), advert(DUBIOUS, registered_delivery=asked))

    (hold,) = batch.attention
    assert isinstance(hold, Hold)
    assert hold.receipt_asked == is_asked


def test_what_is_held_takes_room_until_it_is_answered(world: World) -> None:
    session = world.session(window=2)
    world.submit(session, advert(DUBIOUS), advert(DUBIOUS))

    waiting = world.submit(session, advert())
    session.held -= 1
    after = world.submit(session)

    assert not up(waiting, session)
    assert session.is_blocked is False
    assert len(up(after, session)) == 1


def test_a_long_message_is_held_with_its_joined_text(world: World) -> None:
    session = world.session()
    first, second = long_advert([DUBIOUS[:2], DUBIOUS[2:]])
    world.submit(session, first)

    (hold,) = world.submit(session, second).attention

    assert isinstance(hold, Hold)
    assert hold.joined == DUBIOUS
    assert hold.pdu == second


def test_a_text_beside_another_is_no_long_message(world: World) -> None:
    pdu = advert(DUBIOUS, tlvs=[(Tag.MESSAGE_PAYLOAD, b"x")])

    (hold,) = world.submit(world.session(), pdu).attention

    assert isinstance(hold, Hold)
    assert hold.joined == ""


def test_a_message_under_a_header_goes_on_with_its_header(world: World) -> None:
    session = world.session()
    pdu = advert(octets=udh("udh16", 9, b"\1\1") + builders.ucs2(CLEAN), esm_class=UDHI)

    batch = world.submit(session, pdu)

    assert [unnumbered(p) for p in up(batch, session)] == [unnumbered(pdu)]


def test_the_answer_to_many_tells_whom_the_gateway_refused(world: World) -> None:
    session = world.session()
    pdu = builders.submit_multi(PORT, [SUBSCRIBER, "me"], builders.ucs2(CLEAN), sequence=9)
    world.submit(session, pdu)

    batch = world.resp(smsc(session), answer(1, command_id=CommandId.SUBMIT_MULTI_RESP))

    (reply,) = sent(batch, session)
    assert header(reply) == (CommandId.SUBMIT_MULTI_RESP, 0, 9)
    assert reply[16:] == b"ab12\0\x01\x01\x01me\0\0\0\0\x0b"


@pytest.mark.parametrize(
    ("mode", "action"), [(Enforcement.ENFORCE, "quarantine"), (Enforcement.SHADOW, "shadow")]
)
def test_r61_the_record_tells_what_a_message_was_about_and_its_campaign(
    mode: Enforcement, action: str
) -> None:
    massed = rule("R61", Campaign(2, timedelta(hours=1)), mode=mode, action=Action.QUARANTINE)
    world = World(replace(BUNDLE, rules=(massed,)))
    adverts = [advert(OFFER, n, to=f"1380013800{n}") for n in (1, 2, 3)]

    batch = world.submit(world.session(), *adverts, advert(SPAM, 4))

    first, *others, spam = (row[6] for row in batch.rows if row[0] == "d")
    assert (first.action, first.category, first.campaign) == ("forward", "", "")
    assert {(one.action, one.reason, one.category) for one in others} == {(action, "CAMPAIGN", "")}
    (campaign,) = {one.campaign for one in others}
    assert re.fullmatch("c[0-9a-f]{16}", campaign)
    assert (spam.action, spam.category, spam.campaign) == ("reject", "fraud", "")


def test_r61_a_destination_left_out_of_many_has_its_own_record_and_so_have_those_on_trial() -> None:
    massed = rule("R61", Campaign(1, timedelta(hours=1)), mode=Enforcement.SHADOW)
    world = World(replace(BUNDLE, rules=(massed, rule("R21", OptOut()))))
    world.knowledge.consent.apply(8613800138001, "sp1", Answer.REFUSED)
    several = builders.submit_multi(PORT, [SUBSCRIBER, "13800138001"], builders.ucs2(OFFER))

    batch = world.submit(world.session(), several)

    passed, left_out = (row[6] for row in batch.rows if row[0] == "d")
    assert (passed.action, passed.reason, len(passed.campaign)) == ("shadow", "CAMPAIGN", 17)
    assert passed.digest == left_out.digest == BUNDLE.digest
    assert (left_out.action, left_out.reason) == ("reject", "OPTED_OUT")
