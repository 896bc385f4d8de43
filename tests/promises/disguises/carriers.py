"""The requests that carry a text to a phone, whole or in parts, with any coding."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from simulators import builders
from simulators.wire import Tlvs
from tests.promises.disguises.codings import Coding, Unwritable

SOURCE = "10690001"
_UDHI = 0x40
_PAYLOAD, _CALLBACK_ATAG = 0x0424, 0x0303
_SAR_REFERENCE, _SAR_TOTAL, _SAR_NUMBER = 0x020C, 0x020E, 0x020F
_IN_AN_HOUR = "000000010000000R"
_MAX_SHORT = 254
# A single message over the air has room for 140 octets, user data header included.


@dataclass(frozen=True, slots=True)
class Envelope:
    """What makes the requests of one message different from those of all others.

    Sequence numbers are taken from `sequences` one after the other.
    """

    to: str
    others: tuple[str, str]
    reference: int
    sequences: Iterator[int] = field(default_factory=lambda: count(1))


@dataclass(frozen=True, slots=True)
class Piece:
    """A text or a part of one as it stands in a request: octets, header included."""

    octets: bytes
    data_coding: int
    has_header: bool
    tlvs: tuple[tuple[int, bytes], ...] = ()

    @property
    def esm_class(self) -> int:
        return _UDHI if self.has_header else 0


Request = Callable[[Envelope, Piece], bytes]
Build = Callable[[Envelope, Coding, str], Sequence[bytes]]


@dataclass(frozen=True, slots=True)
class Carrier:
    """A way to send a text. `is_wrong` where even an innocent text may be refused."""

    name: str
    build: Build
    is_wrong: bool = False

    def requests(self, envelope: Envelope, coding: Coding, text: str) -> Sequence[bytes] | None:
        """Return the requests in the order of sending; None where it cannot be carried so."""
        try:
            return self.build(envelope, coding, text)
        except Unwritable:
            return None


def piece(coding: Coding, text: str, elements: bytes = b"", tlvs: Tlvs = ()) -> Piece:
    """Return `text` behind the elements that it needs; raise Unwritable."""
    elements += coding.elements
    header = bytes((len(elements),)) + elements if elements else b""
    octets = header + coding.octets(text, len(header))
    return Piece(octets, coding.data_coding, bool(header), tuple(tlvs))


def _short(octets: bytes) -> bytes:
    if len(octets) > _MAX_SHORT:
        raise Unwritable
    return octets


def _submit(envelope: Envelope, it: Piece, *, schedule: str = "", esm_class: int = 0) -> bytes:
    return builders.submit_sm(
        SOURCE,
        envelope.to,
        _short(it.octets),
        data_coding=it.data_coding,
        esm_class=it.esm_class | esm_class,
        tlvs=it.tlvs,
        sequence=next(envelope.sequences),
        schedule=schedule,
    )


def _scheduled(envelope: Envelope, it: Piece) -> bytes:
    return _submit(envelope, it, schedule=_IN_AN_HOUR)


def _payload(envelope: Envelope, it: Piece) -> bytes:
    return _submit(envelope, replace(it, octets=b"", tlvs=((_PAYLOAD, it.octets), *it.tlvs)))


def _data(envelope: Envelope, it: Piece) -> bytes:
    return builders.data_sm(
        SOURCE,
        envelope.to,
        it.octets,
        data_coding=it.data_coding,
        esm_class=it.esm_class,
        tlvs=it.tlvs,
        sequence=next(envelope.sequences),
    )


def _multi(envelope: Envelope, it: Piece) -> bytes:
    return builders.submit_multi(
        SOURCE,
        [envelope.to, *envelope.others],
        _short(it.octets),
        data_coding=it.data_coding,
        esm_class=it.esm_class,
        tlvs=it.tlvs,
        sequence=next(envelope.sequences),
    )


def _multi_payload(envelope: Envelope, it: Piece) -> bytes:
    return _multi(envelope, replace(it, octets=b"", tlvs=((_PAYLOAD, it.octets), *it.tlvs)))


def _replace(envelope: Envelope, it: Piece) -> bytes:
    return builders.replace_sm(
        f"{envelope.reference}", SOURCE, _short(it.octets), sequence=next(envelope.sequences)
    )


def _whole(request: Request, elements: bytes = b"") -> Build:
    return lambda envelope, coding, text: [request(envelope, piece(coding, text, elements))]


def _beside(tag: int, prefix: Callable[[Coding], bytes]) -> Build:
    """Return the build of a submit_sm with an innocent text, and the text in a TLV."""

    def build(envelope: Envelope, coding: Coding, text: str) -> list[bytes]:
        if coding.elements:
            raise Unwritable  # a TLV has no user data header
        decent = piece(coding, "OK")
        hidden = prefix(coding) + coding.octets(text)
        return [_submit(envelope, replace(decent, tlvs=((tag, hidden),)))]

    return build


Place = Callable[[int, int, int], tuple[bytes, Tlvs]]


def _udh8(reference: int, total: int, number: int) -> tuple[bytes, Tlvs]:
    return bytes((0x00, 3, reference & 0xFF, total, number)), ()


def _udh16(reference: int, total: int, number: int) -> tuple[bytes, Tlvs]:
    return bytes((0x08, 4)) + reference.to_bytes(2, "big") + bytes((total, number)), ()


def _udh8_with_lie(reference: int, total: int, number: int) -> tuple[bytes, Tlvs]:
    # AOSP reads three octets after element 00 whatever the length says, and goes on.
    return bytes((0x00, 5, reference & 0xFF, total, number, 0x70, 0)), ()


def _udh16_with_lie(reference: int, total: int, number: int) -> tuple[bytes, Tlvs]:
    place = reference.to_bytes(2, "big") + bytes((total, number))
    return bytes((0x08, 8)) + place + bytes((0x70, 0, 0x70, 0)), ()


def _two_elements(reference: int, total: int, number: int) -> tuple[bytes, Tlvs]:
    return _udh8(reference, total, number)[0] + _udh16(reference, total, number)[0], ()


def _after_ports(reference: int, total: int, number: int) -> tuple[bytes, Tlvs]:
    return b"\x05\x04\x00\x50\x00\x50" + _udh8(reference, total, number)[0], ()


def _sar(reference: int, total: int, number: int) -> tuple[bytes, Tlvs]:
    return b"", (
        (_SAR_REFERENCE, reference.to_bytes(2, "big")),
        (_SAR_TOTAL, bytes((total,))),
        (_SAR_NUMBER, bytes((number,))),
    )


def _sar_with_lie(reference: int, total: int, number: int) -> tuple[bytes, Tlvs]:
    return b"", (
        (_SAR_REFERENCE, bytes((reference & 0xFF,))),
        (_SAR_TOTAL, bytes((0, total))),
        (_SAR_NUMBER, bytes((0, number))),
    )


def _parts(
    place: Place, order: Sequence[int] = (0, 1), requests: Sequence[Request] = (_submit,)
) -> Build:
    def build(envelope: Envelope, coding: Coding, text: str) -> list[bytes]:
        pieces = cut(text, len(order))
        made = []
        for turn, at in enumerate(order):
            elements, tlvs = place(envelope.reference, len(order), at + 1)
            request = requests[turn % len(requests)]
            made.append(request(envelope, piece(coding, pieces[at], elements, tlvs)))
        return made

    return build


def cut(text: str, pieces: int) -> list[str]:
    """Cut a text into pieces of about the same length, so that the cuts fall into the word."""
    size = -(-len(text) // pieces)
    return [text[at : at + size] for at in range(0, size * pieces, size)]


def _carriers() -> Iterator[Carrier]:
    yield Carrier("submit_sm", _whole(_submit))
    yield Carrier("message_payload", _whole(_payload))
    yield Carrier("data_sm", _whole(_data))
    yield Carrier("submit_multi", _whole(_multi))
    yield Carrier("message_payload of a submit_multi", _whole(_multi_payload))
    yield Carrier("replace_sm", _whole(_replace))
    yield Carrier("scheduled submit_sm", _whole(_scheduled))
    yield Carrier("a header with ports", _whole(_submit, b"\x05\x04\x00\x50\x00\x50"))
    yield Carrier("a long message of one part", _whole(_submit, bytes((0x00, 3, 9, 1, 1))))
    yield Carrier("a second payload", _beside(_PAYLOAD, lambda _: b""))
    yield Carrier(
        "callback_num_atag", _beside(_CALLBACK_ATAG, lambda coding: bytes((coding.data_coding,)))
    )
    yield Carrier("8 bit parts", _parts(_udh8))
    yield Carrier("8 bit parts, the second first", _parts(_udh8, (1, 0)))
    yield Carrier("8 bit parts, three, the middle last", _parts(_udh8, (2, 0, 1)))
    yield Carrier("16 bit parts", _parts(_udh16))
    yield Carrier("16 bit parts, three, from the last", _parts(_udh16, (2, 1, 0)))
    yield Carrier("SAR parts", _parts(_sar))
    yield Carrier("SAR parts, the second first", _parts(_sar, (1, 0)))
    yield Carrier("8 bit parts in payloads", _parts(_udh8, requests=(_payload,)))
    yield Carrier("8 bit parts of data_sm", _parts(_udh8, requests=(_data,)))
    yield Carrier("a submit_sm and a data_sm", _parts(_udh16, requests=(_submit, _data)))
    yield Carrier("scheduled parts", _parts(_udh8, requests=(_scheduled,)))
    yield Carrier("parts to three", _parts(_udh8, requests=(_multi,)))
    yield Carrier("parts behind ports", _parts(_after_ports))
    yield Carrier("parts with both elements", _parts(_two_elements))
    yield Carrier("8 bit parts, a length that lies", _parts(_udh8_with_lie), is_wrong=True)
    yield Carrier("16 bit parts, a length that lies", _parts(_udh16_with_lie), is_wrong=True)
    yield Carrier("SAR parts, lengths that lie", _parts(_sar_with_lie), is_wrong=True)


CARRIERS = tuple(_carriers())
