"""The parameters of a PDU body: mandatory fields, times, and TLVs (SMPP 3.4, 5.2 and 5.3)."""

import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum

from gateway.smpp.status import CommandStatus, DecodeError, EncodeError


@dataclass(frozen=True, slots=True)
class SmeAddress:
    """One subscriber as a destination (SMPP 3.4, 4.5.1.1, dest_flag 1)."""

    ton: int
    npi: int
    address: bytes


@dataclass(frozen=True, slots=True)
class DistributionList:
    """A list that the SMSC keeps under a name (SMPP 3.4, 4.5.1.1, dest_flag 2).

    Only the SMSC knows its members, so their refusals cannot be looked up.
    """

    name: bytes


@dataclass(frozen=True, slots=True)
class UnsuccessSme:
    """A destination that was refused, and why (SMPP 3.4, 4.5.2.1)."""

    ton: int
    npi: int
    address: bytes
    status: int


Destination = SmeAddress | DistributionList


FieldValue = int | bytes | tuple[Destination, ...] | tuple[UnsuccessSme, ...]

_MAX_SHORT_MESSAGE_OCTETS = 255


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


_SME_FLAG = 1
_LIST_FLAG = 2
_MAX_ENTRIES = 255

_TON = Integer("dest_addr_ton", 1, CommandStatus.ESME_RINVDSTTON)
_NPI = Integer("dest_addr_npi", 1, CommandStatus.ESME_RINVDSTNPI)
_ADDRESS = COctetString("destination_addr", 21, CommandStatus.ESME_RINVDSTADR)
_LIST_NAME = COctetString("dl_name", 21, CommandStatus.ESME_RINVDLNAME)
_FLAG = Integer("dest_flag", 1, CommandStatus.ESME_RINVDESTFLAG)
_STATUS = Integer("error_status_code", 4, CommandStatus.ESME_RINVCMDLEN)
_COUNT = Integer("number_of_dests", 1, CommandStatus.ESME_RINVNUMDESTS)


@dataclass(frozen=True, slots=True)
class Destinations:
    """number_of_dests and dest_address(es) of submit_multi (SMPP 3.4, 4.5.1)."""

    name: str
    default: tuple[Destination, ...] = ()

    def read(self, body: bytes, at: int, end: int) -> tuple[tuple[Destination, ...], int]:
        """Return every destination in order. None at all is the peer's fault."""
        count, at = _COUNT.read(body, at, end)
        if count == 0:
            raise DecodeError("none", field=_COUNT.name, status=_COUNT.fault)
        destinations: list[Destination] = []
        for _ in range(count):
            destination, at = _read_destination(body, at, end)
            destinations.append(destination)
        return tuple(destinations), at

    def write(self, value: FieldValue) -> bytes:
        """Return the count and every destination."""
        if not isinstance(value, tuple) or len(value) > _MAX_ENTRIES:
            raise EncodeError(f"{self.name}: no list of at most {_MAX_ENTRIES}")
        return _COUNT.write(len(value)) + b"".join(map(_write_destination, value))


@dataclass(frozen=True, slots=True)
class FailedDestinations:
    """no_unsuccess and unsuccess_sme(s) of submit_multi_resp (SMPP 3.4, 4.5.2)."""

    name: str
    default: tuple[UnsuccessSme, ...] = ()

    def read(self, body: bytes, at: int, end: int) -> tuple[tuple[UnsuccessSme, ...], int]:
        """Return every refused destination in order."""
        count, at = _COUNT.read(body, at, end)
        refusals: list[UnsuccessSme] = []
        for _ in range(count):
            sme, at = _read_sme(body, at, end)
            status, at = _STATUS.read(body, at, end)
            refusals.append(UnsuccessSme(sme.ton, sme.npi, sme.address, status))
        return tuple(refusals), at

    def write(self, value: FieldValue) -> bytes:
        """Return the count and every refused destination."""
        if not isinstance(value, tuple) or len(value) > _MAX_ENTRIES:
            raise EncodeError(f"{self.name}: no list of at most {_MAX_ENTRIES}")
        return _COUNT.write(len(value)) + b"".join(map(_write_refusal, value))


def _read_destination(body: bytes, at: int, end: int) -> tuple[Destination, int]:
    flag, at = _FLAG.read(body, at, end)
    if flag == _SME_FLAG:
        return _read_sme(body, at, end)
    if flag == _LIST_FLAG:
        name, at = _LIST_NAME.read(body, at, end)
        return DistributionList(name), at
    raise DecodeError(f"{flag} is neither 1 nor 2", field=_FLAG.name, status=_FLAG.fault)


def _read_sme(body: bytes, at: int, end: int) -> tuple[SmeAddress, int]:
    ton, at = _TON.read(body, at, end)
    npi, at = _NPI.read(body, at, end)
    address, at = _ADDRESS.read(body, at, end)
    return SmeAddress(ton, npi, address), at


def _write_destination(destination: Destination | UnsuccessSme) -> bytes:
    if isinstance(destination, SmeAddress):
        return _FLAG.write(_SME_FLAG) + _write_sme(destination)
    if isinstance(destination, DistributionList):
        return _FLAG.write(_LIST_FLAG) + _LIST_NAME.write(destination.name)
    raise EncodeError("dest_address: a refusal is no destination")


def _write_refusal(refusal: Destination | UnsuccessSme) -> bytes:
    if not isinstance(refusal, UnsuccessSme):
        raise EncodeError("unsuccess_sme: a destination is no refusal")
    return _write_sme(refusal) + _STATUS.write(refusal.status)


def _write_sme(sme: SmeAddress | UnsuccessSme) -> bytes:
    return _TON.write(sme.ton) + _NPI.write(sme.npi) + _ADDRESS.write(sme.address)


Field = Integer | COctetString | OctetString | Destinations | FailedDestinations
"""One row of a command's layout.

`read` raises DecodeError with the status to answer to the peer, `write` raises EncodeError; neither
looks past `end`. `write` returns exactly the octets that `read` accepted.
"""

# YYMMDDhhmmsstnnp: tenths, quarter hours of difference to UTC, and + or - for the side of it.
_ABSOLUTE = re.compile(rb"([0-9]{12})[0-9]([0-9]{2})([+-])")
_RELATIVE = re.compile(rb"([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})000R")
_QUARTER = timedelta(minutes=15)
_DAYS_A_YEAR = 365
_DAYS_A_MONTH = 30


def moment_of(value: bytes, now: datetime) -> datetime | None:
    """Return the moment that a schedule_delivery_time or validity_period means, in UTC.

    None for an empty value and for one that names no moment. Years and months of a relative
    time are taken as 365 and 30 days.
    """
    relative = _RELATIVE.fullmatch(value)
    if relative is not None:
        years, months, days, hours, minutes, seconds = map(int, relative.groups())
        whole_days = years * _DAYS_A_YEAR + months * _DAYS_A_MONTH + days
        return now + timedelta(days=whole_days, hours=hours, minutes=minutes, seconds=seconds)
    absolute = _ABSOLUTE.fullmatch(value)
    if absolute is None:
        return None
    digits, quarters, side = absolute.groups()
    try:
        local = datetime.strptime(digits.decode(), "%y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    ahead = int(quarters) * _QUARTER
    return local - ahead if side == b"+" else local + ahead


_TAG_AND_LENGTH = struct.Struct(">HH")
_MAX_16_BITS = 0xFFFF


class Tag(IntEnum):
    """The tags that are read or written, by their spec names (SMPP 3.4, 5.3.2).

    A tag off the wire stays a plain int: others travel on, those of vendors (0x1400 to 0x3FFF) too.
    """

    ADDITIONAL_STATUS_INFO_TEXT = 0x001D
    RECEIPTED_MESSAGE_ID = 0x001E
    USER_MESSAGE_REFERENCE = 0x0204
    SAR_MSG_REF_NUM = 0x020C
    SAR_TOTAL_SEGMENTS = 0x020E
    SAR_SEGMENT_SEQNUM = 0x020F
    SC_INTERFACE_VERSION = 0x0210
    CALLBACK_NUM_ATAG = 0x0303
    CALLBACK_NUM = 0x0381
    MS_AVAILABILITY_STATUS = 0x0422
    MESSAGE_PAYLOAD = 0x0424
    MORE_MESSAGES_TO_SEND = 0x0426
    MESSAGE_STATE = 0x0427


TEXT_TAGS = frozenset({Tag.MESSAGE_PAYLOAD})
"""The TLVs whose value is the text of the message, in place of short_message (5.3.2.32)."""


@dataclass(frozen=True, slots=True)
class Tlv:
    """One optional parameter; its length is that of `value`."""

    tag: int
    value: bytes


def read_tlvs(data: bytes, at: int, end: int) -> tuple[tuple[Tlv, ...], bytes]:
    """Return the TLVs between `at` and `end`, and the one to three stray octets after them.

    Stray octets are common in the field: they are kept so that nothing is cut in silence.
    Raises DecodeError when a length points past `end`.
    """
    tlvs: list[Tlv] = []
    while end - at >= _TAG_AND_LENGTH.size:
        tag, length = _TAG_AND_LENGTH.unpack_from(data, at)
        at += _TAG_AND_LENGTH.size
        if length > end - at:
            raise DecodeError(
                f"{length} octets announced, {end - at} there",
                field=f"TLV 0x{tag:04X}",
                status=CommandStatus.ESME_RINVOPTPARSTREAM,
            )
        tlvs.append(Tlv(tag, data[at : at + length]))
        at += length
    return tuple(tlvs), data[at:end]


def write_tlvs(tlvs: Iterable[Tlv]) -> bytes:
    """Return the octets of `tlvs` in their order; raise EncodeError for what 16 bits cannot say."""
    parts: list[bytes] = []
    for tlv in tlvs:
        if not 0 <= tlv.tag <= _MAX_16_BITS or len(tlv.value) > _MAX_16_BITS:
            raise EncodeError("a TLV's tag or length is over 16 bits")
        parts += (_TAG_AND_LENGTH.pack(tlv.tag, len(tlv.value)), tlv.value)
    return b"".join(parts)


def first(tlvs: Iterable[Tlv], tag: int) -> bytes | None:
    """Return the value of the first TLV with `tag`, or None."""
    return next((tlv.value for tlv in tlvs if tlv.tag == tag), None)
