"""What SMSCs deliver, on record (N136, R70)."""

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.dataplane.attention import ReleaseReceipt, SubscriberMessage
from gateway.dataplane.link import Link
from gateway.dataplane.smsc_side import ALERT, REPLY, UNREAD, delivery
from gateway.domain.policy import RepliesRule
from gateway.domain.records import DeliveryRow, Text
from gateway.records.lines import RecordLines
from gateway.smpp.commands import CommandId
from gateway.smpp.fields import Tag
from gateway.smpp.pdu import HEADER, decode, make
from gateway.smpp.receipt import read_receipt
from gateway.smpp.status import CommandStatus
from simulators import builders
from simulators.wire import Tlvs
from tests.dataplane.conftest import AT, PORT, SUBSCRIBER, World, outcomes, sent, smsc

TEMPORARY = CommandStatus.ESME_RX_T_APPN
ABOUT = (3, "sp1", int(CommandId.DELIVER_SM))
DATES = "submit date:1309300834 done date:1309300835"
USUAL = f"id:0A1b sub:001 dlvrd:001 {DATES} stat:DELIVRD err:000 text:hello"
SAID = ("receipt", "DELIVRD", "000", "1309300834", "1309300835")
UDHI = 0x40


def receipt(text: str = USUAL, *, tlvs: Tlvs = (), esm_class: int = 4, sequence: int = 70) -> bytes:
    return builders.deliver_sm(
        SUBSCRIBER,
        PORT,
        text.encode("latin-1"),
        data_coding=0,
        esm_class=esm_class,
        tlvs=tlvs,
        sequence=sequence,
    )


def reply(text: str = "退订", *, to: str = PORT, sequence: int = 70) -> bytes:
    return builders.deliver_sm(SUBSCRIBER, to, builders.ucs2(text), sequence=sequence)


def row_of(pdu: bytes, *, keeps_texts: bool = True) -> DeliveryRow:
    _, command_id, _, sequence = HEADER.unpack_from(pdu)
    return delivery((3, "sp1", command_id), sequence, pdu, AT, keeps_texts=keeps_texts)


def text_of(pdu: bytes, *, keeps_texts: bool = True) -> Text | None:
    return row_of(pdu, keeps_texts=keeps_texts)[8]


def deliveries(world: World, link: Link, *pdus: bytes) -> list[tuple[object, ...]]:
    return [row[1:] for row in world.resp(link, *pdus).rows if row[0] == "m"]


# What passes.


def test_r70_a_receipt_and_a_reply_that_pass_are_on_record(world: World) -> None:
    world.plane.keeps_texts = True
    session = world.session()
    link = smsc(session)

    passed = world.resp(link, receipt(), reply(sequence=71))
    world.now += 0.5
    taken = world.submit(
        session,
        make(CommandId.DELIVER_SM_RESP, 1),
        make(CommandId.DELIVER_SM_RESP, 2, CommandStatus.ESME_RSYSERR),
    )

    about = (link.number, "sp1", 5)
    addresses = (SUBSCRIBER.encode(), PORT.encode())
    assert passed.rows == [
        ("m", AT, about, 70, *addresses, b"0A1b", SAID, None),
        ("m", AT, about, 71, *addresses, b"", REPLY, (8, builders.ucs2("退订"))),
    ]
    assert taken.rows == [
        ("o", AT, about, 70, 0, b"", 500_000, "answered"),
        ("o", AT, about, 71, CommandStatus.ESME_RSYSERR, b"", 500_000, "answered"),
    ]


@pytest.mark.parametrize("ton", [0, 1, 2])
@pytest.mark.parametrize(
    "build",
    [receipt, reply, lambda: receipt(tlvs=[(Tag.RECEIPTED_MESSAGE_ID, b"0A1b\0")])],
    ids=["receipt", "reply", "receipt with TLVs"],
)
def test_r70_who_writes_from_abroad_is_on_record_with_the_plus_of_its_type(
    build: Callable[[], bytes], ton: int
) -> None:
    usual, abroad = builders.address(SUBSCRIBER), builders.address("12125550123")
    pdu = build().replace(usual, bytes((ton,)) + abroad[1:])
    whole = (len(pdu)).to_bytes(4, "big") + pdu[4:]

    row = row_of(whole)

    assert row[4] == (b"+12125550123" if ton == 1 else b"12125550123")
    assert row[7] in (SAID, REPLY)


def test_r70_an_answer_of_the_sp_that_never_comes_is_on_record(world: World) -> None:
    session = world.session()
    link = smsc(session)
    world.resp(link, receipt(sequence=70), receipt(sequence=71))
    del session.outstanding[2]
    world.now += 30

    timeout = world.expire(session)
    world.resp(link, receipt(sequence=72))
    lost = world.lose(session)

    assert [(row[2], row[5], row[6], row[9]) for row in outcomes(timeout) + outcomes(lost)] == [
        (link.number, 70, TEMPORARY, "timeout"),
        (link.number, 72, TEMPORARY, "link_lost"),
    ]


def test_r70_what_nobody_is_there_to_take_is_on_record_with_that(world: World) -> None:
    link = smsc(world.session())
    link.peer = None

    batch = world.resp(link, receipt(), builders.alert_notification(SUBSCRIBER, PORT, sequence=9))

    assert [row[3] for row in batch.rows if row[0] == "m"] == [70, 9]
    assert [(row[4], row[5], row[6], row[9]) for row in outcomes(batch)] == [
        (CommandId.DELIVER_SM, 70, TEMPORARY, "nobody"),
        (CommandId.ALERT_NOTIFICATION, 9, 0, "nobody"),
    ]


def test_r70_a_reply_for_the_gateway_alone_is_on_record_once(world: World) -> None:
    world.plane.rules.replies = RepliesRule("已退订", "已恢复")
    world.plane.withholds = lambda _pdu, _system_id: True
    link = smsc(world.session())

    (item,) = (withheld := world.resp(link, reply("0000"))).attention
    assert isinstance(item, SubscriberMessage)
    passed = world.pipeline.deliver(item, link.peer, item.pdu, (world.now, AT))

    assert len(withheld.rows) == 1
    assert item.is_withheld
    assert passed.rows == []


def test_r70_a_receipt_for_a_released_message_is_on_record_once(world: World) -> None:
    world.plane.watched.add("sp1")
    link = smsc(world.session())

    (item,) = (handed_over := world.resp(link, receipt())).attention
    assert isinstance(item, ReleaseReceipt)
    passed = world.pipeline.deliver(item, link.peer, item.pdu, (world.now, AT))

    assert [row[0] for row in handed_over.rows] == ["m"]
    assert passed.rows == []


def test_while_records_can_not_be_written_the_smsc_keeps_what_it_has(world: World) -> None:
    world.plane.rules.replies = RepliesRule("已退订", "已恢复")
    world.plane.is_overloaded = True
    session = world.session()
    link = smsc(session)
    data = builders.data_sm(SUBSCRIBER, PORT, b"R", sequence=72)

    batch = world.resp(link, receipt(sequence=70), reply(sequence=71), data)
    world.plane.is_overloaded = False
    again = world.resp(link, receipt(sequence=73))

    assert [HEADER.unpack_from(pdu)[1:] for pdu in sent(batch, link)] == [
        (CommandId.DELIVER_SM_RESP, TEMPORARY, 70),
        (CommandId.DELIVER_SM_RESP, TEMPORARY, 71),
        (CommandId.DATA_SM_RESP, TEMPORARY, 72),
    ]
    assert (batch.rows, batch.attention, session in batch.writes) == ([], [], False)
    assert len(sent(again, session)) == len(again.rows) == 1


def test_an_alert_has_no_answer_by_which_to_put_it_off(world: World) -> None:
    world.plane.is_overloaded = True
    session = world.session()

    batch = world.resp(smsc(session), builders.alert_notification(SUBSCRIBER, PORT))

    assert len(sent(batch, session)) == len(batch.rows) == 1


# What is read of it.


def test_what_a_receipt_quotes_of_its_message_is_not_recorded() -> None:
    line = RecordLines().line(row_of(receipt()))

    assert b"hello" not in line


@pytest.mark.parametrize(
    ("text", "message_id", "told"),
    [
        (USUAL, b"0A1b", SAID),
        (USUAL.replace("text:", "Text:"), b"0A1b", SAID),
        (USUAL.removesuffix(" text:hello"), b"0A1b", SAID),
        (USUAL.removesuffix("text:hello"), b"0A1b", SAID),
        (USUAL.replace("sub:001 dlvrd:001 ", ""), b"0A1b", SAID),
        (USUAL.replace("0A1b", "a-1-b"), b"a-1-b", SAID),
        (USUAL.replace("0A1b", "a_1"), b"a_1", SAID),
        (USUAL.upper(), b"0A1B", SAID),
        (USUAL.replace("DELIVRD", "DELIVERED"), b"0A1b", SAID),
        ("id:7 stat:UNDELIV", b"7", ("receipt", "UNDELIV", "", "", "")),
        ("", b"", ("receipt", "", "", "", "")),
        (f"id:7 err:{'9' * 40}", b"7", ("receipt", "", "9" * 20, "", "")),
    ],
)
def test_a_receipt_is_read_in_the_forms_that_smscs_write(
    text: str, message_id: bytes, told: tuple[str, ...]
) -> None:
    assert row_of(receipt(text))[6:8] == (message_id, told)


@pytest.mark.parametrize(
    ("tlv_id", "message_id"),
    [(b"0A1b\0", b"0A1b"), (b"0A1b", b"0A1b"), (b"00A1b\0", b"00A1b"), (b"77\0", b"77")],
)
def test_the_id_of_a_receipts_tlv_counts(tlv_id: bytes, message_id: bytes) -> None:
    state = (Tag.MESSAGE_STATE, b"\2")

    told = row_of(receipt(tlvs=[state, (Tag.RECEIPTED_MESSAGE_ID, tlv_id)]))

    assert told[6:8] == (message_id, SAID)


def test_tlvs_without_an_id_leave_that_of_the_text() -> None:
    assert row_of(receipt(tlvs=[(Tag.MESSAGE_STATE, b"\2")]))[6:8] == (b"0A1b", SAID)


def test_what_stands_behind_the_text_is_not_read_as_part_of_it() -> None:
    text = f"id:7 {DATES} stat:DELIVRD err:0"
    pdu = receipt(text + "42", tlvs=[(Tag.MESSAGE_STATE, b"\2")])
    at = pdu.index(text.encode())
    broken = pdu[: at - 1] + bytes((len(text),)) + pdu[at:]

    assert row_of(receipt(text))[7][2] == "0"
    assert row_of(broken)[7] == UNREAD


def test_a_notification_is_told_from_a_receipt() -> None:
    assert row_of(receipt(esm_class=0x20))[7] == ("notification", *SAID[1:])


@pytest.mark.parametrize(
    ("esm_class", "what"), [(0x08, "acknowledgement"), (0x10, "acknowledgement"), (0x18, "other")]
)
def test_what_phones_say_is_told_by_its_type(esm_class: int, what: str) -> None:
    row = row_of(receipt("thanks", esm_class=esm_class))

    assert row[6:] == (b"", (what, "", "", "", ""), (0, b"thanks"))


def test_a_receipt_may_come_as_data_sm() -> None:
    pdu = builders.data_sm(
        SUBSCRIBER,
        PORT,
        USUAL.encode(),
        esm_class=4,
        tlvs=[(Tag.RECEIPTED_MESSAGE_ID, b"0A1b\0")],
        sequence=70,
    )

    row = row_of(pdu)

    assert (row[4], row[5], row[6], row[7]) == (SUBSCRIBER.encode(), PORT.encode(), b"0A1b", SAID)


def test_an_alert_tells_whose_phone_is_there_again() -> None:
    row = row_of(builders.alert_notification(SUBSCRIBER, PORT, sequence=9))

    assert row[3:] == (9, SUBSCRIBER.encode(), PORT.encode(), b"", ALERT, None)


def test_of_what_can_not_be_read_the_addresses_are_on_record_where_they_stand() -> None:
    pdu = reply()
    cut = make(CommandId.DELIVER_SM, 70)[:16] + pdu[16:-1]
    empty = make(CommandId.DATA_SM, 71)[:16]

    assert row_of(cut)[4:] == (SUBSCRIBER.encode(), PORT.encode(), b"", UNREAD, None)
    assert row_of(empty)[3:] == (71, b"", b"", b"", UNREAD, None)


# Texts.


def test_r70_the_words_of_a_subscriber_to_a_port_are_kept_where_texts_are() -> None:
    assert text_of(reply()) == (8, builders.ucs2("退订"))
    assert text_of(reply(), keeps_texts=False) is None
    assert text_of(reply("")) is None


@pytest.mark.parametrize("person", ["13900139000", "+8613900139000"])
def test_r70_what_one_person_writes_another_is_not_kept(person: str) -> None:
    assert text_of(reply(to=person)) is None


def test_a_reply_may_come_as_payload_and_is_kept_without_its_header() -> None:
    header = bytes.fromhex("050003070201")
    payload = [(Tag.MESSAGE_PAYLOAD, header + b"part")]
    pdu = builders.deliver_sm(
        SUBSCRIBER, PORT, b"", data_coding=0, esm_class=UDHI, tlvs=payload, sequence=70
    )

    assert text_of(pdu) == (0, b"part")


def test_a_reply_whose_header_is_not_there_is_kept_as_it_came() -> None:
    assert text_of(receipt("\xffTD", esm_class=UDHI)) == (0, b"\xffTD")


# Whatever comes.


def parsed(pdu: bytes) -> tuple[bytes, tuple[str, ...]]:
    read = read_receipt(decode(pdu))
    assert read is not None
    dates = (read.submit_date, read.done_date)
    words = tuple(word[:20] for word in (read.stat, read.err, *dates))
    return read.message_id.encode("latin-1", "replace")[:64], ("receipt", *words)


@example(
    message_id="0",
    sub="",
    done="1309300835",
    end="",
    tlvs=[(Tag.RECEIPTED_MESSAGE_ID, b"aF"), (Tag.RECEIPTED_MESSAGE_ID, b"0\0")],
)
@given(
    message_id=st.text("0aF-_ ,:x", max_size=8),
    sub=st.sampled_from(["sub:001 dlvrd:001 ", "sub:1 ", "", "x"]),
    done=st.sampled_from(["1309300835", "130930083512", "2013-09-30", ""]),
    end=st.sampled_from([" text:id:9", " Text:", " text", " te", "", " x", " "]),
    tlvs=st.lists(
        st.sampled_from(
            [(Tag.RECEIPTED_MESSAGE_ID, b"0\0"), (Tag.RECEIPTED_MESSAGE_ID, b"aF"), (0x0427, b"\2")]
        ),
        max_size=2,
    ),
)
def test_the_quick_look_at_a_receipt_agrees_with_the_careful_one(
    message_id: str, sub: str, done: str, end: str, tlvs: list[tuple[int, bytes]]
) -> None:
    text = f"id:{message_id} {sub}submit date:1309300834 done date:{done} stat:DELIVRD err:0{end}"
    pdu = receipt(text, tlvs=tlvs)

    assert row_of(pdu)[6:8] == parsed(pdu)


@given(
    command_id=st.sampled_from(
        [CommandId.DELIVER_SM, CommandId.DATA_SM, CommandId.ALERT_NOTIFICATION]
    ),
    body=st.binary(max_size=80)
    | st.binary(max_size=40).map(
        lambda rest: receipt()[16:].replace(b"text:hello", b"").rstrip() + rest
    ),
)
def test_any_octets_make_a_row_that_can_be_written(command_id: CommandId, body: bytes) -> None:
    pdu = HEADER.pack(16 + len(body), command_id, 0, 7) + body
    lines = RecordLines()

    row = row_of(pdu)
    lines.line(row)

    assert row[2:4] == ((3, "sp1", command_id), 7)
    assert lines.malformed == 0
    assert len(row[6]) <= 64
    assert all(len(word) <= 20 for word in row[7])
