"""PDUs taken apart and put together, answers of a header alone, and patterns of plain messages."""

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.smpp.commands import LAYOUTS, RESPONSE_BIT, CommandId
from gateway.smpp.fields import TEXT_TAGS, Field, FieldValue, Tlv, read_tlvs, write_tlvs
from gateway.smpp.status import CommandStatus, DecodeError, EncodeError

HEADER = struct.Struct(">IIII")
"""command_length, command_id, command_status, sequence_number (SMPP 3.4, 3.2)."""
HEADER_OCTETS = 16
_MAX_32_BITS = 0xFFFF_FFFF


def header_only(command_id: int, command_status: int, sequence_number: int) -> bytes:
    """Return a PDU without a body.

    sequence_number is echoed as it came: peers do send 0 and numbers over 0x7FFFFFFF.
    """
    return HEADER.pack(HEADER_OCTETS, command_id, command_status, sequence_number)


def generic_nack(command_status: int, sequence_number: int) -> bytes:
    """Return the answer to what cannot be answered in kind (SMPP 3.4, 4.3)."""
    return header_only(CommandId.GENERIC_NACK, command_status, sequence_number)


def enquire_link(sequence_number: int) -> bytes:
    """Return the question whether the peer is there (SMPP 3.4, 4.11)."""
    return header_only(CommandId.ENQUIRE_LINK, 0, sequence_number)


def enquire_link_resp(sequence_number: int) -> bytes:
    """Return the answer that we are here."""
    return header_only(CommandId.ENQUIRE_LINK_RESP, 0, sequence_number)


def unbind(sequence_number: int) -> bytes:
    """Return the announcement that the session ends (SMPP 3.4, 4.2)."""
    return header_only(CommandId.UNBIND, 0, sequence_number)


def unbind_resp(sequence_number: int) -> bytes:
    """Return the consent to the end of the session."""
    return header_only(CommandId.UNBIND_RESP, 0, sequence_number)


def submit_sm_resp(sequence_number: int, message_id: bytes) -> bytes:
    """Return ESME_ROK with `message_id`, which holds no NUL and at most 64 octets."""
    return b"%b%b\0" % (
        HEADER.pack(
            HEADER_OCTETS + len(message_id) + 1, CommandId.SUBMIT_SM_RESP, 0, sequence_number
        ),
        message_id,
    )


@dataclass(frozen=True, slots=True)
class Pdu:
    """A PDU taken apart.

    `fields` holds every mandatory field by its spec name (sm_length is the length of
    short_message, number_of_dests that of dest_address); it is empty for an answer that came
    without a body. `trailing` are octets after the last TLV that mean nothing.
    """

    command_id: int
    command_status: int
    sequence_number: int
    fields: Mapping[str, FieldValue]
    tlvs: tuple[Tlv, ...] = ()
    trailing: bytes = b""

    def octets(self, name: str) -> bytes:
        """Return the field `name` as octets, empty when the PDU has no such field."""
        value = self.fields.get(name, b"")
        return value if isinstance(value, bytes) else b""

    def number(self, name: str) -> int:
        """Return the field `name` as an integer, 0 when the PDU has no such field."""
        value = self.fields.get(name, 0)
        return value if isinstance(value, int) else 0

    @property
    def text_octets(self) -> bytes:
        """Return the text with its user data header, from short_message or a TLV, else empty."""
        payloads = (tlv.value for tlv in self.tlvs if tlv.tag in TEXT_TAGS)
        return self.octets("short_message") or next(payloads, b"")


def status_of(answer: bytes, of_nack: CommandStatus) -> int:
    """Return the status of an answer; of a generic_nack with status 0 it is `of_nack`."""
    _, command_id, status, _ = HEADER.unpack_from(answer)
    return status or (of_nack if command_id == CommandId.GENERIC_NACK else 0)


def decode(pdu: bytes) -> Pdu:
    """Return one whole PDU taken apart; `encode` gives the same octets back.

    Raises DecodeError with the faulty field's own status. Framing is not at stake then:
    the session may go on (peers that closed on a wrong sm_length lost their senders).
    """
    command_id, command_status, sequence_number = _read_header(pdu)
    layout = LAYOUTS.get(command_id)
    if layout is None:
        raise DecodeError(
            f"0x{command_id:08X} is not known",
            field="command_id",
            status=CommandStatus.ESME_RINVCMDID,
        )
    header = (command_id, command_status, sequence_number)
    at, end = HEADER_OCTETS, len(pdu)
    # What follows an enquire_link's header is nobody's TLV; refusing it would cost a link.
    # Errors are answered with or without a body, and both forms are in use.
    if not layout or (command_id & RESPONSE_BIT and at == end):
        return Pdu(*header, {}, (), pdu[at:])
    fields: dict[str, FieldValue] = {}
    for field in layout:
        fields[field.name], at = field.read(pdu, at, end)
    return Pdu(*header, fields, *read_tlvs(pdu, at, end))


def fault_in(pdu: bytes) -> CommandStatus:
    """Return the status of the field by which one whole PDU is malformed, ESME_ROK if it is not."""
    try:
        decode(pdu)
    except DecodeError as error:
        return error.status
    return CommandStatus.ESME_ROK


def encode(pdu: Pdu) -> bytes:
    """Return the octets of `pdu`; raise EncodeError when they cannot carry it."""
    layout = _layout_of(pdu.command_id)
    without_body = not pdu.fields and pdu.command_id & RESPONSE_BIT
    parts = [] if without_body else [_write(field, pdu.fields) for field in layout]
    body = b"".join((*parts, write_tlvs(pdu.tlvs), pdu.trailing))
    header = (pdu.command_id, pdu.command_status, pdu.sequence_number)
    if not all(0 <= value <= _MAX_32_BITS for value in header):
        raise EncodeError("a header field is over 32 bits")
    return HEADER.pack(HEADER_OCTETS + len(body), *header) + body


def make(
    command_id: int,
    sequence_number: int,
    command_status: int = 0,
    *,
    tlvs: Sequence[Tlv] = (),
    **fields: FieldValue,
) -> bytes:
    """Return a PDU with the given fields; the others are zero, empty, or version 3.4.

    An answer that reports an error and is given no field has no body (SMPP 3.4, 4.1.2).
    Raises EncodeError for a field the command does not have.
    """
    layout = _layout_of(command_id)
    unknown = fields.keys() - {field.name for field in layout}
    if unknown:
        raise EncodeError(f"no such field in this command: {', '.join(sorted(unknown))}")
    values: dict[str, FieldValue] = {}
    if fields or not (command_id & RESPONSE_BIT and command_status):
        values = {field.name: fields.get(field.name, field.default) for field in layout}
    return encode(Pdu(command_id, command_status, sequence_number, values, tuple(tlvs)))


def _read_header(pdu: bytes) -> tuple[int, int, int]:
    """Return command_id, command_status and sequence_number of one whole PDU."""
    if len(pdu) < HEADER_OCTETS:
        problem = "the header is not whole"
    else:
        command_length, command_id, command_status, sequence_number = HEADER.unpack_from(pdu)
        if command_length == len(pdu):
            return command_id, command_status, sequence_number
        problem = f"{command_length} announced, {len(pdu)} there"
    status = CommandStatus.ESME_RINVCMDLEN
    raise DecodeError(problem, field="command_length", status=status)


def _layout_of(command_id: int) -> tuple[Field, ...]:
    layout = LAYOUTS.get(command_id)
    if layout is None:
        raise EncodeError("command_id: not known")
    return layout


def _write(field: Field, values: Mapping[str, FieldValue]) -> bytes:
    if field.name not in values:
        raise EncodeError(f"{field.name}: missing")
    return field.write(values[field.name])


BARE_ABROAD = rb"(?!\x01.12[0-9]{2}[2-9][0-9]{6}\0)"
"""Put before ton and npi, it matches no bare digits that their type makes North American: those
bear a plus for policy (domain.msisdn.with_plus)."""

# service_type, source and destination with ton and npi, esm_class, protocol_id and
# priority_flag, two times, registered_delivery, replace_if_present, data_coding,
# sm_default_msg_id, sm_length (SMPP 3.4, 4.4.1). One compiled match costs 0.5 us where
# reading field by field costs 0.75. Lengths are those of the specification: what does not
# match is read by `decode`, which knows the status of each field.
_FIELDS = rb"[^\0]{0,5}\0%b..([^\0]{0,20})\0%b..([^\0]{0,20})\0(.)..\0([^\0]{0,16})\0(.).(.).(.)"
SUBMIT_SM = re.compile(_FIELDS % (b"", BARE_ABROAD), re.DOTALL)
"""Matches a body from its first octet; give `match` the offsets of the body, so that a
field can not run into the next PDU. Groups: source_addr, destination_addr, esm_class,
validity_period, registered_delivery, data_coding, sm_length. The text begins at the end of the
match. What is scheduled does not match: policy asks more of it."""

DELIVER_SM = re.compile(_FIELDS % (BARE_ABROAD, b""), re.DOTALL)
"""The same for a deliver_sm, which has these fields too (SMPP 3.4, 4.6.1) and a subscriber for
its source."""
