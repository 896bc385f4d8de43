"""Untrusted ZIP archives: list and inflate their members within declared bounds.

Python's zipfile inflates a whole BZIP2, LZMA or deflate member before it cuts it to the size
that the archive declares, and makes an object for each member, without a limit on their number.
"""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter
from struct import Struct

STORED, DEFLATED = 0, 8  # APPNOTE.TXT, 4.4.5
BEGIN, END = b"PK\3\4", b"PK\5\6"

_LISTED = b"PK\1\2"
_LOCAL_HEADER = Struct("<4s5H3L2H")  # APPNOTE.TXT, 4.3.7
_LISTED_HEADER = Struct("<4s6H3L5H2L")  # 4.3.12
_END_RECORD = Struct("<4s4H2LH")  # 4.3.16
END_OCTETS = _END_RECORD.size

_UTF8_NAME = 0x0800
# The compression level, and sizes after the data: neither changes how the data is read.
_HARMLESS_FLAGS = 0x000E | _UTF8_NAME


class ZipFaultError(ValueError):
    """An archive that is rejected. `member` is the part at fault, "" for the list of members."""

    def __init__(self, problem: str, member: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.member = member


@dataclass(frozen=True, slots=True)
class ZipMember:
    """One member as the archive lists it; `octets` is its declared size."""

    name: str
    octets: int
    method: int
    crc: int
    begin: int  # where its header begins
    data: int  # where its data begins
    end: int  # and ends


def members_of(archive: bytes, maximum: int) -> list[ZipMember]:
    """Return the members of `archive`, at most `maximum`, in the order of its list.

    Nothing is inflated. Raises ZipFaultError if it lists more, if it is not a plain archive in one
    file without a comment, and for members that are encrypted, overlap, or use another method
    than stored and deflated.
    """
    count, at, end = _list_of(archive)
    if count > maximum:
        raise ZipFaultError(f"it lists more than {maximum} parts")
    members: list[ZipMember] = []
    for _ in range(count):
        member, at = _listed(archive, at, end)
        members.append(member)
    if at != end:
        raise ZipFaultError("the list of its parts is broken")
    _check_order(members)
    return members


def inflated(archive: bytes, member: ZipMember) -> bytes:
    """Return the content of `member`; it is exactly as long as declared.

    Raises ZipFaultError.
    """
    data = memoryview(archive)[member.data : member.end]
    octets = bytes(data) if member.method == STORED else _deflated(data, member)
    if len(octets) != member.octets or zlib.crc32(octets) != member.crc:
        raise ZipFaultError("it is broken", member.name)
    return octets


def _list_of(archive: bytes) -> tuple[int, int, int]:
    """Return how many members there are, where their list begins, and where it ends."""
    end = len(archive) - END_OCTETS
    if end < 0:
        raise ZipFaultError("it has no end")
    magic, disk, first, here, count, octets, begin, comment = _END_RECORD.unpack_from(archive, end)
    if magic != END or comment:
        raise ZipFaultError("it has no end")
    if disk or first or here != count:
        raise ZipFaultError("it is one of several disks")
    if begin + octets != end:
        raise ZipFaultError("the list of its parts is broken")
    return count, begin, end


def _listed(archive: bytes, at: int, end: int) -> tuple[ZipMember, int]:
    """Return the member listed at `at`, and the offset of the next one."""
    named = at + _LISTED_HEADER.size
    if named > end:
        raise ZipFaultError("the list of its parts is broken")
    fields = _LISTED_HEADER.unpack_from(archive, at)
    magic, _, _, flags, method, _, _, crc, packed, octets, length, extra, comment, disk = fields[
        :14
    ]
    following = named + length + extra + comment
    if magic != _LISTED or following > end or disk:
        raise ZipFaultError("the list of its parts is broken")
    written = archive[named : named + length]
    name = _name_of(written, flags)
    if flags & ~_HARMLESS_FLAGS or method not in (STORED, DEFLATED):
        raise ZipFaultError("it is encrypted, or neither stored nor deflated", name)
    begin: int = fields[16]
    data = _data_of(archive, begin, (written, flags, method), name)
    if data + packed > at:
        raise ZipFaultError("it is broken", name)
    return ZipMember(name, octets, method, crc, begin, data, data + packed), following


def _name_of(written: bytes, flags: int) -> str:
    try:
        return written.decode("utf-8" if flags & _UTF8_NAME else "ascii")
    except UnicodeDecodeError as error:
        raise ZipFaultError("the list of its parts is broken") from error


def _data_of(archive: bytes, begin: int, listed: tuple[bytes, int, int], name: str) -> int:
    """Return the offset of a member's data; its header is at `begin`."""
    named = begin + _LOCAL_HEADER.size
    if named > len(archive):
        raise ZipFaultError("it is broken", name)
    magic, _, flags, method, _, _, _, _, _, length, extra = _LOCAL_HEADER.unpack_from(
        archive, begin
    )
    if magic != BEGIN or (archive[named : named + length], flags, method) != listed:
        raise ZipFaultError("it is broken", name)
    return int(named + length + extra)


def _check_order(members: Iterable[ZipMember]) -> None:
    """Reject members that share octets: many members could claim the same few octets."""
    for one, following in pairwise(sorted(members, key=attrgetter("begin"))):
        if following.begin < one.end:
            raise ZipFaultError("it overlaps another part", following.name)


def _deflated(data: memoryview, member: ZipMember) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        # One octet more than declared shows that there is more, without inflating the rest.
        octets = inflater.decompress(data, member.octets + 1)
    except zlib.error as error:
        raise ZipFaultError("it is broken", member.name) from error
    if not inflater.eof or inflater.unused_data:  # damaged, or it holds more than it declares
        raise ZipFaultError("it is broken", member.name)
    return octets
