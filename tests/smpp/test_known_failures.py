"""What broke other SMPP stacks, one test each."""

import pytest

from gateway.smpp.commands import CommandId
from gateway.smpp.fields import Tag, Tlv
from gateway.smpp.pdu import HEADER, Pdu, decode, encode, make
from gateway.smpp.status import CommandStatus, DecodeError
from gateway.smpp.text import readings
from gateway.smpp.udh import split_udh


def submit(**fields: int | bytes) -> bytes:
    return make(
        CommandId.SUBMIT_SM,
        1,
        0,
        tlvs=(),
        source_addr=b"10690001",
        destination_addr=b"13800138000",
        **fields,
    )


def with_honest_length(pdu: bytes) -> bytes:
    return len(pdu).to_bytes(4, "big") + pdu[4:]


def test_a_header_announced_in_an_empty_message_is_no_null_pointer() -> None:
    pdu = decode(submit(esm_class=0x40))

    with pytest.raises(DecodeError):
        split_udh(pdu.octets("short_message"))


def test_sm_length_255_overflows_nothing() -> None:
    honest = submit(short_message=bytes(255))
    lying = with_honest_length(honest[:-255] + b"hi")

    assert decode(honest).octets("short_message") == bytes(255)
    with pytest.raises(DecodeError) as caught:
        decode(lying)
    assert caught.value.status is CommandStatus.ESME_RINVMSGLEN


@pytest.mark.parametrize(
    "pdu",
    [
        submit(short_message=b"hello", validity_period=b"000001000000000R"),
        make(CommandId.BIND_TRANSCEIVER, 1, system_id=b"sp1", password=b"secret"),
    ],
    ids=["submit_sm", "bind_transceiver"],
)
def test_a_body_cut_anywhere_is_refused_before_anything_is_read_past_it(pdu: bytes) -> None:
    for end in range(16, len(pdu)):
        with pytest.raises(DecodeError):
            decode(with_honest_length(pdu[:end]))


@pytest.mark.parametrize("octets", [0, 1, 254, 65_535])
def test_the_longest_payload_is_carried(octets: int) -> None:
    tlvs = (Tlv(Tag.MESSAGE_PAYLOAD, b"\x4e" * octets),)
    pdu = make(CommandId.DATA_SM, 1, tlvs=tlvs)

    assert decode(pdu).tlvs == tlvs
    assert readings(tlvs[0].value, 8)


@pytest.mark.parametrize(
    "pdu",
    [
        submit(
            schedule_delivery_time=b"000000020000000R",
            validity_period=b"991231235959948+",
            esm_class=0x40,
            short_message=bytes.fromhex("050003ab0201") + "代开".encode("utf-16-be"),
        ),
        submit(data_coding=0x18, short_message=b"\xfe\xff" + "代开".encode("utf-16-be")),
        submit(data_coding=15, short_message="代开".encode("gbk")),
        submit(data_coding=8, short_message=b"\x4e\x2d\x4e"),
        submit(data_coding=0, short_message=b"\xfc\xff"),
        with_honest_length(submit() + bytes.fromhex("1454000101 060d0000 14010001ff 00")),
    ],
    ids=["dates and header", "byte order mark", "GBK", "odd UCS-2", "binary under 0", "TLVs"],
)
def test_a_message_taken_apart_goes_together_octet_by_octet(pdu: bytes) -> None:
    assert encode(decode(pdu)) == pdu


def test_one_octet_too_few_costs_a_message_not_the_session() -> None:
    short = with_honest_length(submit(short_message=b"hello")[:-1])

    with pytest.raises(DecodeError) as caught:
        decode(short)
    assert caught.value.field == "short_message"


@pytest.mark.parametrize("tag", [0x0000, 0x0426, 0x060D, 0x1400, 0x1454, 0x3FFF, 0xFFFF])
def test_a_tag_nobody_expects_is_carried(tag: int) -> None:
    pdu = make(CommandId.DELIVER_SM, 1, tlvs=(Tlv(tag, b"\x01"),))

    assert decode(pdu).tlvs == (Tlv(tag, b"\x01"),)


@pytest.mark.parametrize("data_coding", range(256))
def test_no_octet_under_any_data_coding_stops_the_reading(data_coding: int) -> None:
    for octet in range(256):
        assert readings(bytes((octet,)) * 3, data_coding)


@pytest.mark.parametrize("status", [34, 0x400, 0x4FF, 0xFFFFFFFF])
def test_a_status_nobody_knows_is_carried(status: int) -> None:
    pdu = HEADER.pack(16, CommandId.SUBMIT_SM_RESP, status, 1)

    assert decode(pdu) == Pdu(CommandId.SUBMIT_SM_RESP, status, 1, {})


def test_a_deliver_sm_resp_may_name_a_message() -> None:
    pdu = make(CommandId.DELIVER_SM_RESP, 1, message_id=b"77")

    assert decode(pdu).octets("message_id") == b"77"


def test_no_error_tells_a_text_or_a_number() -> None:
    number, text = b"13800138000", b"secret text"
    broken = [
        submit(short_message=text)[:-1],
        submit().replace(number + b"\0", number * 3 + b"\0"),
        submit() + b"\x04\x24\x00\xff" + text,
    ]

    for pdu in broken:
        with pytest.raises(DecodeError) as caught:
            decode(with_honest_length(pdu))
        assert number.decode() not in str(caught.value)
        assert "secret" not in str(caught.value)
