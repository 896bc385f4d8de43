"""Read the texts of requests, and of held messages, in every way a phone may: the careful way."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.dataplane.parts import Joint, Part, part_of
from gateway.domain.msisdn import with_plus
from gateway.domain.quarantine import HeldMessage
from gateway.smpp.commands import CommandId
from gateway.smpp.fields import TEXT_TAGS, Destination, Tag, Tlv, UnsuccessSme
from gateway.smpp.gsm0338 import Shift
from gateway.smpp.pdu import Pdu, decode
from gateway.smpp.status import CommandStatus, DecodeError
from gateway.smpp.text import readings
from gateway.smpp.udh import (
    Concat,
    check_elements,
    check_sar,
    claims_of_octets,
    concat_of,
    elements_of_octets,
    shift_of,
    split_udh,
)

_UDHI = 0x40
# replace_sm has no data_coding: the data_coding of the message it changes stays valid. So its text
# is read in each alphabet that a data_coding can mean; the most used come first.
_UNKNOWN_CODING = 0x0B  # reserved
_ANY_CODING = (8, 15, 0, 3, 4, 5, 6, 7, 10, 13, 14)
_TAG = Tag.CALLBACK_NUM_ATAG
_ASCII = 1
# Digits in ASCII, and digits as single octets (digit mode 0).
_OF_NUMBERS = b"0123456789+*#\0" + bytes(range(1, 16))
# Each place with a text costs a search; one PDU has room for ten thousand empty payloads.
_MAX_PLACES = 8
# A replace_sm is read in all codings, with and without a header. No handset shows more than
# ten parts of 160 octets as one message, and a replace_sm changes one message.
MAX_REPLACEMENT_OCTETS = 1600


class CarriedText(NamedTuple):
    """The octets of a text without its user data header, and how they are to be read.

    `place` numbers the place that it is in. `fill_bits` are the bits before packed text, `shift`
    are its national language tables.
    """

    octets: bytes
    place: int
    fill_bits: int = 0
    shift: Shift | None = None

    def readings(self, data_coding: int) -> tuple[str, ...]:
        """Return every reading of the text."""
        return readings(self.octets, data_coding, fill_bits=self.fill_bits, shift=self.shift)


@dataclass(frozen=True, slots=True)
class Carrier:
    """What policy needs from a request. `destination` has the plus that its TON stands for.

    - `pieces`: the text of every place that holds one.
    - `tags`: texts that a phone shows beside the message, each with its data_coding.
    - `destinations`: those of a submit_multi.
    - `concats`: all claims about which part of a long message this is. There is one, unless the
      header and the TLVs disagree. For a replace_sm: what a phone takes the text for if the
      message that it changes has a header.
    - `guessed`: for a replace_sm with a malformed header, the text behind it.
    """

    pdu: Pdu
    source: bytes
    destination: bytes
    destinations: tuple[Destination, ...]
    data_coding: int
    registered: int
    pieces: tuple[CarriedText, ...]
    tags: tuple[tuple[int, bytes], ...]
    concats: tuple[Concat, ...]
    guessed: tuple[CarriedText, ...]

    @property
    def octets_to_read(self) -> int:
        """Return the length of all texts."""
        return len(self.octets) + sum(len(octets) for _, octets in self.tags)

    @property
    def octets(self) -> bytes:
        """Return its pieces joined."""
        return b"".join(piece.octets for piece in self.pieces)

    @property
    def is_simple(self) -> bool:
        """Tell whether data_coding and one piece are all there is to judge."""
        return (
            len(self.pieces) <= 1
            and not self.concats
            and not any(piece.fill_bits or piece.shift for piece in self.pieces)
            and not self.tags
            and self.data_coding != _UNKNOWN_CODING
        )

    def texts(self) -> tuple[tuple[str, ...], ...]:
        """Return every plausible reading of each piece, each guessed text, and each tag."""
        is_known = "data_coding" in self.pdu.fields
        codings = (self.data_coding,) if is_known else _ANY_CODING
        return (
            *(
                tuple(text for coding in codings for text in piece.readings(coding))
                for piece in (*self.pieces, *self.guessed)
            ),
            *(readings(octets, coding) for coding, octets in self.tags),
        )

    def as_part(self, texts: tuple[tuple[str, ...], ...]) -> Part:
        """Return the part of a long message that it is; `texts` are the readings of its pieces."""
        first = self.pieces[0] if self.pieces else CarriedText(b"", 0)
        best = texts[0][0] if self.pieces else ""
        bits, shift = first.fill_bits, first.shift
        return part_of(self.data_coding, self.octets, best, fill_bits=bits, shift=shift)

    def rivals(self, texts: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
        """Return the readings of each place if the PDU has several texts: one place is delivered.

        Tags are left out: a phone that shows no tags must show what is required, too.
        """
        places = dict.fromkeys(piece.place for piece in self.pieces)
        if len(places) <= 1 and not (places and self.tags):
            return ()
        return tuple(
            tuple(
                text
                for piece, of in zip(self.pieces, texts, strict=False)
                if piece.place == one
                for text in of
            )
            for one in places
        )


def read_carrier(octets: bytes) -> Carrier:
    """Read submit_sm, submit_multi, data_sm or replace_sm.

    Raises DecodeError with the status of the field that is at fault.
    """
    pdu = decode(octets)
    read = _of_replacement if pdu.command_id == CommandId.REPLACE_SM else _of_message
    found = read(pdu)
    listed = pdu.fields.get("dest_address")
    addressees = listed if isinstance(listed, tuple) else ()
    has_coding = "data_coding" in pdu.fields
    return Carrier(
        pdu=pdu,
        source=pdu.octets("source_addr"),
        destination=with_plus(pdu.octets("destination_addr"), pdu.number("dest_addr_ton")),
        destinations=tuple(d for d in addressees if not isinstance(d, UnsuccessSme)),
        data_coding=pdu.number("data_coding") if has_coding else _UNKNOWN_CODING,
        registered=pdu.number("registered_delivery"),
        pieces=tuple(found.pieces),
        tags=_tags(pdu.tlvs),
        concats=_distinct(found.concats),
        guessed=tuple(found.guessed),
    )


def is_unreadable(texts: tuple[tuple[str, ...], ...]) -> bool:
    """Tell whether some piece has no readable text; `texts` are the readings of each piece."""
    return any(not any(map(_is_legible, piece)) for piece in texts)


def _is_legible(text: str) -> bool:
    return bool(text.strip("\N{REPLACEMENT CHARACTER}"))


@dataclass(slots=True)
class _RequestTexts:
    """The texts of a request as they are found."""

    place: int = 0
    pieces: list[CarriedText] = field(default_factory=list)
    concats: list[Concat | None] = field(default_factory=list)
    guessed: list[CarriedText] = field(default_factory=list)

    def behind_header(self, octets: bytes) -> None:
        """Take a text with a user data header before it; raise DecodeError without a valid one."""
        elements, text = split_udh(octets)
        check_elements(elements)
        shift = shift_of(elements)
        # The last of several claims counts for most phones, the first for others.
        self.concats += (concat_of(elements, ()), concat_of(elements[::-1], ()))
        if text:
            self.pieces.append(self._behind(octets, text, shift))

    def behind_malformed(self, octets: bytes) -> None:
        """Take the text behind a malformed header: some phones accept such a header."""
        text = octets[1 + octets[0] :]
        shift: Shift | None = None
        with suppress(DecodeError):  # then phones use the default alphabet
            shift = shift_of(elements_of_octets(octets))
        if text:
            self.guessed.append(self._behind(octets, text, shift))

    def _behind(self, octets: bytes, text: bytes, shift: Shift | None) -> CarriedText:
        # Packed text begins at the next septet (3GPP TS 23.040, 9.2.3.24).
        fill_bits = -8 * (len(octets) - len(text)) % 7
        return CarriedText(text, self.place, fill_bits, shift)


def _of_message(pdu: Pdu) -> _RequestTexts:
    # short_message and message_payload exclude each other (SMPP 3.4, 5.3.2.32). If a sender
    # fills both, or sends two payloads, all of them are read: the SMSC chooses which one it
    # delivers.
    found = _RequestTexts()
    has_header = pdu.number("esm_class") & _UDHI
    for found.place, place in enumerate(_places(pdu)):
        if has_header:
            found.behind_header(place)
        else:
            found.pieces.append(CarriedText(place, found.place))
    check_sar(pdu.tlvs)
    found.concats += (concat_of((), pdu.tlvs), concat_of((), pdu.tlvs[::-1]))
    return found


def _of_replacement(pdu: Pdu) -> _RequestTexts:
    # It does not say whether the message it changes has a user data header, so the text is
    # read with and without one.
    found = _RequestTexts()
    places = _places(pdu)
    octets = sum(map(len, places))
    if octets > MAX_REPLACEMENT_OCTETS:
        status = CommandStatus.ESME_RINVMSGLEN
        raise DecodeError(f"a new text of {octets} octets", field="short_message", status=status)
    for found.place, place in enumerate(places):
        found.pieces.append(CarriedText(place, found.place))
        try:
            found.behind_header(place)
        except DecodeError:  # it has no header, or a malformed one that phones accept
            found.behind_malformed(place)
    found.concats.clear()
    for place in places:
        found.concats += claims_of_octets(place)
    check_sar(pdu.tlvs)
    found.concats += (concat_of((), pdu.tlvs), concat_of((), pdu.tlvs[::-1]))
    return found


def _places(pdu: Pdu) -> list[bytes]:
    payloads = [tlv.value for tlv in pdu.tlvs if tlv.tag in TEXT_TAGS]
    places = [place for place in (pdu.octets("short_message"), *payloads) if place]
    if len(places) > _MAX_PLACES:
        status = CommandStatus.ESME_RINVOPTPARAMVAL
        raise DecodeError(f"{len(places)} texts", field="message_payload", status=status)
    return places


def _tags(tlvs: tuple[Tlv, ...]) -> tuple[tuple[int, bytes], ...]:
    """Return the texts that stand beside a message, each with its data_coding.

    These are the names of call back numbers (SMPP 3.4, 5.3.2.37), and call back numbers with
    other characters than digits, without digit mode, type and numbering plan (5.3.2.36).
    """
    tags = [(tlv.value[0], tlv.value[1:]) for tlv in tlvs if tlv.tag == _TAG and tlv.value[1:]]
    numbers = [tlv.value[3:] for tlv in tlvs if tlv.tag == Tag.CALLBACK_NUM]
    tags += [(_ASCII, number) for number in numbers if number.strip(_OF_NUMBERS)]
    if len(tags) > _MAX_PLACES:
        status = CommandStatus.ESME_RINVOPTPARAMVAL
        raise DecodeError(f"{len(tags)} texts", field="callback_num_atag", status=status)
    return tuple(tags)


def _distinct(claims: list[Concat | None]) -> tuple[Concat, ...]:
    """Return the claims that differ in reference, total or number: phones ignore the kind."""
    distinct: dict[tuple[int, int, int], Concat] = {}
    for claim in claims:
        if claim is not None:
            distinct.setdefault((claim.reference, claim.total, claim.number), claim)
    return tuple(distinct.values())


_NOBODYS_KEY = (("", b"", 0), 0, 0)


@dataclass(frozen=True, slots=True)
class AssembledMessage:
    """The texts of a long message, the likeliest reading of the whole first.

    `is_unreadable`: nothing can be read from at least one part. `is_whole` is False if parts are
    missing: the text before a gap and the text after it are then read separately.
    """

    texts: tuple[str, ...]
    is_unreadable: bool
    is_whole: bool


def assembled(carriers: Sequence[Carrier]) -> AssembledMessage:
    """Put the parts of one long message together; `carriers` may be in any order.

    Each part claims one number. If two parts have the same number, the phone may show either:
    both are read together with their neighbours.
    """
    texts: dict[str, None] = {}
    is_poor = False
    joint = Joint(_NOBODYS_KEY, carriers[0].concats[0].total, 0.0)
    rivals: list[tuple[int, Part]] = []
    for carrier in carriers:
        pieces = carrier.texts()
        is_poor = is_poor or is_unreadable(pieces)
        part = carrier.as_part(pieces)
        number = carrier.concats[0].number
        rivals.append((number, part))
        joint.parts.setdefault(number, part)
        texts |= dict.fromkeys(text for piece in pieces for text in piece)
    whole = dict.fromkeys(_whole(joint))
    for number, part in rivals:
        whole |= dict.fromkeys(joint.texts(number, part))
    is_whole = len(joint.parts) >= joint.total
    return AssembledMessage(
        (*whole, *(text for text in texts if text not in whole)), is_poor, is_whole
    )


def _whole(joint: Joint) -> tuple[str, ...]:
    """Return the readings of all parts in a row; none if a part is missing."""
    parts = [joint.parts[number] for number in sorted(joint.parts)]
    if len(parts) < joint.total:
        return ()
    octets = b"".join(part.octets for part in parts)
    codings = {part.data_coding for part in parts}
    best = "".join(part.texts.best for part in parts)
    return (best, *(text for coding in sorted(codings) for text in readings(octets, coding)))


# Where septets are packed each part is padded for itself.
_MAY_BE_PACKED = 0


def place_of(held: HeldMessage) -> Concat | None:
    """Return which part of a long message `held` is; None where it is whole, or unreadable."""
    try:
        carrier = read_carrier(held.pdu)
    except DecodeError:
        return None
    return carrier.concats[0] if carrier.concats else None


def text_together(together: Sequence[HeldMessage]) -> str:
    """Return the likeliest reading of one message, or of all parts of one; "" for none."""
    try:
        carriers = [read_carrier(held.pdu) for held in together]
    except DecodeError:
        return ""
    if not all(carrier.concats for carrier in carriers):
        return "".join(map(_first, carriers))
    codings = {carrier.data_coding for carrier in carriers}
    has_tables = any(piece.shift for carrier in carriers for piece in carrier.pieces)
    if len(codings) > 1 or _MAY_BE_PACKED in codings or has_tables:
        return next(iter(assembled(carriers).texts), "")
    # Octets in a row: a character that is torn in two is read whole.
    carriers.sort(key=_number_of)
    octets = b"".join(carrier.octets for carrier in carriers)
    return next(iter(readings(octets, carriers[0].data_coding)), "")


def _number_of(carrier: Carrier) -> int:
    return carrier.concats[0].number


def _first(carrier: Carrier) -> str:
    return next((text for piece in carrier.texts() for text in piece), "")
