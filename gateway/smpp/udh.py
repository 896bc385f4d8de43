"""User data headers, and which part of a long message a PDU is (3GPP TS 23.040, 9.2.3.24)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.smpp.fields import Tag, Tlv, first
from gateway.smpp.gsm0338 import LAST_LANGUAGE, Shift
from gateway.smpp.status import CommandStatus, DecodeError

# The sizes of elements that phones read without looking at the length. They continue after the
# octets they have read, so with another length they see other elements than the gateway does (3GPP
# TS 23.040, 9.2.3.24; SmsHeader.fromByteArray of Android). Concatenation, special messages, ports
# and national languages.
_FIXED_OCTETS = {0x00: 3, 0x01: 2, 0x04: 2, 0x05: 4, 0x08: 4, 0x24: 1, 0x25: 1}

_SAR_OCTETS = {
    int(Tag.SAR_MSG_REF_NUM): 2,
    int(Tag.SAR_TOTAL_SEGMENTS): 1,
    int(Tag.SAR_SEGMENT_SEQNUM): 1,
}
# National language single and locking shift (3GPP TS 23.040, 9.2.3.24.15 and 16).
_SINGLE_SHIFT = 0x24
_LOCKING_SHIFT = 0x25


@dataclass(frozen=True, slots=True)
class Element:
    """One information element of a user data header."""

    iei: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Concat:
    """A part of a long message: `number` of `total`, counted from 1.

    `kind` is ``udh8``, ``udh16`` or ``sar``: where the reference was read. Phones ignore it and
    compare the reference alone.
    """

    kind: str
    reference: int
    total: int
    number: int


def split_udh(octets: bytes) -> tuple[tuple[Element, ...], bytes]:
    """Return the header's elements and the text after it.

    Raises DecodeError, ESME_RINVESMCLASS, if esm_class announces a header and there is no header
    that fits. An SMSC has crashed on such a PDU.
    """
    if not octets or octets[0] >= len(octets):
        raise _malformed("longer than the message")
    at, end = 1, 1 + octets[0]
    elements: list[Element] = []
    while at < end:
        past = at + 2 + octets[at + 1] if at + 1 < end else end + 1
        if past > end:
            raise _malformed("an element is longer than the header")
        elements.append(Element(octets[at], octets[at + 2 : past]))
        at = past
    return tuple(elements), octets[end:]


def check_elements(elements: Iterable[Element]) -> None:
    """Raise DecodeError, ESME_RINVESMCLASS, for an element of a length against the standard.

    Phones would read another header than the gateway, and join parts that it judges apart.
    """
    for element in elements:
        if _FIXED_OCTETS.get(element.iei, len(element.value)) != len(element.value):
            raise _malformed(f"element 0x{element.iei:02X} has {len(element.value)} octets")


def check_sar(tlvs: Iterable[Tlv]) -> None:
    """Raise DecodeError, ESME_RINVOPTPARAMVAL, for sar_* TLVs that an SMSC may read differently.

    These are TLVs of a length against the specification, and a count or a number without the
    other two. A reference alone makes no part (SMPP 3.4, 5.3.2.22 to 24).
    """
    tags = set[int]()
    for tlv in tlvs:
        octets = _SAR_OCTETS.get(tlv.tag)
        if octets is not None:
            tags.add(tlv.tag)
            if len(tlv.value) != octets:
                raise _misnumbered(f"TLV 0x{tlv.tag:04X} has {len(tlv.value)} octets")
    if tags - {Tag.SAR_MSG_REF_NUM} and len(tags) < len(_SAR_OCTETS):
        raise _misnumbered("the sar_* set is incomplete")


def claims_of_octets(octets: bytes) -> tuple[Concat, ...]:
    """Return the parts that a phone may take `octets` for, if they begin with a header."""
    claims = map(_from_element, elements_of_octets(octets))
    return tuple(claim for claim in claims if claim is not None)


def elements_of_octets(octets: bytes) -> tuple[Element, ...]:
    """Return the elements that a phone may read, if `octets` begin with a header.

    A phone ignores the length of elements with a fixed size, and reads an element that is too
    long up to the end. For texts without a field that says whether they have a header.
    """
    header = octets[1 : 1 + octets[0]] if octets else b""
    elements: list[Element] = []
    at = 0
    while at < len(header):
        iei, length = header[at], header[at + 1] if at + 1 < len(header) else 0
        past = at + 2 + _FIXED_OCTETS.get(iei, length)
        elements.append(Element(iei, header[at + 2 : past]))
        at = past
    return tuple(elements)


def concat_of(elements: Sequence[Element], tlvs: Iterable[Tlv]) -> Concat | None:
    """Return which part of a long message this is, or None if it stands alone.

    The header wins over the sar_* TLVs if a peer sends both, and the last of several such
    elements wins, as on phones. Impossible counts make no part: total 0, number 0, number over
    total.
    """
    for element in reversed(elements):
        concat = _from_element(element)
        if concat is not None:
            return concat
    return _from_sar(tuple(tlvs))


def shift_of(elements: Iterable[Element]) -> Shift | None:
    """Return the national language tables that a header names, None if it names none.

    Raises DecodeError, ESME_RINVESMCLASS, for a table that does not exist, an element that is not
    one octet long, and two different tables of one kind: phones differ in how they read such a
    header, and no honest sender writes it.
    """
    languages = {_LOCKING_SHIFT: 0, _SINGLE_SHIFT: 0}
    named: set[int] = set()
    for element in elements:
        if element.iei not in languages:
            continue
        if len(element.value) != 1 or element.value[0] > LAST_LANGUAGE:
            raise _malformed("a national language table that does not exist")
        language = element.value[0]
        if element.iei in named and language != languages[element.iei]:
            raise _malformed("two national language tables of one kind")
        named.add(element.iei)
        languages[element.iei] = language
    return Shift(languages[_LOCKING_SHIFT], languages[_SINGLE_SHIFT]) if named else None


def _malformed(problem: str) -> DecodeError:
    status = CommandStatus.ESME_RINVESMCLASS
    return DecodeError(problem, field="user_data_header", status=status)


def _misnumbered(problem: str) -> DecodeError:
    return DecodeError(problem, field="sar_tlvs", status=CommandStatus.ESME_RINVOPTPARAMVAL)


def _from_element(element: Element) -> Concat | None:
    match element.iei, tuple(element.value):
        case (0x00, (reference, total, number)):
            return _sensible(Concat("udh8", reference, total, number))
        case (0x08, (high, low, total, number)):
            return _sensible(Concat("udh16", high << 8 | low, total, number))
        case _:
            return None


def _from_sar(tlvs: tuple[Tlv, ...]) -> Concat | None:
    reference = first(tlvs, Tag.SAR_MSG_REF_NUM)
    total = first(tlvs, Tag.SAR_TOTAL_SEGMENTS)
    number = first(tlvs, Tag.SAR_SEGMENT_SEQNUM)
    match reference, total, number:
        case (bytes(), bytes(), bytes()) if (len(reference), len(total), len(number)) == (2, 1, 1):
            return _sensible(Concat("sar", int.from_bytes(reference, "big"), total[0], number[0]))
        case _:
            return None


def _sensible(concat: Concat) -> Concat | None:
    return concat if 1 <= concat.number <= concat.total else None
