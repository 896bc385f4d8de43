"""SMPP octets as the simulators read and write them: headers, framing, addresses, TLVs."""

import struct
from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import NamedTuple

HEADER_OCTETS = 16
# The longest legal message_payload (65 535) with its header and fields.
MAX_PDU_OCTETS = 70_000
RESPONSE = 0x8000_0000

_HEADER = struct.Struct(">IIII")
_WORD = struct.Struct(">I")
_TLV = struct.Struct(">HH")

Tlvs = Iterable[tuple[int, bytes]]


class CommandId(IntEnum):
    """Requests of SMPP 3.4 (5.1.2.1); an answer carries RESPONSE on top."""

    BIND_RECEIVER = 0x01
    BIND_TRANSMITTER = 0x02
    QUERY_SM = 0x03
    SUBMIT_SM = 0x04
    DELIVER_SM = 0x05
    UNBIND = 0x06
    REPLACE_SM = 0x07
    CANCEL_SM = 0x08
    BIND_TRANSCEIVER = 0x09
    OUTBIND = 0x0B
    ENQUIRE_LINK = 0x15
    SUBMIT_MULTI = 0x21
    ALERT_NOTIFICATION = 0x0102
    DATA_SM = 0x0103
    GENERIC_NACK = 0x8000_0000


class CommandStatus(IntEnum):
    """The statuses the simulators give of their own accord (SMPP 3.4, 5.1.3)."""

    ESME_ROK = 0x00
    ESME_RINVMSGLEN = 0x01
    ESME_RINVCMDLEN = 0x02
    ESME_RINVCMDID = 0x03
    ESME_RINVBNDSTS = 0x04
    ESME_RALYBND = 0x05
    ESME_RSYSERR = 0x08
    ESME_RBINDFAIL = 0x0D
    ESME_RINVPASWD = 0x0E
    ESME_RCANCELFAIL = 0x11
    ESME_RREPLACEFAIL = 0x13
    ESME_RMSGQFUL = 0x14
    ESME_RSUBMITFAIL = 0x45
    ESME_RTHROTTLED = 0x58
    ESME_RX_T_APPN = 0x64
    ESME_RQUERYFAIL = 0x67


class Tag(IntEnum):
    """The TLVs the simulators write themselves (SMPP 3.4, 5.3.2)."""

    RECEIPTED_MESSAGE_ID = 0x001E
    SAR_MSG_REF_NUM = 0x020C
    SAR_TOTAL_SEGMENTS = 0x020E
    SAR_SEGMENT_SEQNUM = 0x020F
    SC_INTERFACE_VERSION = 0x0210
    MESSAGE_PAYLOAD = 0x0424
    MESSAGE_STATE = 0x0427


class MalformedError(ValueError):
    """A body that does not hold the fields its command promises."""


class Header(NamedTuple):
    """The sixteen octets every PDU begins with."""

    command_length: int
    command_id: int
    command_status: int
    sequence_number: int


class Message(NamedTuple):
    """What the simulators want to know of a PDU that carries a message."""

    source: str
    destinations: tuple[str, ...]
    esm_class: int
    registered_delivery: int
    data_coding: int
    octets: bytes

    @property
    def destination(self) -> str:
        """Return the first destination, the only one of all but submit_multi."""
        return self.destinations[0]


class Framer:
    """Cuts a stream of octets into whole PDUs.

    `is_broken` once a command_length is below 16 or above MAX_PDU_OCTETS: where the next PDU
    would begin is then unknown, and nothing further is cut.
    """

    __slots__ = ("_rest", "is_broken")

    def __init__(self) -> None:
        self._rest = b""
        self.is_broken = False

    def feed(self, octets: bytes) -> list[bytes]:
        """Take what was read; return the PDUs that are whole now, in order."""
        data = self._rest + octets if self._rest else octets
        at, end = 0, len(data)
        pdus: list[bytes] = []
        while end - at >= _WORD.size and not self.is_broken:
            (length,) = _WORD.unpack_from(data, at)
            if not HEADER_OCTETS <= length <= MAX_PDU_OCTETS:
                self.is_broken = True
            elif end - at < length:
                break
            else:
                pdus.append(data[at : at + length])
                at += length
        self._rest = b"" if self.is_broken else data[at:]
        return pdus


def pdu(
    command_id: int, sequence_number: int, body: bytes = b"", *, command_status: int = 0
) -> bytes:
    """Return the header for `body`, and `body`."""
    length = HEADER_OCTETS + len(body)
    return _HEADER.pack(length, command_id, command_status, sequence_number) + body


def header_of(octets: bytes) -> Header:
    """Read the header of a whole PDU."""
    return Header(*_HEADER.unpack_from(octets))


def sequence_of(octets: bytes) -> int:
    """Read a whole PDU's sequence_number."""
    (number,) = _WORD.unpack_from(octets, 12)
    return int(number)


def tlv_octets(tlvs: Tlvs) -> bytes:
    """Write `tlvs` one after another, in the order and number given."""
    return b"".join(_TLV.pack(tag, len(value)) + value for tag, value in tlvs)


def tlvs_of(octets: bytes, at: int = 0) -> list[tuple[int, bytes]]:
    """Read the TLVs from `at` to the end; raise MalformedError when they do not end there."""
    tlvs = []
    while at < len(octets):
        if at + _TLV.size > len(octets):
            raise MalformedError("octets after the last TLV")
        tag, length = _TLV.unpack_from(octets, at)
        at += _TLV.size
        if at + length > len(octets):
            raise MalformedError("a TLV runs past the PDU")
        tlvs.append((tag, octets[at : at + length]))
        at += length
    return tlvs


def c_string(octets: bytes, at: int) -> tuple[str, int]:
    """Read a C-octet string; return it and the offset past its NUL."""
    end = octets.find(0, at)
    if end < 0:
        raise MalformedError("a C-octet string without its NUL")
    return octets[at:end].decode("latin-1"), end + 1


def c_octets(text: str) -> bytes:
    """Write a C-octet string."""
    return text.encode("latin-1") + b"\0"


def message_id_of(answer: bytes) -> str:
    """Read the message_id of an answer to a message, empty when the body was left out."""
    if len(answer) == HEADER_OCTETS:
        return ""
    return c_string(answer, HEADER_OCTETS)[0]


def read_message(octets: bytes) -> Message:
    """Read a submit_sm, deliver_sm, submit_multi or data_sm; raise MalformedError otherwise."""
    reader = _READERS.get(header_of(octets).command_id)
    if reader is None:
        raise MalformedError("not a command that carries a message")
    return reader(octets)


def _read_short_message(octets: bytes) -> Message:
    _, at = c_string(octets, HEADER_OCTETS)
    source, at = c_string(octets, at + 2)
    destination, at = c_string(octets, at + 2)
    return _read_text(octets, at, source, (destination,))


def _read_submit_multi(octets: bytes) -> Message:
    _, at = c_string(octets, HEADER_OCTETS)
    source, at = c_string(octets, at + 2)
    (count,) = _fields(octets, at, 1)
    at += 1
    if not count:
        raise MalformedError("no destination")
    destinations = []
    for _ in range(count):
        # dest_flag 1 is an SME address with its TON and NPI, 2 a distribution list's name.
        flag = _fields(octets, at, 1)
        destination, at = c_string(octets, at + (3 if flag == b"\1" else 1))
        destinations.append(destination)
    return _read_text(octets, at, source, tuple(destinations))


def _read_text(octets: bytes, at: int, source: str, destinations: tuple[str, ...]) -> Message:
    esm_class, _, _ = _fields(octets, at, 3)
    _, at = c_string(octets, at + 3)
    _, at = c_string(octets, at)
    registered_delivery, _, data_coding, _, length = _fields(octets, at, 5)
    text = _fields(octets, at + 5, length)
    end = at + 5 + length
    if end < len(octets) and not text:
        text = _payload(octets, end)
    return Message(source, destinations, esm_class, registered_delivery, data_coding, text)


def _read_data_sm(octets: bytes) -> Message:
    _, at = c_string(octets, HEADER_OCTETS)
    source, at = c_string(octets, at + 2)
    destination, at = c_string(octets, at + 2)
    esm_class, registered_delivery, data_coding = _fields(octets, at, 3)
    text = _payload(octets, at + 3)
    return Message(source, (destination,), esm_class, registered_delivery, data_coding, text)


def _fields(octets: bytes, at: int, count: int) -> bytes:
    fields = octets[at : at + count]
    if len(fields) < count:
        raise MalformedError("the PDU ends inside its fields")
    return fields


def _payload(octets: bytes, at: int) -> bytes:
    payloads = (value for tag, value in tlvs_of(octets, at) if tag == Tag.MESSAGE_PAYLOAD)
    return next(payloads, b"")


_READERS: dict[int, Callable[[bytes], Message]] = {
    CommandId.SUBMIT_SM: _read_short_message,
    CommandId.DELIVER_SM: _read_short_message,
    CommandId.SUBMIT_MULTI: _read_submit_multi,
    CommandId.DATA_SM: _read_data_sm,
}
