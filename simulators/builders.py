"""Requests an ESME sends and an SMSC sends, field by field, to the octet.

Nothing is checked and nothing corrected: a test may build what the wire should never carry.
`octets` is the message text already encoded; TLVs follow in the order and number given.
"""

# A builder has one parameter for each field of its PDU that a test may want to bend.
# ruff: noqa: PLR0913

from collections.abc import Sequence

from simulators.wire import CommandId, Tag, Tlvs, c_octets, pdu, tlv_octets

UDH_INDICATOR = 0x40
UCS2 = 8
# What fits beside nothing in one short message over the air, in octets.
SEGMENT_OCTETS = 140

_BINDS = {
    "rx": CommandId.BIND_RECEIVER,
    "tx": CommandId.BIND_TRANSMITTER,
    "trx": CommandId.BIND_TRANSCEIVER,
}


def ucs2(text: str) -> bytes:
    """Encode `text` as data_coding 8 wants it."""
    return text.encode("utf-16-be")


def address(number: str, *, ton: int = 1, npi: int = 1) -> bytes:
    """Write an address with its TON and NPI."""
    return bytes((ton, npi)) + c_octets(number)


def bind(
    system_id: str,
    password: str,
    *,
    kind: str = "trx",
    interface_version: int = 0x34,
    system_type: str = "",
    sequence: int = 1,
) -> bytes:
    """Build a bind_transceiver ("trx"), bind_transmitter ("tx") or bind_receiver ("rx")."""
    body = (
        c_octets(system_id)
        + c_octets(password)
        + c_octets(system_type)
        + bytes((interface_version, 0, 0))
        + c_octets("")
    )
    return pdu(_BINDS[kind], sequence, body)


def submit_sm(
    source: str,
    destination: str,
    octets: bytes,
    *,
    data_coding: int = UCS2,
    esm_class: int = 0,
    registered_delivery: int = 0,
    tlvs: Tlvs = (),
    sequence: int = 1,
    service_type: str = "",
    schedule: str = "",
    validity: str = "",
) -> bytes:
    """Build a submit_sm; at most 255 octets fit short_message."""
    body = (
        c_octets(service_type)
        + address(source)
        + address(destination)
        + _text(octets, data_coding, esm_class, registered_delivery, schedule, validity)
        + tlv_octets(tlvs)
    )
    return pdu(CommandId.SUBMIT_SM, sequence, body)


def payload_submit_sm(
    source: str,
    destination: str,
    octets: bytes,
    *,
    data_coding: int = UCS2,
    registered_delivery: int = 0,
    short_message: bytes = b"",
    sequence: int = 1,
) -> bytes:
    """Build a submit_sm whose text is in message_payload, beside a `short_message` if given."""
    return submit_sm(
        source,
        destination,
        short_message,
        data_coding=data_coding,
        registered_delivery=registered_delivery,
        tlvs=[(Tag.MESSAGE_PAYLOAD, octets)],
        sequence=sequence,
    )


def deliver_sm(
    source: str,
    destination: str,
    octets: bytes,
    *,
    data_coding: int = UCS2,
    esm_class: int = 0,
    tlvs: Tlvs = (),
    sequence: int = 1,
) -> bytes:
    """Build a deliver_sm."""
    body = (
        c_octets("")
        + address(source)
        + address(destination)
        + _text(octets, data_coding, esm_class, 0, "", "")
        + tlv_octets(tlvs)
    )
    return pdu(CommandId.DELIVER_SM, sequence, body)


def submit_multi(
    source: str,
    destinations: Sequence[str],
    octets: bytes,
    *,
    data_coding: int = UCS2,
    esm_class: int = 0,
    registered_delivery: int = 0,
    distribution_lists: Sequence[str] = (),
    tlvs: Tlvs = (),
    sequence: int = 1,
    schedule: str = "",
) -> bytes:
    """Build a submit_multi to SME addresses and then to distribution lists, 255 together."""
    body = (
        c_octets("")
        + address(source)
        + bytes((len(destinations) + len(distribution_lists),))
        + b"".join(b"\1" + address(destination) for destination in destinations)
        + b"".join(b"\2" + c_octets(name) for name in distribution_lists)
        + _text(octets, data_coding, esm_class, registered_delivery, schedule, "")
        + tlv_octets(tlvs)
    )
    return pdu(CommandId.SUBMIT_MULTI, sequence, body)


def data_sm(
    source: str,
    destination: str,
    octets: bytes,
    *,
    data_coding: int = UCS2,
    esm_class: int = 0,
    registered_delivery: int = 0,
    tlvs: Tlvs = (),
    sequence: int = 1,
) -> bytes:
    """Build a data_sm with `octets` as message_payload before the other TLVs."""
    body = (
        c_octets("")
        + address(source)
        + address(destination)
        + bytes((esm_class, registered_delivery, data_coding))
        + tlv_octets([(Tag.MESSAGE_PAYLOAD, octets), *tlvs])
    )
    return pdu(CommandId.DATA_SM, sequence, body)


def query_sm(message_id: str, source: str, *, sequence: int = 1) -> bytes:
    """Build a query_sm."""
    return pdu(CommandId.QUERY_SM, sequence, c_octets(message_id) + address(source))


def cancel_sm(message_id: str, source: str, destination: str, *, sequence: int = 1) -> bytes:
    """Build a cancel_sm."""
    body = c_octets("") + c_octets(message_id) + address(source) + address(destination)
    return pdu(CommandId.CANCEL_SM, sequence, body)


def replace_sm(
    message_id: str,
    source: str,
    octets: bytes,
    *,
    registered_delivery: int = 0,
    tlvs: Tlvs = (),
    sequence: int = 1,
    schedule: str = "",
    validity: str = "",
) -> bytes:
    """Build a replace_sm; it has no data_coding, the replaced message's holds on."""
    body = (
        c_octets(message_id)
        + address(source)
        + c_octets(schedule)
        + c_octets(validity)
        + bytes((registered_delivery, 0, len(octets)))
        + octets
        + tlv_octets(tlvs)
    )
    return pdu(CommandId.REPLACE_SM, sequence, body)


def alert_notification(source: str, esme_address: str, *, sequence: int = 1) -> bytes:
    """Build an alert_notification, which has no answer."""
    return pdu(CommandId.ALERT_NOTIFICATION, sequence, address(source) + address(esme_address))


def enquire_link(sequence: int = 1) -> bytes:
    """Build an enquire_link."""
    return pdu(CommandId.ENQUIRE_LINK, sequence)


def unbind(sequence: int = 1) -> bytes:
    """Build an unbind."""
    return pdu(CommandId.UNBIND, sequence)


def udh_parts(
    octets: bytes, reference: int, *, wide: bool = False, room: int = SEGMENT_OCTETS
) -> list[bytes]:
    """Cut `octets` into concatenated short messages of at most `room` octets, UDH included.

    The reference has 8 bits, or 16 when `wide`. Send each with esm_class UDH_INDICATOR.
    """
    header_octets = 7 if wide else 6
    pieces = _cut(octets, room - header_octets)
    count = len(pieces)
    if wide:
        head = b"\x06\x08\x04" + reference.to_bytes(2, "big")
    else:
        head = b"\x05\x00\x03" + bytes((reference,))
    return [head + bytes((count, number)) + piece for number, piece in enumerate(pieces, start=1)]


def sar_parts(
    octets: bytes, reference: int, *, room: int = SEGMENT_OCTETS
) -> list[tuple[bytes, list[tuple[int, bytes]]]]:
    """Cut `octets` into pieces, each with the sar_* TLVs that join it to the others."""
    pieces = _cut(octets, room)
    return [
        (
            piece,
            [
                (Tag.SAR_MSG_REF_NUM, reference.to_bytes(2, "big")),
                (Tag.SAR_TOTAL_SEGMENTS, bytes((len(pieces),))),
                (Tag.SAR_SEGMENT_SEQNUM, bytes((number,))),
            ],
        )
        for number, piece in enumerate(pieces, start=1)
    ]


def _text(
    octets: bytes,
    data_coding: int,
    esm_class: int,
    registered_delivery: int,
    schedule: str,
    validity: str,
) -> bytes:
    return (
        bytes((esm_class, 0, 0))
        + c_octets(schedule)
        + c_octets(validity)
        + bytes((registered_delivery, 0, data_coding, 0, len(octets)))
        + octets
    )


def _cut(octets: bytes, room: int) -> list[bytes]:
    # Even, so that no UCS-2 character is cut in two.
    step = room - room % 2
    return [octets[at : at + step] for at in range(0, len(octets), step)] or [b""]
