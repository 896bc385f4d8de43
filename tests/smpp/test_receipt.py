"""Receipts as SMSCs write them, as we write them, and with their id replaced."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp.commands import CommandId
from gateway.smpp.fields import Tag, Tlv
from gateway.smpp.pdu import decode, make
from gateway.smpp.receipt import Receipt, id_forms, read_receipt, receipt_pdu, with_receipt_id
from gateway.smpp.status import DecodeError, EncodeError

TEXT = (
    b"id:7220AB sub:001 dlvrd:001 submit date:1311010930 done date:1311010931 "
    b"stat:DELIVRD err:000 text:id:666 hello"
)
SUBMITTED = datetime(2013, 11, 1, 9, 30, tzinfo=UTC)


def receipt_of(text: bytes = b"", *tlvs: Tlv, esm_class: int = 0x04, data_coding: int = 0) -> bytes:
    return make(
        CommandId.DELIVER_SM,
        5,
        esm_class=esm_class,
        data_coding=data_coding,
        short_message=text,
        tlvs=tlvs,
    )


def ours(**changes: object) -> bytes:
    values = {
        "message_id": "8000000000000000001",
        "source": "8613800138000",
        "destination": "10690001",
        "stat": "REJECTD",
        "err": "045",
        "submitted": SUBMITTED,
        "done": SUBMITTED + timedelta(minutes=5),
    }
    return receipt_pdu(9, **(values | changes))  # type: ignore[arg-type]  # changes of any kind


def test_the_habitual_text_is_read() -> None:
    assert read_receipt(decode(receipt_of(TEXT))) == Receipt(
        message_id="7220AB",
        stat="DELIVRD",
        err="000",
        text_id="7220AB",
        submit_date="1311010930",
        done_date="1311010931",
    )


@pytest.mark.parametrize(
    ("text", "message_id", "stat", "err"),
    [
        (b"stat:UNDELIV err:011 id:77 done date:20131101093100", "77", "UNDELIV", "011"),
        (b"ID:77 STAT:delivrd ERR:0", "77", "DELIVRD", "0"),
        (b"Id:77,Stat:Delivered,Err:0", "77", "DELIVRD", "0"),
        (b"id: 77 submit_date: 1311010930 stat: REJECTED err: 9", "77", "REJECTD", "9"),
        (b"id:77\nstat:MA:0002\nerr:", "77", "MA:0002", ""),
        (b"id:77 stat: err:1", "77", "", "1"),
        (b"id: stat:EXPIRED", "", "EXPIRED", ""),
        (b"valid:1 id:77 stat:EXPIRED", "77", "EXPIRED", ""),
        (b"text:hello id:77 stat:EXPIRED", "77", "EXPIRED", ""),
        (b"id:a_1-B@x stat:EXPIRED", "a_1-B@x", "EXPIRED", ""),
        (b"", "", "", ""),
        (b"\xff\xfe\xfd", "", "", ""),
    ],
)
def test_order_case_and_dates_do_not_matter(
    text: bytes, message_id: str, stat: str, err: str
) -> None:
    receipt = read_receipt(decode(receipt_of(text)))

    assert receipt is not None
    assert (receipt.message_id, receipt.stat, receipt.err) == (message_id, stat, err)


def test_a_receipt_in_ucs2_is_read() -> None:
    receipt = read_receipt(decode(receipt_of(TEXT.decode().encode("utf-16-be"), data_coding=8)))

    assert receipt is not None
    assert (receipt.message_id, receipt.stat) == ("7220AB", "DELIVRD")


def test_an_ascii_receipt_that_kept_the_messages_data_coding_is_read() -> None:
    receipt = read_receipt(decode(receipt_of(TEXT, data_coding=8)))

    assert receipt is not None
    assert receipt.message_id == "7220AB"


def test_the_tlv_is_believed_before_the_text_and_both_match() -> None:
    pdu = receipt_of(b"id:0000012345 stat:DELIVRD err:000", Tlv(0x001E, b"FF\0"))

    receipt = read_receipt(decode(pdu))

    assert receipt is not None
    assert receipt.message_id == "FF"
    assert receipt.text_id == "0000012345"
    assert {"255", "12345"} <= receipt.forms


def test_an_id_in_the_senders_own_text_is_no_id() -> None:
    receipt = read_receipt(
        decode(receipt_of(b"stat:DELIVRD err:0 text:hi id:666", Tlv(0x1E, b"7")))
    )

    assert receipt == Receipt("7", "DELIVRD", "0")


@pytest.mark.parametrize(
    ("state", "stat"), [(1, "ENROUTE"), (2, "DELIVRD"), (6, "ACCEPTD"), (8, "REJECTD")]
)
def test_tlvs_alone_make_a_receipt(state: int, stat: str) -> None:
    pdu = make(
        CommandId.DATA_SM,
        5,
        tlvs=(Tlv(Tag.RECEIPTED_MESSAGE_ID, b"77\0"), Tlv(Tag.MESSAGE_STATE, bytes((state,)))),
    )

    receipt = read_receipt(decode(pdu))

    assert receipt == Receipt("77", stat, "")


@pytest.mark.parametrize("state", [b"", b"\x63"])
def test_a_state_nobody_knows_is_no_stat(state: bytes) -> None:
    receipt = read_receipt(decode(receipt_of(b"id:77", Tlv(Tag.MESSAGE_STATE, state))))

    assert receipt is not None
    assert receipt.stat == ""


def test_a_text_in_message_payload_or_behind_a_header_is_read() -> None:
    in_payload = receipt_of(b"", Tlv(Tag.MESSAGE_PAYLOAD, TEXT))
    behind_header = receipt_of(b"\x05\x00\x03\x01\x01\x01" + TEXT, esm_class=0x44)
    bad_header = receipt_of(b"\xff id:7220AB", esm_class=0x44)

    for pdu in (in_payload, behind_header, bad_header):
        receipt = read_receipt(decode(pdu))
        assert receipt is not None
        assert receipt.message_id == "7220AB"


def test_a_notification_on_the_way_is_intermediate() -> None:
    receipt = read_receipt(decode(receipt_of(b"id:77 stat:DELIVRD", esm_class=0x20)))

    assert receipt is not None
    assert receipt.is_intermediate


@pytest.mark.parametrize(
    "pdu",
    [
        receipt_of(TEXT, esm_class=0x00),
        receipt_of(TEXT, esm_class=0x08),
        make(CommandId.SUBMIT_SM, 5, esm_class=0x04, short_message=TEXT),
    ],
    ids=["a subscriber's text", "a subscriber's own acknowledgement", "an SP's submit"],
)
def test_nobody_but_the_smsc_makes_a_receipt(pdu: bytes) -> None:
    assert read_receipt(decode(pdu)) is None


@pytest.mark.parametrize(
    ("given_id", "receipt_id"),
    [
        ("12345", "0000012345"),
        ("abcdef12", "ABCDEF12"),
        ("255", "FF"),
        ("FF", "00000255"),
        ("0", "0000"),
        ("8a5b-41", "8A5B-41"),
        (" 77", "77"),
    ],
)
def test_an_id_is_found_again_however_the_smsc_writes_it(given_id: str, receipt_id: str) -> None:
    assert id_forms(given_id) & id_forms(receipt_id)


@pytest.mark.parametrize(("one", "other"), [("12345", "12346"), ("", ""), ("A1", "A2")])
def test_other_ids_stay_apart(one: str, other: str) -> None:
    assert not id_forms(one) & id_forms(other)


@given(st.text(max_size=5000))
def test_any_id_has_few_forms(message_id: str) -> None:
    assert len(id_forms(message_id)) <= 4


def test_our_receipt_is_a_deliver_sm_that_reads_back() -> None:
    pdu = decode(ours())

    assert pdu.command_id == CommandId.DELIVER_SM
    assert pdu.sequence_number == 9
    assert pdu.number("esm_class") == 0x04
    assert pdu.octets("source_addr") == b"8613800138000"
    assert (pdu.number("source_addr_ton"), pdu.number("source_addr_npi")) == (1, 1)
    assert pdu.octets("destination_addr") == b"10690001"
    assert (pdu.number("dest_addr_ton"), pdu.number("dest_addr_npi")) == (0, 1)
    assert pdu.octets("short_message") == (
        b"id:8000000000000000001 sub:001 dlvrd:000 submit date:1311010930 "
        b"done date:1311010935 stat:REJECTD err:045 text:"
    )
    assert pdu.tlvs == (
        Tlv(Tag.RECEIPTED_MESSAGE_ID, b"8000000000000000001\0"),
        Tlv(Tag.MESSAGE_STATE, b"\x08"),
    )
    receipt = read_receipt(pdu)
    assert receipt is not None
    assert receipt.message_id == "8000000000000000001"


def test_a_delivered_message_counts_as_one_and_dates_keep_their_zone() -> None:
    beijing = SUBMITTED.astimezone(timezone(timedelta(hours=8)))

    text = decode(ours(stat="DELIVRD", submitted=beijing)).octets("short_message")

    assert b"dlvrd:001 submit date:1311011730 done date:1311010935" in text


@pytest.mark.parametrize(
    "changes",
    [
        {"stat": "BLOCKED"},
        {"message_id": ""},
        {"message_id": "8" * 65},
        {"message_id": "8 stat:DELIVRD"},
        {"err": "错误"},
        {"source": "1" * 21},
        {"destination": "10,69"},
    ],
)
def test_a_receipt_nobody_could_read_is_not_written(changes: dict[str, str]) -> None:
    with pytest.raises(EncodeError):
        ours(**changes)


def test_a_released_messages_receipt_names_the_gateways_id_everywhere() -> None:
    smscs = receipt_of(TEXT, Tlv(0x1400, b"x"), Tlv(0x001E, b"7220AB\0"), Tlv(0x001E, b"7220AB"))

    expected = receipt_of(
        TEXT.replace(b"7220AB", b"80001", 1),
        Tlv(0x1400, b"x"),
        Tlv(0x001E, b"80001\0"),
        Tlv(0x001E, b"80001"),
    )
    assert with_receipt_id(smscs, "80001") == expected


def test_the_id_in_a_payload_is_replaced() -> None:
    smscs = receipt_of(b"", Tlv(Tag.MESSAGE_PAYLOAD, TEXT))

    expected = receipt_of(b"", Tlv(Tag.MESSAGE_PAYLOAD, TEXT.replace(b"7220AB", b"8", 1)))
    assert with_receipt_id(smscs, "8") == expected


def test_the_id_in_a_data_sm_is_replaced() -> None:
    smscs = make(CommandId.DATA_SM, 5, tlvs=(Tlv(0x001E, b"7\0"),))

    assert with_receipt_id(smscs, "8") == make(CommandId.DATA_SM, 5, tlvs=(Tlv(0x001E, b"8\0"),))


def test_the_id_behind_a_header_and_in_ucs2_is_replaced() -> None:
    header = b"\x05\x00\x03\x01\x01\x01"
    text = "😀 id:7 stat:DELIVRD text:😀"
    smscs = receipt_of(header + text.encode("utf-16-be") + b"\xd8", esm_class=0x44)

    expected = text.replace("id:7", "id:80001").encode("utf-16-be")
    assert with_receipt_id(smscs, "80001") == receipt_of(
        header + expected + b"\xd8", esm_class=0x44
    )


@pytest.mark.parametrize("text", [b"", b"stat:DELIVRD", b"id: stat:DELIVRD", b"\xff\xff"])
def test_a_receipt_without_an_id_is_left_alone(text: bytes) -> None:
    assert with_receipt_id(receipt_of(text), "80001") == receipt_of(text)


@given(st.binary(max_size=120), st.sampled_from([0x04, 0x44]), st.binary(max_size=40))
def test_any_text_is_read_and_all_but_the_id_survives(
    text: bytes, esm_class: int, payload: bytes
) -> None:
    smscs = receipt_of(text, Tlv(Tag.MESSAGE_PAYLOAD, payload), esm_class=esm_class)

    receipt = read_receipt(decode(smscs))
    changed = decode(with_receipt_id(smscs, "80001"))

    assert receipt is not None
    if not receipt.text_id:
        assert changed.octets("short_message") == text
    assert changed.number("esm_class") == esm_class


@given(st.binary(max_size=60))
def test_octets_that_are_no_pdu_raise_decode_error(octets: bytes) -> None:
    with pytest.raises(DecodeError):
        with_receipt_id(octets, "80001")


@pytest.mark.parametrize("new_id", ["", "8" * 65, "8 8", "八"])
def test_an_id_no_receipt_can_hold_is_refused(new_id: str) -> None:
    with pytest.raises(EncodeError):
        with_receipt_id(receipt_of(TEXT), new_id)


def test_an_id_that_no_longer_fits_is_refused() -> None:
    smscs = receipt_of(b"id:7 text:" + bytes(b"x" * 240))

    with pytest.raises(EncodeError):
        with_receipt_id(smscs, "8" * 20)
