"""The files of one policy bundle: what may be read, how much, and the digest of all of it."""

import hashlib
import os
from pathlib import Path

from gateway.settings import yaml
from gateway.settings.fault import Fault, SettingsError
from gateway.settings.files import read_octets, whole_file_fault
from gateway.settings.yaml import Document

MAX_BUNDLE_OCTETS = 64 * 1024 * 1024

_DIGEST_CHARS = 12
_MAX_FILES = 1_000
TOP_FILES = ("bundle.yaml", "content.yaml", "replies.yaml", "selftest.yaml")
RULES, KEYWORDS, CALENDARS = "rules", "keywords", "calendars"
PROFILES, LOCAL, OVERRIDE = "profiles", "local.d", "override.d"

_FOLDERS = (RULES, KEYWORDS, CALENDARS)
_LAYERS = (PROFILES, LOCAL, OVERRIDE)
_ARE_READ = f"only {', '.join(TOP_FILES)}, {RULES}/*.yaml and {KEYWORDS}/*.yaml are read"
_WAS_CONSENT = (
    "consent.yaml is no more: write its replies as opted_out and restored into replies.yaml,"
    " and opt_out and consent as rules with the checks refused and not_agreed into rules/*.yaml"
)


class BundleSource:
    """Reads each file of a bundle once, so that the digest names the very octets in use.

    `files` holds what was read, by name as the digest has it.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.files: dict[str, bytes] = {}
        self._hashes: dict[str, str] = {}
        self._documents: dict[Path, Document] = {}
        self._octets_left = MAX_BUNDLE_OCTETS

    def read(self, path: Path, max_octets: int) -> bytes:
        """Return the content of `path`. Raises SettingsError, also when it is not of the bundle."""
        if not self.holds(path):
            raise whole_file_fault(path, "leads out of the bundle")
        octets = read_octets(path, max_octets)
        self._octets_left -= len(octets)
        if self._octets_left < 0:
            raise whole_file_fault(path, f"the bundle exceeds {MAX_BUNDLE_OCTETS} octets")
        name = path.relative_to(self.directory).as_posix()
        self.files[name] = octets
        self._hashes[name] = hashlib.sha256(octets).hexdigest()
        return octets

    def document(self, path: Path) -> Document:
        """Return the values of `path`, which is read once. Raises SettingsError."""
        found = self._documents.get(path)
        if found is None:
            found = yaml.compose(path, self.read(path, yaml.MAX_OCTETS))
            self._documents[path] = found
        return found

    def digest(self) -> str:
        """Return the first 12 hex digits of the SHA-256 over names and content of what was read.

        It is what ``sha256sum FILES | LC_ALL=C sort -k2 | sha256sum`` prints in the bundle.
        """
        listing = "".join(f"{self._hashes[name]}  {name}\n" for name in sorted(self._hashes))
        return hashlib.sha256(listing.encode()).hexdigest()[:_DIGEST_CHARS]

    def yaml_files(self, layer: Path) -> list[str]:
        """Return by name, which counts from `layer`, what a layer of the bundle says.

        Raises SettingsError for YAML that would be ignored, a policy that only seems to be in
        force. Hidden files are passed over: editors and mounted Kubernetes volumes leave them.
        """
        found, stray = [], []
        for path in self._visible(layer):
            if path.name in TOP_FILES:
                found.append(path)
            elif _is_yaml(path):
                stray.append(path)
            elif path.name not in self._folders_of(layer):
                stray += self._yaml_in(path)
        for folder in (RULES, KEYWORDS):
            files = [path for path in self._visible(layer / folder) if _is_yaml(path)]
            if len(files) > _MAX_FILES:
                raise whole_file_fault(layer / folder, f"more than {_MAX_FILES} files")
            stray += [path for path in files if path.suffix == ".yml"]
            found += files
        if stray:
            raise SettingsError(map(_stray_fault, stray))
        return [path.relative_to(layer).as_posix() for path in found]

    def profiles(self) -> list[str]:
        """Return the names of the profiles that there are. Raises SettingsError."""
        return [path.name for path in self._visible(self.directory / PROFILES) if path.is_dir()]

    def holds(self, path: Path) -> bool:
        """Tell whether `path` stays in the bundle, wherever links lead."""
        # Not Path.resolve: it raises RuntimeError for links in a circle before Python 3.13.
        return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self.directory))

    def _folders_of(self, layer: Path) -> tuple[str, ...]:
        return (*_FOLDERS, *_LAYERS) if layer == self.directory else _FOLDERS

    def _yaml_in(self, path: Path) -> list[Path]:
        # A folder that is not known is passed over, unless it looks like a policy.
        return [below for below in self._visible(path) if _is_yaml(below)] if path.is_dir() else []

    def _visible(self, directory: Path) -> list[Path]:
        if not os.path.lexists(directory):
            return []
        if not self.holds(directory):
            raise whole_file_fault(directory, "leads out of the bundle")
        try:
            return sorted(path for path in directory.iterdir() if not path.name.startswith("."))
        except OSError as error:
            raise whole_file_fault(directory, f"cannot be read: {error.strerror}") from error


def _stray_fault(path: Path) -> Fault:
    return Fault(path, 1, 1, _WAS_CONSENT if path.name == "consent.yaml" else _ARE_READ)


def _is_yaml(path: Path) -> bool:
    return path.suffix in (".yaml", ".yml")
