"""A bundle's files packed into octets, to be kept and taken out again."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import PurePosixPath

from gateway.filter.zip_members import ZipFaultError, inflated, members_of
from gateway.settings.bundle_source import MAX_BUNDLE_OCTETS

MAX_ARCHIVE_OCTETS = 16 * 1024 * 1024

_MAX_FILES = 10_000
# Of the files' times nothing is kept: equal files make equal octets.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


def packed(files: Mapping[str, bytes]) -> bytes:
    """Return `files` as a ZIP archive, b"" when it would exceed MAX_ARCHIVE_OCTETS."""
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _NO_TIME)
            # The fastest level: half the time for 100 000 words, and 4 % more octets.
            archive.writestr(entry, files[name], zipfile.ZIP_DEFLATED, compresslevel=1)
    octets = into.getvalue()
    return octets if len(octets) <= MAX_ARCHIVE_OCTETS else b""


def unpacked(octets: bytes) -> dict[str, bytes]:
    """Return the files of an archive that `packed` made.

    Raises ValueError for octets that are none, for names that lead out of a directory and
    for more than a bundle may hold: what comes from a store is not trusted with a disk.
    """
    files: dict[str, bytes] = {}
    left = MAX_BUNDLE_OCTETS
    try:
        for member in members_of(octets, _MAX_FILES):
            if not _stays_inside(member.name):
                raise ValueError("holds a name that leads out of the bundle")
            left -= member.octets
            if left < 0:
                raise ValueError(f"holds more than {MAX_BUNDLE_OCTETS} octets")
            files[member.name] = inflated(octets, member)
    except ZipFaultError as error:
        raise ValueError(f"is no archive of a bundle: {error.problem}") from error
    return files


def _stays_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return (
        bool(path.parts)
        and not path.is_absolute()
        and not {".", ".."} & {*name.split("/")}
        and path.as_posix() == name
        and "\\" not in name
        and name.isprintable()
    )
