import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators import builders, wire
from simulators.smsc.witness import agrees, decode, encode
from simulators.wire import CommandId, Tag

TEXT = "【青禾生活】到货提醒"


def test_a_submit_sm_stands_on_the_wire_as_the_specification_draws_it() -> None:
    octets = builders.submit_sm(
        "10690001",
        "13800138000",
        b"hi",
        data_coding=0,
        esm_class=3,
        registered_delivery=1,
        tlvs=[(0x1401, b"\xff")],
        sequence=7,
        service_type="CMT",
        schedule="240102093000032+",
        validity="000000010000000R",
    )

    assert octets.hex(" ") == (
        "00 00 00 5e 00 00 00 04 00 00 00 00 00 00 00 07 "
        "43 4d 54 00 01 01 31 30 36 39 30 30 30 31 00 01 01 31 33 38 30 30 31 33 38 30 30 30 00 "
        "03 00 00 32 34 30 31 30 32 30 39 33 30 30 30 30 33 32 2b 00 "
        "30 30 30 30 30 30 30 31 30 30 30 30 30 30 30 52 00 "
        "01 00 00 00 02 68 69 14 01 00 01 ff"
    )


@given(
    st.binary(max_size=254),
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(0, 255),
)
def test_smpplib_reads_a_submit_sm_as_it_was_built(
    octets: bytes, data_coding: int, esm_class: int, registered_delivery: int
) -> None:
    built = builders.submit_sm(
        "10690001",
        "13800138000",
        octets,
        data_coding=data_coding,
        esm_class=esm_class,
        registered_delivery=registered_delivery,
    )

    message = wire.read_message(built)

    assert message == wire.Message(
        "10690001", ("13800138000",), esm_class, registered_delivery, data_coding, octets
    )
    assert agrees(built, message)


def test_the_witness_notices_a_field_that_was_read_otherwise() -> None:
    built = builders.submit_sm("10690001", "13800138000", b"hi")
    message = wire.read_message(built)

    for changed in (
        message._replace(source="10690002"),
        message._replace(destinations=("13800138001",)),
        message._replace(octets=b"ho"),
        message._replace(data_coding=0),
        message._replace(esm_class=1),
        message._replace(registered_delivery=1),
    ):
        assert not agrees(built, changed)
    assert not agrees(built[:20], message)


def test_a_deliver_sm_is_what_smpplib_builds() -> None:
    octets = builders.ucs2(TEXT)
    tlvs = [(0x1401, b"\x00\xff")]

    built = builders.deliver_sm("13800138000", "10690001", octets, tlvs=tlvs, sequence=5)

    assert built == encode(
        "deliver_sm",
        5,
        tlvs,
        source_addr_ton=1,
        source_addr_npi=1,
        source_addr="13800138000",
        dest_addr_ton=1,
        dest_addr_npi=1,
        destination_addr="10690001",
        data_coding=8,
        short_message=octets,
    )


@pytest.mark.parametrize(
    ("kind", "command"),
    [("rx", "bind_receiver"), ("tx", "bind_transmitter"), ("trx", "bind_transceiver")],
)
def test_a_bind_is_what_smpplib_reads(kind: str, command: str) -> None:
    request = decode(builders.bind("sp1", "secret", kind=kind, system_type="VMA"))

    assert request is not None
    assert request.command == command
    assert (request.system_id, request.password) == (b"sp1", b"secret")
    assert (request.system_type, request.interface_version) == (b"VMA", 0x34)


def test_a_message_payload_is_read_where_short_message_is_empty() -> None:
    built = builders.payload_submit_sm("10690001", "13800138000", b"x" * 60_000)

    assert wire.read_message(built).octets == b"x" * 60_000


def test_an_innocent_short_message_may_stand_beside_a_payload() -> None:
    built = builders.payload_submit_sm("10690001", "13800138000", b"bad", short_message=b"good")

    assert wire.read_message(built).octets == b"good"
    assert built.endswith(wire.tlv_octets([(Tag.MESSAGE_PAYLOAD, b"bad")]))


def test_a_submit_multi_names_addresses_and_lists() -> None:
    built = builders.submit_multi(
        "10690001", ["13800138000", "13800138001"], b"hi", distribution_lists=["staff"]
    )

    message = wire.read_message(built)

    assert message.destinations == ("13800138000", "13800138001", "staff")
    assert message.octets == b"hi"


def test_a_data_sm_is_what_smpplib_reads() -> None:
    built = builders.data_sm("10690001", "13800138000", b"hi", data_coding=4, registered_delivery=1)

    request = decode(built)

    assert request is not None
    assert (request.message_payload, request.data_coding) == (b"hi", 4)
    assert wire.read_message(built).octets == b"hi"


def test_requests_about_a_message_carry_its_id_first() -> None:
    query = builders.query_sm("42", "10690001")
    replace = builders.replace_sm("42", "10690001", b"new")
    cancel = builders.cancel_sm("42", "10690001", "13800138000")

    assert wire.c_string(query, 16)[0] == "42"
    assert wire.c_string(replace, 16)[0] == "42"
    assert replace.endswith(b"\x03new")
    assert wire.c_string(cancel, 17)[0] == "42"


def test_an_alert_notification_is_what_smpplib_reads() -> None:
    alert = decode(builders.alert_notification("13800138000", "10690001"))

    assert alert is not None
    assert (alert.source_addr, alert.esme_addr) == (b"13800138000", b"10690001")


@given(st.binary(max_size=1000), st.booleans())
def test_parts_with_a_udh_carry_the_whole_text(octets: bytes, wide: bool) -> None:  # noqa: FBT001
    parts = builders.udh_parts(octets, 0x2A, wide=wide)

    head = 7 if wide else 6
    assert b"".join(part[head:] for part in parts) == octets
    assert all(len(part) <= builders.SEGMENT_OCTETS and part[0] == head - 1 for part in parts)
    assert [tuple(part[head - 2 : head]) for part in parts] == [
        (len(parts), number) for number in range(1, len(parts) + 1)
    ]


@given(st.binary(max_size=1000))
def test_parts_with_sar_tlvs_carry_the_whole_text(octets: bytes) -> None:
    parts = builders.sar_parts(octets, 0x1234)

    assert b"".join(piece for piece, _ in parts) == octets
    for number, (_, tlvs) in enumerate(parts, start=1):
        assert dict(tlvs) == {
            Tag.SAR_MSG_REF_NUM: b"\x12\x34",
            Tag.SAR_TOTAL_SEGMENTS: bytes((len(parts),)),
            Tag.SAR_SEGMENT_SEQNUM: bytes((number,)),
        }


def test_no_ucs2_character_is_cut_in_two() -> None:
    parts = builders.udh_parts(builders.ucs2("一" * 200), 1, room=135)

    assert all(len(part[6:]) % 2 == 0 for part in parts)


def test_control_requests_are_a_header_alone() -> None:
    assert wire.header_of(builders.enquire_link(3)) == (16, CommandId.ENQUIRE_LINK, 0, 3)
    assert wire.header_of(builders.unbind(4)) == (16, CommandId.UNBIND, 0, 4)
