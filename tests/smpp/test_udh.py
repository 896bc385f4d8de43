"""User data headers, honest and hostile, and the parts they number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.smpp.fields import Tag, Tlv
from gateway.smpp.gsm0338 import Shift
from gateway.smpp.status import CommandStatus, DecodeError
from gateway.smpp.udh import (
    Concat,
    Element,
    check_elements,
    check_sar,
    claims_of_octets,
    concat_of,
    shift_of,
    split_udh,
)


def sar(
    reference: bytes = b"\x12\x34", total: bytes = b"\x03", number: bytes = b"\x02"
) -> list[Tlv]:
    return [
        Tlv(Tag.SAR_MSG_REF_NUM, reference),
        Tlv(Tag.SAR_TOTAL_SEGMENTS, total),
        Tlv(Tag.SAR_SEGMENT_SEQNUM, number),
    ]


def test_a_header_is_taken_off_the_text() -> None:
    octets = bytes.fromhex("05 00 03 ab 03 02") + b"text"

    assert split_udh(octets) == ((Element(0x00, b"\xab\x03\x02"),), b"text")


def test_several_elements_keep_their_order() -> None:
    octets = bytes.fromhex("0c 05 04 0b8423f0 08 04 1234 02 01") + b"text"

    assert split_udh(octets) == (
        (Element(0x05, bytes.fromhex("0b8423f0")), Element(0x08, bytes.fromhex("12340201"))),
        b"text",
    )


def test_an_empty_header_and_an_empty_element_are_fine() -> None:
    assert split_udh(b"\0text") == ((), b"text")
    assert split_udh(b"\x02\x70\x00") == ((Element(0x70, b""),), b"")


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\x01",
        b"\x05\x00\x03\xab\x03",
        b"\xfftext",
        b"\x01\x00text",
        b"\x05\x00\x04ab\x01text",
    ],
    ids=["nothing", "only a length", "cut", "far too long", "half an element", "element too long"],
)
def test_a_header_that_does_not_fit_earns_an_answer_not_a_crash(octets: bytes) -> None:
    with pytest.raises(DecodeError) as caught:
        split_udh(octets)
    assert caught.value.status is CommandStatus.ESME_RINVESMCLASS
    assert caught.value.field == "user_data_header"


@given(st.binary(max_size=60))
def test_any_octets_decode_or_raise_decode_error(octets: bytes) -> None:
    try:
        elements, text = split_udh(octets)
    except DecodeError:
        return
    header = b"".join(bytes((e.iei, len(e.value))) + e.value for e in elements)
    assert bytes((len(header),)) + header + text == octets


@pytest.mark.parametrize(
    ("elements", "tlvs", "concat"),
    [
        ([Element(0x00, b"\xab\x03\x02")], [], Concat("udh8", 0xAB, 3, 2)),
        ([Element(0x08, b"\x12\x34\x03\x02")], [], Concat("udh16", 0x1234, 3, 2)),
        ([], sar(), Concat("sar", 0x1234, 3, 2)),
        ([Element(0x00, b"\xab\x04\x01")], sar(), Concat("udh8", 0xAB, 4, 1)),
        (
            [Element(0x00, b"\x01\x02\x01"), Element(0x08, b"\x00\x02\x03\x03")],
            [],
            Concat("udh16", 2, 3, 3),
        ),
        (
            [Element(0x05, b"\x00\x00\x00\x00"), Element(0x00, b"\xab\x03\x02")],
            [],
            Concat("udh8", 0xAB, 3, 2),
        ),
        ([Element(0x00, b"\xab\x03\x00")], sar(), Concat("sar", 0x1234, 3, 2)),
    ],
    ids=["8 bit", "16 bit", "sar", "both", "two elements", "after a port", "senseless header"],
)
def test_a_part_says_which_it_is(elements: list[Element], tlvs: list[Tlv], concat: Concat) -> None:
    assert concat_of(elements, tlvs) == concat


@pytest.mark.parametrize(
    ("elements", "tlvs"),
    [
        ([], []),
        ([Element(0x00, b"\xab\x00\x00")], []),
        ([Element(0x00, b"\xab\x03\x00")], []),
        ([Element(0x00, b"\xab\x03\x04")], []),
        ([Element(0x00, b"\xab\x03")], []),
        ([Element(0x08, b"\xab\x03\x01")], []),
        ([Element(0x70, b"\xab\x03\x01")], []),
        ([], sar(total=b"\0")),
        ([], sar(number=b"\0")),
        ([], sar(number=b"\x04")),
        ([], sar(reference=b"\x12")),
        ([], sar(total=b"\0\x03")),
        ([], sar(number=b"")),
        ([], sar()[:2]),
    ],
)
def test_what_makes_no_sense_stands_alone(elements: list[Element], tlvs: list[Tlv]) -> None:
    assert concat_of(elements, tlvs) is None


LYING = [
    "00 05 31 02 01 70 00",  # the number and an element inside a longer one
    "00 02 31 02 02 01 00",
    "08 06 01 31 02 02 70 00",
    "08 03 01 31 02",
    "04 07 10 20 00 03 31 02 01",  # ports: a phone reads two octets, and a part behind them
    "05 02 10 20",
    "24 06 01 00 03 31 02 01",
    "25 00",
    "01 05 00 03 31 02 01",
]


@pytest.mark.parametrize("elements", LYING)
def test_an_element_of_another_length_than_the_standards_is_malformed(elements: str) -> None:
    octets = bytes.fromhex(elements)
    found, _ = split_udh(bytes((len(octets),)) + octets)

    with pytest.raises(DecodeError) as caught:
        check_elements(found)

    assert caught.value.status is CommandStatus.ESME_RINVESMCLASS


def test_elements_of_the_standards_length_and_unknown_ones_are_fine() -> None:
    octets = bytes.fromhex(
        "00 03 310201 05 04 10202030 24 01 01 25 01 06 01 02 8001 70 00 c0 03 010203"
    )
    found, _ = split_udh(bytes((len(octets),)) + octets)

    check_elements(found)


@pytest.mark.parametrize(
    "tlvs",
    [
        sar(reference=b"\x12"),
        sar(total=b"\0\x03"),
        sar(number=b"\0\x02"),
        sar(number=b""),
        [*sar(), Tlv(Tag.SAR_SEGMENT_SEQNUM, b"\0\x02")],
        sar()[:2],
        sar()[1:],
        sar()[1:2],
        [sar()[0], sar()[2]],
    ],
)
def test_sar_tlvs_that_an_smsc_may_read_differently_are_malformed(tlvs: list[Tlv]) -> None:
    with pytest.raises(DecodeError) as caught:
        check_sar(tlvs)

    assert caught.value.status is CommandStatus.ESME_RINVOPTPARAMVAL


@pytest.mark.parametrize("tlvs", [[], sar(), sar()[:1], [*sar(), *sar(b"\0\7")]])
def test_whole_sets_and_a_reference_by_itself_are_fine(tlvs: list[Tlv]) -> None:
    check_sar([*tlvs, Tlv(Tag.USER_MESSAGE_REFERENCE, b"\1")])


@pytest.mark.parametrize(
    ("elements", "claims"),
    [
        ("00 05 31 02 01 70 00", [Concat("udh8", 0x31, 2, 1)]),
        ("08 00 02 31 02 02", [Concat("udh16", 0x231, 2, 2)]),
        ("04 07 10 20 00 03 31 02 01", [Concat("udh8", 0x31, 2, 1)]),
        ("00 03 31 02 01 70 63", [Concat("udh8", 0x31, 2, 1)]),
        ("00 03 31 02 01 70", [Concat("udh8", 0x31, 2, 1)]),
        ("00 03 31 02 03", []),
        ("00 03 31", []),
        ("70 03 00 03 31", []),
    ],
)
def test_a_header_is_read_as_phones_read_it(elements: str, claims: list[Concat]) -> None:
    octets = bytes.fromhex(elements)

    assert list(claims_of_octets(bytes((len(octets),)) + octets + b"text")) == claims


@given(st.binary(max_size=60))
def test_any_octets_have_claims_or_none(octets: bytes) -> None:
    claims = claims_of_octets(octets)

    assert all(1 <= claim.number <= claim.total for claim in claims)


@pytest.mark.parametrize(
    ("elements", "shift"),
    [
        ([], None),
        ([Element(0x00, b"\xab\x03\x02")], None),
        ([Element(0x25, b"\x01")], Shift(1, 0)),
        ([Element(0x24, b"\x0d")], Shift(0, 13)),
        ([Element(0x24, b"\x06"), Element(0x25, b"\x06")], Shift(6, 6)),
        ([Element(0x25, b"\x06"), Element(0x70, b""), Element(0x25, b"\x06")], Shift(6, 0)),
        ([Element(0x25, b"\x00")], Shift(0, 0)),
    ],
)
def test_a_header_names_national_language_tables(
    elements: list[Element], shift: Shift | None
) -> None:
    assert shift_of(elements) == shift


@pytest.mark.parametrize(
    "elements",
    [
        [Element(0x25, b"\x0e")],
        [Element(0x24, b"\xff")],
        [Element(0x25, b"")],
        [Element(0x24, b"\x01\x01")],
        [Element(0x25, b"\x01"), Element(0x25, b"\x06")],
        [Element(0x24, b"\x01"), Element(0x24, b"\x00")],
    ],
    ids=["beyond Urdu", "far beyond", "empty", "two octets", "two tables", "a table and none"],
)
def test_tables_that_phones_would_guess_at_are_refused(elements: list[Element]) -> None:
    with pytest.raises(DecodeError) as caught:
        shift_of(elements)
    assert caught.value.status is CommandStatus.ESME_RINVESMCLASS
