"""Archives that lie about what they hold, and what reading them costs."""

import io
import struct
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filter.classifier.zip_members import (
    END_OCTETS,
    ZipFaultError,
    ZipMember,
    inflated,
    members_of,
)

WORDS = {"a.txt": b"alpha " * 50, "\u4e8c.txt": b"", "c.txt": b"gamma"}
MAXIMUM = 8

# Where a field stands in a header of the list, and what it is packed as.
FLAGS, METHOD, OCTETS, DISK, BEGIN = (8, "<H"), (10, "<H"), (24, "<L"), (34, "<H"), (42, "<L")


def zipped(members: dict[str, bytes] = WORDS, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", method) as archive:
        for name, octets in members.items():
            archive.writestr(name, octets)
    return into.getvalue()


def read(octets: bytes, maximum: int = MAXIMUM) -> dict[str, bytes]:
    return {one.name: inflated(octets, one) for one in members_of(octets, maximum)}


def patched(octets: bytes, field: tuple[int, str], value: int, *, also_local: int = -1) -> bytes:
    """Return an archive whose first listed member has another value in a field."""
    changed = bytearray(octets)
    at, form = field
    struct.pack_into(form, changed, octets.index(b"PK\1\2") + at, value)
    if also_local >= 0:
        struct.pack_into(form, changed, also_local, value)
    return bytes(changed)


def ended(octets: bytes, place: int, value: int) -> bytes:
    """Return an archive with another number in its end record."""
    changed = bytearray(octets)
    struct.pack_into("<H", changed, len(octets) - END_OCTETS + place, value)
    return bytes(changed)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_what_is_stored_or_deflated_is_read(method: int) -> None:
    assert read(zipped(method=method)) == WORDS


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods_are_refused_by_the_list_alone(method: int) -> None:
    with pytest.raises(ZipFaultError, match="neither stored nor deflated") as caught:
        members_of(zipped(method=method), MAXIMUM)

    assert caught.value.member == "a.txt"


def test_an_encrypted_member_is_refused() -> None:
    with pytest.raises(ZipFaultError, match="encrypted"):
        members_of(patched(zipped(), FLAGS, 1, also_local=6), MAXIMUM)


def test_a_member_holds_no_more_than_it_declares() -> None:
    octets = zipped({"a": bytes(1 << 20)})
    (member,) = members_of(patched(octets, OCTETS, 1_000), MAXIMUM)

    with pytest.raises(ZipFaultError, match="it is broken") as caught:
        inflated(patched(octets, OCTETS, 1_000), member)

    assert caught.value.member == "a"


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_member_holds_no_less_than_it_declares(method: int) -> None:
    octets = patched(zipped({"a": b"alpha"}, method), OCTETS, 6)
    (member,) = members_of(octets, MAXIMUM)

    with pytest.raises(ZipFaultError, match="it is broken"):
        inflated(octets, member)


def test_octets_that_are_no_deflate_are_refused() -> None:
    octets = zipped({"a": b"alpha"})
    at = members_of(octets, MAXIMUM)[0].data
    broken = octets[:at] + b"\xff" + octets[at + 1 :]

    with pytest.raises(ZipFaultError, match="it is broken"):
        read(broken)


def test_a_member_with_another_checksum_is_refused() -> None:
    octets = zipped({"a": b"alpha"}, zipfile.ZIP_STORED)

    with pytest.raises(ZipFaultError, match="it is broken"):
        read(octets.replace(b"alpha", b"alphb"))


def test_members_that_share_octets_are_refused() -> None:
    octets = zipped({"a": b"alpha", "b": b"gamma"}, zipfile.ZIP_STORED)
    second = octets.index(b"PK\3\4", 1)
    last = octets.rindex(b"PK\1\2")
    # Both are listed at the first one's place, under its name.
    shared = octets[: last + 42] + bytes(4) + b"a" + octets[last + 47 :]

    assert second
    with pytest.raises(ZipFaultError, match="it overlaps another part"):
        members_of(shared, MAXIMUM)


def test_a_member_may_not_reach_into_the_list() -> None:
    octets = bytearray(zipped({"a": b"alpha"}, zipfile.ZIP_STORED))
    struct.pack_into("<L", octets, octets.index(b"PK\1\2") + 20, 6)

    with pytest.raises(ZipFaultError, match="it is broken"):
        members_of(bytes(octets), MAXIMUM)


def test_more_members_than_may_be_are_refused_unlisted() -> None:
    octets = zipped({str(number): b"" for number in range(9)})

    with pytest.raises(ZipFaultError, match="more than 8 parts"):
        members_of(octets, MAXIMUM)


def test_a_list_longer_or_shorter_than_it_says_is_refused() -> None:
    for count in (2, 4):
        changed = ended(ended(zipped(), 8, count), 10, count)
        with pytest.raises(ZipFaultError, match="the list of its parts is broken"):
            members_of(changed, MAXIMUM)


@pytest.mark.parametrize("place", [4, 6, 8])
def test_an_archive_of_several_disks_is_refused(place: int) -> None:
    with pytest.raises(ZipFaultError, match="several disks"):
        members_of(ended(zipped(), place, 1), MAXIMUM)


def test_a_member_on_another_disk_is_refused() -> None:
    with pytest.raises(ZipFaultError, match="the list of its parts is broken"):
        members_of(patched(zipped(), DISK, 1), MAXIMUM)


@pytest.mark.parametrize(
    "change",
    [
        lambda octets: octets[:-1],
        lambda octets: octets + b"\0",
        lambda octets: ended(octets, 20, 1),
        lambda _octets: b"",
        lambda octets: b"x" + octets,
        lambda octets: octets.replace(b"PK\1\2", b"PK\1\3"),
    ],
)
def test_octets_before_behind_and_between_are_refused(change: object) -> None:
    assert callable(change)
    with pytest.raises(ZipFaultError) as caught:
        members_of(change(zipped()), MAXIMUM)

    assert not caught.value.member


@pytest.mark.parametrize("begin", [1, 0xFFFF_FFFF])
def test_a_member_whose_header_is_elsewhere_is_refused(begin: int) -> None:
    with pytest.raises(ZipFaultError, match="it is broken") as caught:
        members_of(patched(zipped(), BEGIN, begin), MAXIMUM)

    assert caught.value.member == "a.txt"


def test_a_name_that_is_no_text_is_refused() -> None:
    octets = zipped({"ab": b""}).replace(b"ab", b"\xff\xff")

    with pytest.raises(ZipFaultError, match="the list of its parts is broken"):
        members_of(octets, MAXIMUM)


def test_an_empty_archive_has_no_members() -> None:
    assert read(zipped({})) == {}


@given(st.binary(max_size=300))
def test_any_octets_are_members_or_refused(octets: bytes) -> None:
    try:
        found = read(octets)
    except ZipFaultError:
        return
    assert sum(map(len, found.values())) <= len(octets)


@given(st.dictionaries(st.text("ab\u4e8c", min_size=1), st.binary(max_size=300), max_size=MAXIMUM))
def test_what_zipfile_writes_is_read(members: dict[str, bytes]) -> None:
    assert read(zipped(members)) == members


@given(st.data())
def test_an_archive_broken_anywhere_gives_what_it_held_or_a_fault(data: st.DataObject) -> None:
    octets = bytearray(zipped())
    at = data.draw(st.integers(0, len(octets) - 1))
    octets[at] ^= data.draw(st.integers(1, 255))

    try:
        found = read(bytes(octets))
    except ZipFaultError:
        return
    assert sorted(map(zlib.crc32, found.values())) == sorted(map(zlib.crc32, WORDS.values()))


def test_a_member_is_compared_by_what_is_listed() -> None:
    (member,) = members_of(zipped({"a": b"alpha"}, zipfile.ZIP_STORED), MAXIMUM)

    assert member == ZipMember("a", 5, 0, zlib.crc32(b"alpha"), 0, 31, 36)
