"""The mandatory fields of a PDU body: each reads itself and writes itself."""

from dataclasses import dataclass
from typing import Protocol

from gateway.smpp.addresses import Destination, UnsuccessSme
from gateway.smpp.errors import DecodeError, EncodeError
from gateway.smpp.status import CommandStatus

FieldValue = int | bytes | tuple[Destination, ...] | tuple[UnsuccessSme, ...]

_MAX_SHORT_MESSAGE_OCTETS = 255


class Field(Protocol):
    """One row of a command's layout.

    `read` raises DecodeError with the status to answer to the peer, `write` raises EncodeError;
    neither looks past `end`. `write` returns exactly the octets that `read` accepted.
    """

    @property
    def name(self) -> str:
        """The name of the field in the specification."""

    @property
    def default(self) -> FieldValue:
        """The value of a field that is not set."""

    def read(self, body: bytes, at: int, end: int) -> tuple[FieldValue, int]:
        """Return the value at `at` and the offset just past it."""

    def write(self, value: FieldValue) -> bytes:
        """Return the octets of `value`."""


@dataclass(frozen=True, slots=True)
class Integer:
    """A big-endian unsigned integer of 1, 2 or 4 octets (SMPP 3.4, 3.1)."""

    name: str
    octets: int
    fault: CommandStatus
    default: int = 0

    def read(self, body: bytes, at: int, end: int) -> tuple[int, int]:
        """Return the value and the offset just past it."""
        past = at + self.octets
        if past > end:
            raise DecodeError("the body ends before it", field=self.name, status=self.fault)
        return int.from_bytes(body[at:past], "big"), past

    def write(self, value: FieldValue) -> bytes:
        """Return `value` in `octets` octets."""
        if not isinstance(value, int) or not 0 <= value < 1 << 8 * self.octets:
            raise EncodeError(f"{self.name}: no integer of {self.octets} octets")
        return value.to_bytes(self.octets, "big")


@dataclass(frozen=True, slots=True)
class COctetString:
    """NUL-terminated octets (SMPP 3.4, 3.1). `max_octets` counts the NUL."""

    name: str
    max_octets: int
    fault: CommandStatus
    default: bytes = b""

    def read(self, body: bytes, at: int, end: int) -> tuple[bytes, int]:
        """Return the value without its NUL, and the offset just past the NUL.

        Raises DecodeError if there is no NUL within `max_octets` and before `end`: a longer scan
        would let one bad field swallow the fields after it.
        """
        nul = body.find(0, at, min(at + self.max_octets, end))
        if nul < 0:
            raise DecodeError("not terminated", field=self.name, status=self.fault)
        return body[at:nul], nul + 1

    def write(self, value: FieldValue) -> bytes:
        """Return `value` and its NUL."""
        if not isinstance(value, bytes) or len(value) >= self.max_octets or 0 in value:
            raise EncodeError(f"{self.name}: no C-octet string of {self.max_octets} octets")
        return value + b"\0"


@dataclass(frozen=True, slots=True)
class OctetString:
    """Octets after one octet that counts them: sm_length and short_message in one.

    SMPP 3.4 allows 254; peers send 255, the most that one octet can express.
    """

    name: str
    fault: CommandStatus
    default: bytes = b""

    def read(self, body: bytes, at: int, end: int) -> tuple[bytes, int]:
        """Return the value without its length, and the offset just past it."""
        if at >= end:
            raise DecodeError("the body ends before it", field=self.name, status=self.fault)
        past = at + 1 + body[at]
        if past > end:
            raise DecodeError("longer than the body", field=self.name, status=self.fault)
        return body[at + 1 : past], past

    def write(self, value: FieldValue) -> bytes:
        """Return the length octet and `value`."""
        if not isinstance(value, bytes) or len(value) > _MAX_SHORT_MESSAGE_OCTETS:
            raise EncodeError(f"{self.name}: over {_MAX_SHORT_MESSAGE_OCTETS} octets")
        return len(value).to_bytes(1, "big") + value
