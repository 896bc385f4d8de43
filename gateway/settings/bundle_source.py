"""The files of one policy bundle: what may be read, how much, and the digest of all of it."""

import hashlib
import os
from pathlib import Path, PurePosixPath

from gateway.settings.fault import Fault, SettingsError
from gateway.settings.files import read_octets, whole_file_fault

MAX_BUNDLE_OCTETS = 64 * 1024 * 1024

_DIGEST_CHARS = 12
_MAX_KEYWORD_FILES = 1_000
TOP_FILES = ("bundle.yaml", "consent.yaml", "content.yaml", "selftest.yaml")


class BundleSource:
    """Reads each file of a bundle once, so that the digest names the very octets in use.

    `files` holds what was read, by name as the digest has it.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.files: dict[str, bytes] = {}
        self._hashes: dict[str, str] = {}
        self._octets_left = MAX_BUNDLE_OCTETS

    def read(self, path: Path, max_octets: int) -> bytes:
        """Return the content of `path`. Raises SettingsError, also when it is not of the bundle."""
        if not self._holds(path):
            raise whole_file_fault(path, "leads out of the bundle")
        octets = read_octets(path, max_octets)
        self._octets_left -= len(octets)
        if self._octets_left < 0:
            raise whole_file_fault(path, f"the bundle exceeds {MAX_BUNDLE_OCTETS} octets")
        name = path.relative_to(self.directory).as_posix()
        self.files[name] = octets
        self._hashes[name] = hashlib.sha256(octets).hexdigest()
        return octets

    def digest(self) -> str:
        """Return the first 12 hex digits of the SHA-256 over names and content of what was read.

        It is what ``sha256sum FILES | LC_ALL=C sort -k2 | sha256sum`` prints in the bundle.
        """
        listing = "".join(f"{self._hashes[name]}  {name}\n" for name in sorted(self._hashes))
        return hashlib.sha256(listing.encode()).hexdigest()[:_DIGEST_CHARS]

    def keyword_files(self) -> list[Path]:
        """Return the keyword files by name.

        Raises SettingsError for YAML that would be ignored, a policy that only seems to be in
        force. Hidden files are passed over: editors and mounted Kubernetes volumes leave them.
        """
        top = _visible(self.directory)
        stray = [path for path in top if _is_yaml(path) and path.name not in TOP_FILES]
        keywords = _visible(self.directory / "keywords")
        stray += [path for path in keywords if path.suffix == ".yml"]
        files = [path for path in keywords if path.suffix == ".yaml"]
        if len(files) > _MAX_KEYWORD_FILES:
            raise whole_file_fault(
                self.directory / "keywords", f"more than {_MAX_KEYWORD_FILES} files"
            )
        if stray:
            expected = f"only {', '.join(TOP_FILES)} and keywords/*.yaml are read"
            raise SettingsError(Fault(path, 1, 1, expected) for path in stray)
        return files

    def resolve(self, beside: Path, name: str) -> Path:
        """Return the file `name`, relative to the folder of the file `beside`.

        Raises ValueError when it would lead out of the bundle, by ``..``, an absolute name
        or a link: a policy from elsewhere must not read this machine's files.
        """
        relative = PurePosixPath(name)
        if relative.is_absolute() or ".." in relative.parts:
            raise ValueError("must be a relative name without ..")
        path = beside.parent / relative
        if not self._holds(path):
            raise ValueError("leads out of the bundle")
        return path

    def _holds(self, path: Path) -> bool:
        # Not Path.resolve: it raises RuntimeError for links in a circle before Python 3.13.
        return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self.directory))


def _visible(directory: Path) -> list[Path]:
    if not os.path.lexists(directory):
        return []
    try:
        return sorted(path for path in directory.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise whole_file_fault(directory, f"cannot be read: {error.strerror}") from error


def _is_yaml(path: Path) -> bool:
    return path.suffix in (".yaml", ".yml")
