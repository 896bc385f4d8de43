"""Cut a stream of octets into whole PDUs (SMPP 3.4, 3.2)."""

import struct

from gateway.smpp.errors import DecodeError
from gateway.smpp.status import CommandStatus

HEADER = struct.Struct(">IIII")
HEADER_OCTETS = 16

_COMMAND_LENGTH = struct.Struct(">I")
_SEQUENCE_AT = 12


class FramingError(DecodeError):
    """A command_length nobody can mean: where the next PDU begins is lost, so close the link.

    `sequence_number` is the one read, or 0 when the header is not whole. `pdus` are the
    whole PDUs that stood before the fault; they are as good as any.
    """

    def __init__(self, problem: str, *, sequence_number: int, pdus: list[bytes]) -> None:
        super().__init__(problem, field="command_length", status=CommandStatus.ESME_RINVCMDLEN)
        self.sequence_number = sequence_number
        self.pdus = pdus


def split(data: bytes, max_octets: int) -> tuple[list[bytes], bytes]:
    """Return the whole PDUs of `data` in order, and the octets of the one begun.

    Raises FramingError as soon as the four octets of a command_length below 16 or over
    `max_octets` are there: waiting for the announced octets would let a peer's lie (or the
    first line of an HTTP request) hold a buffer for ever.
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
    """Return the sequence_number of the header at `at`, 0 when it is not whole."""
    if len(data) - at < HEADER_OCTETS:
        return 0
    (sequence_number,) = _COMMAND_LENGTH.unpack_from(data, at + _SEQUENCE_AT)
    return int(sequence_number)
