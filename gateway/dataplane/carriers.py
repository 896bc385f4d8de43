"""Reading the text out of any request that can carry one: the careful way."""

from dataclasses import dataclass

from gateway.smpp.pdu import Destination, Pdu, UnsuccessSme, decode
from gateway.smpp.tlv import Tag, Tlv
from gateway.smpp.udh import Concat, concat_of, split_udh

_UDHI = 0x40
# replace_sm has no data_coding; this one is reserved, so every reading of the text is tried.
_UNKNOWN_CODING = 0x0B


@dataclass(frozen=True, slots=True)
class Carrier:
    """What policy needs of a request.

    `pieces` are the octets of every place that holds a text, user data headers taken off;
    `destinations` are those of a submit_multi.
    """

    pdu: Pdu
    source: bytes
    destination: bytes
    destinations: tuple[Destination, ...]
    data_coding: int
    registered: int
    pieces: tuple[bytes, ...]
    concat: Concat | None


def read_carrier(octets: bytes) -> Carrier:
    """Read submit_sm, submit_multi, data_sm or replace_sm.

    Raises DecodeError with the status of the field that is at fault.
    """
    pdu = decode(octets)
    pieces, concat = _texts(pdu.number("esm_class"), pdu.octets("short_message"), pdu.tlvs)
    listed = pdu.fields.get("dest_address", ())
    if not isinstance(listed, tuple):
        listed = ()
    has_coding = "data_coding" in pdu.fields
    return Carrier(
        pdu=pdu,
        source=pdu.octets("source_addr"),
        destination=pdu.octets("destination_addr"),
        destinations=tuple(d for d in listed if not isinstance(d, UnsuccessSme)),
        data_coding=pdu.number("data_coding") if has_coding else _UNKNOWN_CODING,
        registered=pdu.number("registered_delivery"),
        pieces=pieces,
        concat=concat,
    )


def _texts(
    esm_class: int, short_message: bytes, tlvs: tuple[Tlv, ...]
) -> tuple[tuple[bytes, ...], Concat | None]:
    # short_message and message_payload exclude each other (SMPP 3.4, 5.3.2.32). A sender
    # that fills both, or two payloads, has all of them read: which one is delivered is the
    # SMSC's choice.
    places = [short_message, *(t.value for t in tlvs if t.tag == Tag.MESSAGE_PAYLOAD)]
    concat: Concat | None = None
    pieces: list[bytes] = []
    for place in places:
        text = place
        if place and esm_class & _UDHI:
            elements, text = split_udh(place)
            concat = concat or concat_of(elements, ())
        if text:
            pieces.append(text)
    return tuple(pieces), concat or concat_of((), tlvs)
