"""Ready octets for what is said most often, without a Pdu in between."""

from gateway.smpp.commands import RESPONSE_BIT, CommandId
from gateway.smpp.framing import HEADER, HEADER_OCTETS

_TLV_VERSION = 0x34
_SC_INTERFACE_VERSION_34 = b"\x02\x10\x00\x01\x34"


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


def bind_resp(
    command_id: int,
    command_status: int,
    sequence_number: int,
    system_id: bytes,
    interface_version: int | None,
) -> bytes:
    """Return the answer to the bind `command_id` (the request's or the response's id).

    `interface_version` is what the peer bound with, None when that is not known: one that
    speaks less than 3.4 must get no TLV, the others learn that we speak 3.4
    (sc_interface_version). A refusal has no body (SMPP 3.4, 4.1.2).
    """
    if command_status:
        return header_only(command_id | RESPONSE_BIT, command_status, sequence_number)
    speaks_tlvs = interface_version is not None and interface_version >= _TLV_VERSION
    body = system_id + b"\0" + (_SC_INTERFACE_VERSION_34 if speaks_tlvs else b"")
    length = HEADER_OCTETS + len(body)
    return HEADER.pack(length, command_id | RESPONSE_BIT, 0, sequence_number) + body
