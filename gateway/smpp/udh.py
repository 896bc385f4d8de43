"""User data headers, and which part of a long message a PDU is (3GPP TS 23.040, 9.2.3.24)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.smpp.errors import DecodeError
from gateway.smpp.status import CommandStatus
from gateway.smpp.tlv import Tag, Tlv, first


@dataclass(frozen=True, slots=True)
class Element:
    """One information element of a user data header."""

    iei: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Concat:
    """A part of a long message: `number` of `total`, counted from 1.

    `kind` is ``udh8``, ``udh16`` or ``sar``: a reference means nothing outside its kind.
    """

    kind: str
    reference: int
    total: int
    number: int


def split_udh(octets: bytes) -> tuple[tuple[Element, ...], bytes]:
    """Return the header's elements and the text behind it.

    Raises DecodeError, ESME_RINVESMCLASS, when the header does not fit: esm_class promised
    one that is not there. An SMSC crashed on exactly this.
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


def concat_of(elements: Sequence[Element], tlvs: Iterable[Tlv]) -> Concat | None:
    """Return which part of a long message this is, or None when it stands alone.

    The header wins over the sar_* TLVs when a peer sends both, and the last of several such
    elements wins, as phones do. Counts that make no sense make no part: total 0, number 0,
    number over total.
    """
    for element in reversed(elements):
        concat = _from_element(element)
        if concat is not None:
            return concat
    return _from_sar(tuple(tlvs))


def _malformed(problem: str) -> DecodeError:
    status = CommandStatus.ESME_RINVESMCLASS
    return DecodeError(problem, field="user_data_header", status=status)


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
