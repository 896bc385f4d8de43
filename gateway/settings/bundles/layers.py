"""The files of a bundle and its layers: its own, a posture, a profile, additions, replacements."""

import hashlib
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from pathlib import Path, PurePosixPath

from gateway.settings import yaml
from gateway.settings.schema import is_id
from gateway.settings.yaml import (
    Document,
    Fault,
    FaultCollector,
    Mark,
    SettingsError,
    Value,
    Where,
    read_octets,
    whole_file_fault,
)

MAX_BUNDLE_OCTETS = 64 * 1024 * 1024

_DIGEST_CHARS = 12
_MAX_FILES = 1_000
TOP_FILES = ("bundle.yaml", "content.yaml", "detectors.yaml", "replies.yaml", "selftest.yaml")
RULES, KEYWORDS, CALENDARS = "rules", "keywords", "calendars"
POSTURES, PROFILES, LOCAL, OVERRIDE = "postures", "profiles", "local.d", "override.d"
# The posture that the files of a bundle have without a folder of postures/ over them.
USUAL_POSTURE = "balanced"

_FOLDERS = (RULES, KEYWORDS, CALENDARS)
_LAYERS = (POSTURES, PROFILES, LOCAL, OVERRIDE)
_ARE_READ = f"only {', '.join(TOP_FILES)}, {RULES}/*.yaml and {KEYWORDS}/*.yaml are read"
_NOT_KEPT = "has a name that no version of the policy can keep: it must be printable, without \\"
_WAS_CONSENT = (
    "consent.yaml is no more: write its replies as opted_out and restored into replies.yaml,"
    " and opt_out and consent as rules with the checks opt_out and no_consent into rules/*.yaml"
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
        if not stays_within(self.directory, path):
            raise whole_file_fault(path, "leads out of the bundle")
        name = path.relative_to(self.directory).as_posix()
        if not is_kept(name):
            raise whole_file_fault(path, _NOT_KEPT)
        octets = read_octets(path, max_octets)
        self._octets_left -= len(octets)
        if self._octets_left < 0:
            raise whole_file_fault(path, f"the bundle exceeds {MAX_BUNDLE_OCTETS} octets")
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
        known = (*_FOLDERS, *_LAYERS) if layer == self.directory else _FOLDERS
        for path in self._visible(layer):
            if path.name in TOP_FILES:
                found.append(path)
            elif _is_yaml(path):
                stray.append(path)
            elif path.name not in known and path.is_dir():
                # A folder that is not known is passed over, unless it looks like a policy.
                stray += filter(_is_yaml, self._visible(path))
        for folder in (RULES, KEYWORDS):
            files = [path for path in self._visible(layer / folder) if _is_yaml(path)]
            if len(files) > _MAX_FILES:
                raise whole_file_fault(layer / folder, f"more than {_MAX_FILES} files")
            stray += [path for path in files if path.suffix == ".yml"]
            found += files
        if stray:
            raise SettingsError(
                Fault(path, 1, 1, _WAS_CONSENT if path.name == "consent.yaml" else _ARE_READ)
                for path in stray
            )
        return [path.relative_to(layer).as_posix() for path in found]

    def folders(self, kind: str) -> list[str]:
        """Return the names of the folders in `kind`, PROFILES or POSTURES. Raises SettingsError."""
        return [path.name for path in self._visible(self.directory / kind) if path.is_dir()]

    def _visible(self, directory: Path) -> list[Path]:
        if not os.path.lexists(directory):
            return []
        if not stays_within(self.directory, directory):
            raise whole_file_fault(directory, "leads out of the bundle")
        try:
            return sorted(path for path in directory.iterdir() if not path.name.startswith("."))
        except OSError as error:
            raise whole_file_fault(directory, f"cannot be read: {error.strerror}") from error


def stays_within(directory: Path, path: Path) -> bool:
    """Tell whether `path` stays in `directory`, wherever links lead."""
    # Not Path.resolve: it raises RuntimeError for links in a circle before Python 3.13.
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(directory))


def is_kept(name: str) -> bool:
    """Tell whether an archive may hold a file of that name, which stays below its directory."""
    path = PurePosixPath(name)
    return (
        bool(path.parts)
        and not path.is_absolute()
        and not {".", ".."} & {*name.split("/")}
        and path.as_posix() == name
        and "\\" not in name
        and name.isprintable()
    )


def _is_yaml(path: Path) -> bool:
    return path.suffix in (".yaml", ".yml")


def overlaid(documents: Sequence[Document], appended: Collection[str] = ()) -> Document:
    """Return what `documents`, the lowest first, say together; one at least.

    Mappings are merged key by key, anything else replaces what was there. The lists under the
    keys `appended` of the top are joined. Every value keeps its place in the file that said it.
    """
    return reduce(partial(_laid_over, appended=appended), documents)


def _laid_over(below: Document, above: Document, appended: Collection[str]) -> Document:
    replaced: set[Where] = set()
    moved: dict[Where, int] = {}  # how far the entries of a joined list moved back

    def merged(old: Value, new: Value, where: Where) -> Value:
        match old, new:
            case dict(), dict():
                both = {
                    key: merged(old[key], item, (*where, key)) if key in old else item
                    for key, item in new.items()
                }
                return {**old, **both}
            case list(), list() if len(where) == 1 and where[0] in appended:
                moved[where] = len(old)
                return [*old, *new]
        replaced.add(where)
        return new

    value = merged(below.value, above.value, ())

    def marks(old: Mapping[Where, Mark], new: Mapping[Where, Mark]) -> dict[Where, Mark]:
        kept = {
            where: mark
            for where, mark in old.items()
            if not any(where[:depth] in replaced for depth in range(len(where) + 1))
        }
        # What both have is a mapping, or a joined list: that it lacks something is said first
        # where it stood first.
        return {_place_of(where, moved): mark for where, mark in new.items()} | kept

    return Document(
        below.path,
        value,
        marks(below.marks, above.marks),
        marks(below.key_marks, above.key_marks),
        (*below.faults, *above.faults),
    )


def _place_of(where: Where, moved: Mapping[Where, int]) -> Where:
    match where:
        case (key, int(index), *below) if (key,) in moved:
            return (key, index + moved[key,], *below)
    return where


def entries_of(document: Document, key: str) -> list[Document]:
    """Return each entry of the list under `key` as a document of its own."""
    value = document.value.get(key) if isinstance(document.value, dict) else None
    entries = value if isinstance(value, list) else []
    marks = _below(document.marks.items(), key, len(entries))
    key_marks = _below(document.key_marks.items(), key, len(entries))
    return [
        Document(document.path, entry, marks[index], key_marks[index])
        for index, entry in enumerate(entries)
    ]


def _below(marks: Iterable[tuple[Where, Mark]], key: str, count: int) -> list[dict[Where, Mark]]:
    """Return the marks below each entry of the list `key`, in one pass over all of them."""
    found: list[dict[Where, Mark]] = [{} for _ in range(count)]
    for where, mark in marks:
        match where:
            case (first, int(index), *rest) if first == key:
                found[index][tuple(rest)] = mark
    return found


HEAD = "bundle.yaml"


@dataclass(frozen=True, slots=True)
class Layers:
    """Which file says what: of each layer, the lowest first, the paths by name.

    A file of ``override.d/`` stands where the file of its name stands, which is then read in
    no layer. `places` tells of each path the folder of its layer and its name there.
    """

    source: BundleSource
    files: tuple[Mapping[str, Path], ...]
    places: Mapping[Path, tuple[Path, str]]

    def top(self, name: str, *appended: str) -> Document | None:
        """Return what all layers say in the top file `name`, None without one.

        Raises SettingsError for what is no YAML in any of them.
        """
        gathering = FaultCollector()
        paths = [layer[name] for layer in self.files if name in layer]
        read = [gathering.take(partial(self._document, path), None) for path in paths]
        gathering.close()
        found = [document for document in read if document is not None]
        return overlaid(found, appended) if found else None

    def documents(self, folder: str, gathering: FaultCollector) -> list[list[Document]]:
        """Return the YAML files of a folder, layer by layer; those that are none are left out."""
        layers = []
        for files in self.files:
            paths = [path for name, path in files.items() if name.startswith(f"{folder}/")]
            read = [gathering.take(partial(self._document, path), None) for path in paths]
            layers.append([document for document in read if document is not None])
        return layers

    def resolve(self, beside: Path, name: str) -> Path:
        """Return the file `name`, relative to the folder of `beside`, a path of a layer.

        It counts from the place that a file of ``override.d/`` takes, and may be replaced there
        itself. Raises ValueError when it would lead out of the bundle, by ``..``, an absolute
        name or a link: a policy from elsewhere must not read this machine's files.
        """
        relative = PurePosixPath(name)
        if relative.is_absolute() or ".." in relative.parts:
            raise ValueError("must be a relative name without ..")
        layer, place = self.places[beside]
        inside = PurePosixPath(place).parent / relative
        path = self.source.directory / OVERRIDE / inside
        if not os.path.lexists(path):
            path = layer / inside
        if path == beside:
            raise ValueError("names itself")
        if not stays_within(self.source.directory, path):
            raise ValueError("leads out of the bundle")
        return path

    def _document(self, path: Path) -> Document:
        """Read one file. Each says its version, also one that only adds to another."""
        document = self.source.document(path)
        if not isinstance(document.value, dict) or "version" in document.value:
            return document
        fault = document.fault((), "version: is missing")
        return replace(document, faults=(*document.faults, fault))


def find_layers(
    source: BundleSource, gathering: FaultCollector, profile: str | None = None
) -> Layers:
    """Return the layers of a bundle, as far as they can be found.

    Which posture and which profile are in force is said by ``bundle.yaml`` of the directory, of
    ``local.d/`` or of ``override.d/``, unless `profile` says it.
    """
    here, override = source.directory, source.directory / OVERRIDE
    chosen = (
        gathering.take(partial(_chosen_folder, source, POSTURES, None), None),
        gathering.take(partial(_chosen_folder, source, PROFILES, profile), None),
    )
    folders = [here, *(folder for folder in chosen if folder is not None), here / LOCAL]
    replacing = set(gathering.take(partial(source.yaml_files, override), []))
    places: dict[Path, tuple[Path, str]] = {}
    files: list[dict[str, Path]] = []
    for folder in folders:
        names = dict.fromkeys(gathering.take(partial(source.yaml_files, folder), []))
        if folder == here:
            names[HEAD] = None  # without which there is no bundle
        layer = {
            name: override / name if name in replacing else folder / name
            for name in names
            if override / name not in places
        }
        places |= {path: (folder, name) for name, path in layer.items()}
        files.append(layer)
    gathering.faults.extend(
        Fault(override / name, 1, 1, f"replaces nothing: what is new belongs into {LOCAL}/")
        for name in sorted(replacing)
        if override / name not in places
    )
    return Layers(source, tuple(files), places)


# The key of bundle.yaml that names a folder of this kind.
_KEYS = {POSTURES: "posture", PROFILES: "profile"}


def _chosen_folder(source: BundleSource, kind: str, asked: str | None) -> Path | None:
    """Return the folder of the posture or profile in force, None without one.

    Raises SettingsError if no folder has the name, or if its own ``bundle.yaml`` names one.
    """
    key = _KEYS[kind]
    here, local, override = (source.directory / name / HEAD for name in ("", LOCAL, OVERRIDE))
    heads = (override if os.path.lexists(override) else here, local)
    said = [source.document(head) for head in heads if os.path.lexists(head)]
    named = [
        (name, document.mark((key,)))
        for document in said
        if (name := _named_in(document, key)) is not None
    ]
    if asked is not None:
        named = [(asked, Mark(here, 1, 1))]
    if not named:
        return None
    name, mark = named[-1]
    usual = [USUAL_POSTURE] if kind == POSTURES else []
    if name in usual:
        return None
    folders = source.folders(kind)
    if not is_id(name) or name not in folders:
        known = ", ".join((*usual, *folders)) or "none"
        raise SettingsError([Fault(*mark, f"{key}: there is no {kind}/{name}; there are: {known}")])
    folder = source.directory / kind / name
    below = folder / HEAD
    for inner in [source.document(below)] if os.path.lexists(below) else ():
        for named_key in _KEYS.values():
            if _named_in(inner, named_key) is not None:
                problem = f"{named_key}: a {key} names no other"
                raise SettingsError([inner.fault((named_key,), problem)])
    return folder


def _named_in(document: Document, key: str) -> str | None:
    """Return the posture or profile that a head names, None when it names none or no text."""
    name = document.value.get(key) if isinstance(document.value, dict) else None
    return name if isinstance(name, str) and name else None
