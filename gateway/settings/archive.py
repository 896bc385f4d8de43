"""A bundle's files packed into octets, to be kept and taken out again."""

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import PurePosixPath

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
    try:
        with zipfile.ZipFile(io.BytesIO(octets)) as archive:
            return _files_of(archive)
    except (
        zipfile.BadZipFile,
        zlib.error,
        # What zipfile raises for broken fields, foreign methods and encrypted entries.
        NotImplementedError,
        RuntimeError,
        EOFError,
        OSError,
        OverflowError,
    ) as error:
        raise ValueError("is no archive of a bundle") from error


def _files_of(archive: zipfile.ZipFile) -> dict[str, bytes]:
    entries = archive.infolist()
    if len(entries) > _MAX_FILES:
        raise ValueError(f"holds more than {_MAX_FILES} files")
    files: dict[str, bytes] = {}
    left = MAX_BUNDLE_OCTETS
    for entry in entries:
        if not _stays_inside(entry.filename):
            raise ValueError("holds a name that leads out of the bundle")
        # Not what the entry claims to hold: what is read is counted.
        with archive.open(entry) as file:
            files[entry.filename] = file.read(left + 1)
        left -= len(files[entry.filename])
        if left < 0:
            raise ValueError(f"holds more than {MAX_BUNDLE_OCTETS} octets")
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
