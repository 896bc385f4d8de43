"""Reading the text out of any request that can carry one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dataplane.carriers import Carrier, read_carrier
from gateway.domain.msisdn import with_plus
from gateway.smpp import gsm0338
from gateway.smpp.commands import CommandId
from gateway.smpp.fields import DistributionList, SmeAddress, Tag
from gateway.smpp.gsm0338 import Shift
from gateway.smpp.pdu import HEADER, HEADER_OCTETS, SUBMIT_SM
from gateway.smpp.status import CommandStatus, DecodeError
from gateway.smpp.udh import Concat
from simulators import builders
from tests.dataplane.conftest import DUBIOUS, PORT, SPAM, SUBSCRIBER, UDHI, advert, sar, udh
from tests.septets import pack

TEXT = builders.ucs2(SPAM)
JUDGED = (CommandId.SUBMIT_SM, CommandId.SUBMIT_MULTI, CommandId.DATA_SM, CommandId.REPLACE_SM)


def octets_of(carrier: Carrier) -> tuple[bytes, ...]:
    return tuple(piece.octets for piece in carrier.pieces)


def payload(octets: bytes) -> tuple[int, bytes]:
    return Tag.MESSAGE_PAYLOAD, octets


@pytest.mark.parametrize(
    "pdu",
    [
        advert(octets=TEXT),
        builders.payload_submit_sm(PORT, SUBSCRIBER, TEXT),
        builders.submit_multi(PORT, [SUBSCRIBER], TEXT),
        builders.submit_multi(PORT, [SUBSCRIBER], b"", tlvs=[payload(TEXT)]),
        builders.data_sm(PORT, SUBSCRIBER, TEXT),
        builders.replace_sm("17", PORT, TEXT),
        builders.replace_sm("17", PORT, b"", tlvs=[payload(TEXT)]),
        advert(octets=udh("udh8", 1, b"\1\1") + TEXT, esm_class=UDHI),
        builders.data_sm(PORT, SUBSCRIBER, udh("udh16", 1, b"\1\1") + TEXT, esm_class=UDHI),
    ],
)
def test_the_text_is_found_wherever_a_request_may_carry_it(pdu: bytes) -> None:
    carrier = read_carrier(pdu)

    assert TEXT in octets_of(carrier)
    assert any(SPAM in text for piece in carrier.texts() for text in piece)


def test_addresses_coding_and_receipt_are_read() -> None:
    carrier = read_carrier(advert(data_coding=15, registered_delivery=1))

    assert (carrier.source, carrier.destination) == (PORT.encode(), SUBSCRIBER.encode())
    assert (carrier.data_coding, carrier.registered) == (15, 1)
    assert carrier.destinations == ()


@given(
    st.from_regex(rb"\+?(86)?1[0-9]{9,12}", fullmatch=True),
    st.integers(0, 6),
    st.booleans(),
)
def test_a_destination_bears_the_plus_that_its_type_stands_for(
    address: bytes,
    ton: int,
    is_data_sm: bool,  # noqa: FBT001 - drawn
) -> None:
    build = builders.data_sm if is_data_sm else builders.submit_sm
    usual = builders.address(address.decode())
    pdu = build(PORT, address.decode(), TEXT).replace(usual, bytes((ton, 1)) + usual[2:])

    carrier = read_carrier(pdu)

    assert carrier.destination == with_plus(address, ton)
    assert carrier.pdu.octets("destination_addr") == address
    quickly = None if is_data_sm else SUBMIT_SM.match(pdu, HEADER_OCTETS)
    assert quickly is None or quickly[2] == carrier.destination
    assert is_data_sm or (quickly is None) is (carrier.destination != address)


def test_every_destination_of_many_is_read() -> None:
    pdu = builders.submit_multi(PORT, [SUBSCRIBER], TEXT, distribution_lists=["friends"])

    assert read_carrier(pdu).destinations == (
        SmeAddress(1, 1, SUBSCRIBER.encode()),
        DistributionList(b"friends"),
    )


def test_a_text_in_two_places_is_read_in_both() -> None:
    pdu = advert("您好", tlvs=[payload(TEXT), payload(b""), payload(b"x")])

    assert octets_of(read_carrier(pdu)) == (builders.ucs2("您好"), TEXT, b"x")


def test_a_message_without_a_text_has_no_pieces() -> None:
    carrier = read_carrier(advert(octets=b"", esm_class=UDHI))

    assert (carrier.pieces, carrier.concats, carrier.texts()) == ((), (), ())


def test_a_header_without_a_text_behind_it_still_tells_the_part() -> None:
    carrier = read_carrier(advert(octets=udh("udh8", 5, b"\2\1"), esm_class=UDHI))

    assert carrier.pieces == ()
    assert carrier.concats == (Concat("udh8", 5, 2, 1),)


@pytest.mark.parametrize("octets", [b"\x05", b"\xff" * 3, b"\x02\x00\x03", b"\x05\x00\x03\1"])
def test_a_header_that_does_not_fit_is_the_senders_fault(octets: bytes) -> None:
    with pytest.raises(DecodeError) as caught:
        read_carrier(advert(octets=octets, esm_class=UDHI))

    assert caught.value.status is CommandStatus.ESME_RINVESMCLASS


def test_a_ninth_text_is_too_many() -> None:
    eight = [payload(b"x")] * 8

    assert len(read_carrier(advert(octets=b"", tlvs=eight)).pieces) == 8
    with pytest.raises(DecodeError) as caught:
        read_carrier(advert("您好", tlvs=eight))
    assert caught.value.status is CommandStatus.ESME_RINVOPTPARAMVAL


def test_ten_thousand_empty_payloads_are_no_text() -> None:
    assert octets_of(read_carrier(advert("您好", tlvs=[payload(b"")] * 10_000))) == (
        builders.ucs2("您好"),
    )


def test_a_header_and_tlvs_that_agree_are_one_claim() -> None:
    pdu = advert(octets=udh("udh8", 7, b"\2\1") + TEXT, esm_class=UDHI, tlvs=sar(7, b"\2\1"))

    assert read_carrier(pdu).concats == (Concat("udh8", 7, 2, 1),)


def test_every_claim_counts_when_they_do_not_agree() -> None:
    first, second = udh("udh8", 1, b"\2\1")[1:], udh("udh8", 2, b"\2\1")[1:]
    octets = bytes((len(first + second),)) + first + second + TEXT
    tlvs = [*sar(3, b"\2\1"), *sar(4, b"\2\1")]

    claims = read_carrier(advert(octets=octets, esm_class=UDHI, tlvs=tlvs)).concats

    assert {claim.reference for claim in claims} == {1, 2, 3, 4}


def test_counts_that_make_no_sense_make_no_part() -> None:
    pdu = advert(octets=udh("udh8", 7, b"\2\3") + TEXT, esm_class=UDHI)

    assert read_carrier(pdu).concats == ()


@pytest.mark.parametrize("kind", ["udh8", "udh16"])
def test_packed_text_behind_a_header_is_read(kind: str) -> None:
    header = udh(kind, 7, b"\1\1")
    septets = gsm0338.encode("claim your free money at once")
    # The text begins at the next septet after the header (3GPP TS 23.040, 9.2.3.24).
    fill_bits = -8 * len(header) % 7
    bits = int.from_bytes(pack(septets), "little") << fill_bits
    packed = bits.to_bytes(-(-(7 * len(septets) + fill_bits) // 8), "little")

    carrier = read_carrier(advert(octets=header + packed, esm_class=UDHI, data_coding=0))

    assert any("free money" in text for piece in carrier.texts() for text in piece)


@pytest.mark.parametrize("kind", ["udh8", "udh16"])
def test_a_new_text_is_read_with_and_without_a_header(kind: str) -> None:
    """Whether the message it replaces has one, replace_sm does not say."""
    pdu = builders.replace_sm("17", PORT, udh(kind, 7, b"\2\2") + TEXT)

    carrier = read_carrier(pdu)

    assert octets_of(carrier) == (udh(kind, 7, b"\2\2") + TEXT, TEXT)
    assert carrier.concats == (Concat(kind, 7, 2, 2),)


def test_a_new_text_says_nothing_of_its_coding_so_all_are_tried() -> None:
    for text in (SPAM, DUBIOUS):
        for octets in (text.encode("gbk"), text.encode(), builders.ucs2(text)):
            carrier = read_carrier(builders.replace_sm("17", PORT, octets))
            assert any(text in reading for piece in carrier.texts() for reading in piece)


LYING = ["07 00 05 31 02 01 70 00", "08 00 02 31 02 02 02 01 00", "08 08 06 01 31 02 02 70 00"]


@pytest.mark.parametrize("header", LYING)
def test_an_element_whose_length_lies_is_the_senders_fault(header: str) -> None:
    octets = bytes.fromhex(header) + TEXT
    for pdu in (
        advert(octets=octets, esm_class=UDHI),
        advert(octets=b"", esm_class=UDHI, tlvs=[payload(octets)]),
        builders.data_sm(PORT, SUBSCRIBER, octets, esm_class=UDHI),
        builders.submit_multi(PORT, [SUBSCRIBER], octets, esm_class=UDHI),
    ):
        with pytest.raises(DecodeError) as caught:
            read_carrier(pdu)

        assert caught.value.status is CommandStatus.ESME_RINVESMCLASS


@pytest.mark.parametrize("header", LYING)
def test_a_new_text_behind_a_lying_header_is_the_part_that_phones_see(header: str) -> None:
    carrier = read_carrier(builders.replace_sm("17", PORT, bytes.fromhex(header) + TEXT))

    assert [claim.total for claim in carrier.concats] == [2]


@pytest.mark.parametrize(
    "tlvs",
    [
        [*sar(7, b"\2\1")[:2], (Tag.SAR_SEGMENT_SEQNUM, b"\0\1")],
        [(Tag.SAR_MSG_REF_NUM, b"\7"), *sar(7, b"\2\1")[1:]],
        sar(7, b"\2\1")[1:],
    ],
)
def test_sar_tlvs_that_are_not_as_specified_are_the_senders_fault(
    tlvs: list[tuple[int, bytes]],
) -> None:
    for pdu in (advert(tlvs=tlvs), builders.replace_sm("17", PORT, TEXT, tlvs=tlvs)):
        with pytest.raises(DecodeError) as caught:
            read_carrier(pdu)

        assert caught.value.status is CommandStatus.ESME_RINVOPTPARAMVAL


def test_a_new_text_may_be_as_long_as_a_handset_shows() -> None:
    longest = "好" * 800

    def replacing(text: str) -> bytes:
        return builders.replace_sm("17", PORT, b"", tlvs=[payload(builders.ucs2(text))])

    assert octets_of(read_carrier(replacing(longest))) == (builders.ucs2(longest),)
    with pytest.raises(DecodeError) as caught:
        read_carrier(replacing(longest + "好"))
    assert caught.value.status is CommandStatus.ESME_RINVMSGLEN
    longer = advert(octets=b"", tlvs=[payload(builders.ucs2(longest + "好"))])
    assert octets_of(read_carrier(longer)) == (builders.ucs2(longest + "好"),)


@given(command_id=st.sampled_from(JUDGED), body=st.binary(max_size=200))
def test_any_octets_are_read_or_raise_decode_error(command_id: int, body: bytes) -> None:
    try:
        carrier = read_carrier(HEADER.pack(16 + len(body), command_id, 0, 1) + body)
    except DecodeError as error:
        assert error.status is not CommandStatus.ESME_ROK
    else:
        assert len(carrier.pieces) == len(carrier.texts())
        assert all(octets in body for octets in octets_of(carrier))


@given(octets=st.binary(max_size=200), esm_class=st.integers(0, 255), coding=st.integers(0, 255))
def test_any_text_is_read_or_is_the_senders_fault(
    octets: bytes, esm_class: int, coding: int
) -> None:
    pdu = builders.data_sm(PORT, SUBSCRIBER, octets, esm_class=esm_class, data_coding=coding)
    try:
        carrier = read_carrier(pdu)
    except DecodeError as error:
        assert esm_class & UDHI
        assert error.status is CommandStatus.ESME_RINVESMCLASS
    else:
        assert all(texts for texts in carrier.texts())


def test_a_header_of_a_replaced_text_may_name_its_tables() -> None:
    loan = bytes.fromhex("40 52 42 50 20 09 26")
    carrier = read_carrier(builders.replace_sm("17", PORT, b"\x03\x25\x01\x06" + loan))

    texts = [text for piece in carrier.texts() for text in piece]

    assert "बीमा ऋण" in texts
    assert [piece.shift for piece in carrier.pieces] == [None, Shift(6, 0)]


def test_a_replaced_text_whose_header_names_no_table_has_none() -> None:
    carrier = read_carrier(builders.replace_sm("17", PORT, b"\x03\x25\x01\x0etext"))

    assert [piece.shift for piece in carrier.pieces] == [None]


def test_a_name_beside_the_text_stands_for_nothing_that_the_text_must_show() -> None:
    name = (int(Tag.CALLBACK_NUM_ATAG), b"\x01Reply STOP")
    alone = read_carrier(advert("您好", tlvs=[name]))
    two = read_carrier(advert("您好", tlvs=[name, payload(TEXT)]))
    nothing = read_carrier(advert(octets=b"", tlvs=[name]))

    assert alone.rivals(alone.texts()) == (("您好",),)
    assert two.rivals(two.texts()) == (("您好",), (SPAM,))
    assert nothing.rivals(nothing.texts()) == ()
    assert alone.tags == ((1, b"Reply STOP"),)
