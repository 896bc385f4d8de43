"""Cut a stream of octets into whole PDUs (SMPP 3.4, 3.2)."""

import struct

from gateway.smpp.errors import DecodeError
from gateway.smpp.status import CommandStatus

HEADER = struct.Struct(">IIII")
HEADER_OCTETS = 16

_COMMAND_LENGTH = struct.Struct(">I")
_SEQUENCE_AT = 12


class FramingError(DecodeError):
    """An impossible command_length: the start of the next PDU is unknown, so close the link.

    `sequence_number` is the one read, or 0 if the header is incomplete. `pdus` are the whole PDUs
    before the fault; they are valid.
    """

    def __init__(self, problem: str, *, sequence_number: int, pdus: list[bytes]) -> None:
        super().__init__(problem, field="command_length", status=CommandStatus.ESME_RINVCMDLEN)
        self.sequence_number = sequence_number
        self.pdus = pdus


def split(data: bytes, max_octets: int) -> tuple[list[bytes], bytes]:
    """Return the whole PDUs of `data` in order, and the octets of the one that is incomplete.

    Raises FramingError as soon as the four octets of a command_length below 16 or over
    `max_octets` are there: waiting for the announced octets would let a false length (or the
    first line of an HTTP request) hold a buffer forever.
    """
    pdus: list[bytes] = []
    at, end = 0, len(data)
    while end - at >= _COMMAND_LENGTH.size:
        (length,) = _COMMAND_LENGTH.unpack_from(data, at)
        if not HEADER_OCTETS <= length <= max_octets:
            problem = f"{length} octets, allowed {HEADER_OCTETS} to {max_octets}"
            raise FramingError(problem, sequence_number=_sequence_at(data, at), pdus=pdus)
        if at + length > end:
            break
        pdus.append(data[at : at + length])
        at += length
    return pdus, data[at:]


def _sequence_at(data: bytes, at: int) -> int:
    """Return the sequence_number of the header at `at`, 0 if the header is incomplete."""
    if len(data) - at < HEADER_OCTETS:
        return 0
    (sequence_number,) = _COMMAND_LENGTH.unpack_from(data, at + _SEQUENCE_AT)
    return int(sequence_number)
