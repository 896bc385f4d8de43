"""PDUs taken apart and put together: golden octets, then any octets."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp.commands import LAYOUTS, RESPONSE_BIT, CommandId
from gateway.smpp.fields import (
    COctetString,
    Destinations,
    DistributionList,
    FieldValue,
    Integer,
    OctetString,
    SmeAddress,
    Tag,
    Tlv,
    UnsuccessSme,
)
from gateway.smpp.pdu import Pdu, decode, encode, header_only, make, status_of
from gateway.smpp.status import CommandStatus, DecodeError, EncodeError

BIND: dict[str, FieldValue] = {
    "system_id": b"sp1",
    "password": b"secret",
    "system_type": b"",
    "interface_version": 0x34,
    "addr_ton": 0,
    "addr_npi": 0,
    "address_range": b"",
}
BIND_BODY = "737031 00 736563726574 00 00 34 00 00 00"
FROM: dict[str, FieldValue] = {
    "source_addr_ton": 0,
    "source_addr_npi": 1,
    "source_addr": b"10690001",
}
FROM_BODY = "00 01 3130363930303031 00"
TO: dict[str, FieldValue] = {
    "dest_addr_ton": 1,
    "dest_addr_npi": 1,
    "destination_addr": b"8613800138000",
}
TO_BODY = "01 01 38363133383030313338303030 00"
MESSAGE: dict[str, FieldValue] = {
    "esm_class": 0x40,
    "protocol_id": 1,
    "priority_flag": 2,
    "schedule_delivery_time": b"",
    "validity_period": b"000001000000000R",
    "registered_delivery": 1,
    "replace_if_present_flag": 0,
    "data_coding": 8,
    "sm_default_msg_id": 0,
    "short_message": b"Nh",
}
MESSAGE_BODY = "40 01 02 00 30303030303130303030303030303052 00 01 00 08 00 02 4e68"
VERSION = Tlv(Tag.SC_INTERFACE_VERSION, b"\x34")

GOLDEN: list[tuple[CommandId, str, dict[str, FieldValue], tuple[Tlv, ...]]] = [
    (CommandId.BIND_RECEIVER, BIND_BODY, {**BIND}, ()),
    (CommandId.BIND_TRANSMITTER, BIND_BODY, {**BIND}, ()),
    (CommandId.BIND_TRANSCEIVER, BIND_BODY, {**BIND}, ()),
    (
        CommandId.BIND_RECEIVER_RESP,
        "736d7363 00 0210 0001 34",
        {"system_id": b"smsc"},
        (VERSION,),
    ),
    (CommandId.BIND_TRANSMITTER_RESP, "736d7363 00", {"system_id": b"smsc"}, ()),
    (CommandId.BIND_TRANSCEIVER_RESP, "00", {"system_id": b""}, ()),
    (
        CommandId.OUTBIND,
        "736d7363 00 7077 00",
        {"system_id": b"smsc", "password": b"pw"},
        (),
    ),
    (CommandId.UNBIND, "", {}, ()),
    (CommandId.UNBIND_RESP, "", {}, ()),
    (CommandId.GENERIC_NACK, "", {}, ()),
    (CommandId.ENQUIRE_LINK, "", {}, ()),
    (CommandId.ENQUIRE_LINK_RESP, "", {}, ()),
    (
        CommandId.SUBMIT_SM,
        f"434d54 00 {FROM_BODY} {TO_BODY} {MESSAGE_BODY} 1454 0002 abcd",
        {"service_type": b"CMT", **FROM, **TO, **MESSAGE},
        (Tlv(0x1454, b"\xab\xcd"),),
    ),
    (CommandId.SUBMIT_SM_RESP, "3830303031 00", {"message_id": b"80001"}, ()),
    (
        CommandId.DELIVER_SM,
        f"00 {FROM_BODY} {TO_BODY} {MESSAGE_BODY} 0426 0001 00",
        {"service_type": b"", **FROM, **TO, **MESSAGE},
        (Tlv(Tag.MORE_MESSAGES_TO_SEND, b"\0"),),
    ),
    (CommandId.DELIVER_SM_RESP, "00", {"message_id": b""}, ()),
    (
        CommandId.SUBMIT_MULTI,
        f"00 {FROM_BODY} 02 01 {TO_BODY} 02 766970 00 {MESSAGE_BODY}",
        {
            "service_type": b"",
            **FROM,
            "dest_address": (SmeAddress(1, 1, b"8613800138000"), DistributionList(b"vip")),
            **MESSAGE,
        },
        (),
    ),
    (
        CommandId.SUBMIT_MULTI_RESP,
        "37 00 01 01 01 313338 00 00000045",
        {
            "message_id": b"7",
            "unsuccess_sme": (UnsuccessSme(1, 1, b"138", CommandStatus.ESME_RSUBMITFAIL),),
        },
        (),
    ),
    (
        CommandId.DATA_SM,
        f"00 {FROM_BODY} {TO_BODY} 00 01 08 0424 0004 4e004e8c",
        {
            "service_type": b"",
            **FROM,
            **TO,
            "esm_class": 0,
            "registered_delivery": 1,
            "data_coding": 8,
        },
        (Tlv(Tag.MESSAGE_PAYLOAD, b"N\0N\x8c"),),
    ),
    (CommandId.DATA_SM_RESP, "37 00", {"message_id": b"7"}, ()),
    (CommandId.QUERY_SM, f"37 00 {FROM_BODY}", {"message_id": b"7", **FROM}, ()),
    (
        CommandId.QUERY_SM_RESP,
        "37 00 00 01 00",
        {"message_id": b"7", "final_date": b"", "message_state": 1, "error_code": 0},
        (),
    ),
    (
        CommandId.CANCEL_SM,
        f"00 37 00 {FROM_BODY} {TO_BODY}",
        {"service_type": b"", "message_id": b"7", **FROM, **TO},
        (),
    ),
    (CommandId.CANCEL_SM_RESP, "", {}, ()),
    (
        CommandId.REPLACE_SM,
        f"37 00 {FROM_BODY} 00 00 01 00 02 6869",
        {
            "message_id": b"7",
            **FROM,
            "schedule_delivery_time": b"",
            "validity_period": b"",
            "registered_delivery": 1,
            "sm_default_msg_id": 0,
            "short_message": b"hi",
        },
        (),
    ),
    (CommandId.REPLACE_SM_RESP, "", {}, ()),
    (
        CommandId.ALERT_NOTIFICATION,
        "01 01 313338 00 00 01 3130363930303031 00 0422 0001 00",
        {
            "source_addr_ton": 1,
            "source_addr_npi": 1,
            "source_addr": b"138",
            "esme_addr_ton": 0,
            "esme_addr_npi": 1,
            "esme_addr": b"10690001",
        },
        (Tlv(Tag.MS_AVAILABILITY_STATUS, b"\0"),),
    ),
]


def framed(command_id: int, body: bytes, status: int = 0, sequence_number: int = 7) -> bytes:
    return struct.pack(">IIII", 16 + len(body), command_id, status, sequence_number) + body


@pytest.mark.parametrize(("command_id", "body", "fields", "tlvs"), GOLDEN)
def test_golden_octets_of_every_command(
    command_id: CommandId,
    body: str,
    fields: dict[str, FieldValue],
    tlvs: tuple[Tlv, ...],
) -> None:
    octets = framed(command_id, bytes.fromhex(body))

    assert decode(octets) == Pdu(command_id, 0, 7, fields, tlvs)
    assert make(command_id, 7, 0, tlvs=tlvs, **fields) == octets


def test_the_golden_octets_leave_no_command_out() -> None:
    assert {row[0] for row in GOLDEN} == LAYOUTS.keys()


@pytest.mark.parametrize(
    "command_id", [c for c in LAYOUTS if c & RESPONSE_BIT], ids=lambda c: CommandId(c).name
)
def test_an_answer_may_come_without_a_body(command_id: int) -> None:
    octets = framed(command_id, b"", status=CommandStatus.ESME_RSUBMITFAIL)

    answer = decode(octets)

    assert answer == Pdu(command_id, CommandStatus.ESME_RSUBMITFAIL, 7, {})
    assert encode(answer) == octets
    assert make(command_id, 7, CommandStatus.ESME_RSUBMITFAIL) == octets


def test_an_error_may_carry_a_message_id_all_the_same() -> None:
    octets = make(CommandId.SUBMIT_SM_RESP, 7, CommandStatus.ESME_RTHROTTLED, message_id=b"")

    assert octets == framed(CommandId.SUBMIT_SM_RESP, b"\0", CommandStatus.ESME_RTHROTTLED)


@pytest.mark.parametrize("sequence_number", [0, 1, 0x7FFFFFFF, 0xA2859F22, 0xFFFFFFFF])
def test_any_sequence_number_comes_back(sequence_number: int) -> None:
    octets = framed(CommandId.SUBMIT_SM_RESP, b"7\0", sequence_number=sequence_number)

    assert decode(octets).sequence_number == sequence_number
    assert encode(decode(octets)) == octets


def test_unknown_tlvs_their_order_and_stray_octets_survive() -> None:
    tlvs = bytes.fromhex("3fff0001aa 14000000 3fff0001bb 060d00020102 ff")
    octets = framed(CommandId.DATA_SM, bytes(10) + tlvs)

    pdu = decode(octets)

    assert [tlv.tag for tlv in pdu.tlvs] == [0x3FFF, 0x1400, 0x3FFF, 0x060D]
    assert pdu.trailing == b"\xff"
    assert encode(pdu) == octets


def test_what_follows_an_enquire_link_is_kept_and_costs_nobody_the_link() -> None:
    octets = framed(CommandId.ENQUIRE_LINK, b"\xff\xff\xff\xff\xff")

    assert decode(octets).trailing == b"\xff\xff\xff\xff\xff"
    assert encode(decode(octets)) == octets


@pytest.mark.parametrize(
    ("body", "field", "status"),
    [
        ("", "service_type", CommandStatus.ESME_RINVSERTYP),
        ("414141414141 00", "service_type", CommandStatus.ESME_RINVSERTYP),
        ("00", "source_addr_ton", CommandStatus.ESME_RINVSRCTON),
        ("00 00", "source_addr_npi", CommandStatus.ESME_RINVSRCNPI),
        ("00 00 00 31", "source_addr", CommandStatus.ESME_RINVSRCADR),
        (f"00 00 00 {'31' * 21} 00", "source_addr", CommandStatus.ESME_RINVSRCADR),
        (f"00 {FROM_BODY}", "dest_addr_ton", CommandStatus.ESME_RINVDSTTON),
        (f"00 {FROM_BODY} 01", "dest_addr_npi", CommandStatus.ESME_RINVDSTNPI),
        (f"00 {FROM_BODY} 01 01 31", "destination_addr", CommandStatus.ESME_RINVDSTADR),
        (f"00 {FROM_BODY} {TO_BODY}", "esm_class", CommandStatus.ESME_RINVESMCLASS),
        (f"00 {FROM_BODY} {TO_BODY} 00", "protocol_id", CommandStatus.ESME_RINVCMDLEN),
        (f"00 {FROM_BODY} {TO_BODY} 00 00", "priority_flag", CommandStatus.ESME_RINVPRTFLG),
        (
            f"00 {FROM_BODY} {TO_BODY} 000000 {'30' * 17}",
            "schedule_delivery_time",
            CommandStatus.ESME_RINVSCHED,
        ),
        (
            f"00 {FROM_BODY} {TO_BODY} 000000 00 {'30' * 17}",
            "validity_period",
            CommandStatus.ESME_RINVEXPIRY,
        ),
        (
            f"00 {FROM_BODY} {TO_BODY} 000000 00 00",
            "registered_delivery",
            CommandStatus.ESME_RINVREGDLVFLG,
        ),
        (
            f"00 {FROM_BODY} {TO_BODY} 000000 00 00 00",
            "replace_if_present_flag",
            CommandStatus.ESME_RINVREPFLAG,
        ),
        (
            f"00 {FROM_BODY} {TO_BODY} 000000 00 00 00 00",
            "data_coding",
            CommandStatus.ESME_RINVCMDLEN,
        ),
        (
            f"00 {FROM_BODY} {TO_BODY} 000000 00 00 00 00 00",
            "sm_default_msg_id",
            CommandStatus.ESME_RINVDFTMSGID,
        ),
        (
            f"00 {FROM_BODY} {TO_BODY} 000000 00 00 00 00 00 00",
            "short_message",
            CommandStatus.ESME_RINVMSGLEN,
        ),
        (
            f"00 {FROM_BODY} {TO_BODY} 000000 00 00 00 00 00 00 03 6869",
            "short_message",
            CommandStatus.ESME_RINVMSGLEN,
        ),
        (
            f"00 {FROM_BODY} {TO_BODY} 000000 00 00 00 00 00 00 00 0424 0001",
            "TLV 0x0424",
            CommandStatus.ESME_RINVOPTPARSTREAM,
        ),
    ],
)
def test_a_faulty_field_of_a_submit_earns_its_own_status(
    body: str, field: str, status: CommandStatus
) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(framed(CommandId.SUBMIT_SM, bytes.fromhex(body)))
    assert (caught.value.field, caught.value.status) == (field, status)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"s" * 16 + b"\0", CommandStatus.ESME_RINVSYSID),
        (b"sp1\0" + b"p" * 9 + b"\0", CommandStatus.ESME_RINVPASWD),
        (b"sp1\0pw\0" + b"t" * 13 + b"\0", CommandStatus.ESME_RINVSYSTYP),
        (b"sp1\0pw\0\0\x34\0", CommandStatus.ESME_RINVCMDLEN),
        (b"sp1\0pw\0\0\x34\0\0" + b"1" * 41 + b"\0", CommandStatus.ESME_RBINDFAIL),
    ],
)
def test_an_oversized_field_of_a_bind_earns_its_own_status(
    body: bytes, status: CommandStatus
) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(framed(CommandId.BIND_TRANSCEIVER, body))
    assert caught.value.status is status


@pytest.mark.parametrize("command_id", [0, 0x0A, 0x111, 0x7FFFFFFF, 0x80000111, 0xFFFFFFFF])
def test_an_unknown_command_is_answered_as_such(command_id: int) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(framed(command_id, b""))
    assert caught.value.status is CommandStatus.ESME_RINVCMDID


@pytest.mark.parametrize("octets", [b"", bytes(15), framed(4, b"xx")[:-1], framed(21, b"") + b"x"])
def test_octets_that_are_not_one_pdu_are_refused(octets: bytes) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(octets)
    assert caught.value.status is CommandStatus.ESME_RINVCMDLEN


@given(st.sampled_from(sorted(LAYOUTS)), st.binary(max_size=120), st.integers(0, 0xFFFFFFFF))
def test_any_octets_decode_and_come_back_or_raise_decode_error(
    command_id: int, body: bytes, status: int
) -> None:
    octets = framed(command_id, body, status)
    try:
        pdu = decode(octets)
    except DecodeError:
        return
    assert encode(pdu) == octets


@given(st.binary(max_size=60))
def test_octets_without_any_order_never_crash(octets: bytes) -> None:
    try:
        decode(octets)
    except DecodeError as error:
        assert error.status is not CommandStatus.ESME_ROK


def values_of(field: object) -> st.SearchStrategy[FieldValue]:
    match field:
        case Integer(octets=octets):
            return st.integers(0, 256**octets - 1)
        case COctetString(max_octets=most):
            octet = st.integers(1, 255)
            return st.lists(octet, max_size=most - 1).map(bytes)
        case OctetString():
            return st.binary(max_size=255)
        case Destinations():
            return st.lists(
                st.builds(SmeAddress, st.integers(0, 255), st.just(1), st.just(b"138")),
                min_size=1,
                max_size=4,
            ).map(tuple)
        case _:
            return st.lists(
                st.builds(UnsuccessSme, st.just(1), st.just(1), st.just(b"1"), st.just(8)),
                max_size=4,
            ).map(tuple)


@given(st.data(), st.sampled_from(sorted(LAYOUTS)))
def test_any_pdu_of_ours_is_read_back_as_it_was(data: st.DataObject, command_id: int) -> None:
    fields = {field.name: data.draw(values_of(field)) for field in LAYOUTS[command_id]}
    tlvs: tuple[Tlv, ...] = (Tlv(0x1400, b"x"),) if fields else ()
    pdu = Pdu(command_id, 0, 1, fields, tlvs)

    assert decode(encode(pdu)) == pdu


@pytest.mark.parametrize(
    "pdu",
    [
        Pdu(0x111, 0, 1, {}),
        Pdu(CommandId.SUBMIT_SM, 0, 1, {}),
        Pdu(CommandId.UNBIND, 0, -1, {}),
        Pdu(CommandId.UNBIND, 0x1_0000_0000, 1, {}),
        Pdu(CommandId.SUBMIT_SM_RESP, 0, 1, {"message_id": b"7" * 65}),
    ],
)
def test_what_the_wire_cannot_carry_is_our_fault(pdu: Pdu) -> None:
    with pytest.raises(EncodeError):
        encode(pdu)


def test_a_field_the_command_does_not_have_is_our_fault() -> None:
    with pytest.raises(EncodeError, match="message_id, text"):
        make(CommandId.SUBMIT_SM, 1, text=b"hi", message_id=b"7")


def test_a_bind_of_ours_speaks_3_4_unless_told_otherwise() -> None:
    assert decode(make(CommandId.BIND_TRANSMITTER, 1)).number("interface_version") == 0x34


def test_fields_are_read_by_kind_and_absent_ones_are_empty() -> None:
    pdu = Pdu(CommandId.QUERY_SM, 0, 1, {"message_id": b"7", "source_addr_ton": 1})

    assert pdu.octets("message_id") == b"7"
    assert pdu.number("source_addr_ton") == 1
    assert pdu.octets("short_message") == b""
    assert pdu.number("esm_class") == 0
    assert pdu.octets("source_addr_ton") == b""
    assert pdu.number("message_id") == 0


@pytest.mark.parametrize(
    ("command_id", "status", "expected"),
    [
        (CommandId.SUBMIT_SM_RESP, 0, 0),
        (CommandId.SUBMIT_SM_RESP, 0x58, 0x58),
        (CommandId.GENERIC_NACK, 0, CommandStatus.ESME_RSUBMITFAIL),
        (CommandId.GENERIC_NACK, 3, 3),
    ],
)
def test_a_generic_nack_is_a_failure_whatever_its_status(
    command_id: CommandId, status: int, expected: int
) -> None:
    assert status_of(header_only(command_id, status, 1), CommandStatus.ESME_RSUBMITFAIL) == expected
