"""The layers of a bundle: its own files, a profile, what was added here, what was replaced."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath

from gateway.settings.bundle_source import LOCAL, OVERRIDE, PROFILES, BundleSource
from gateway.settings.fault import Fault, FaultCollector, SettingsError
from gateway.settings.names import is_id
from gateway.settings.overlay import overlaid
from gateway.settings.yaml import Document, Mark

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
        if not self.source.holds(path):
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

    Which profile is in force is said by ``bundle.yaml`` of the directory, of ``local.d/`` or of
    ``override.d/``, unless `profile` says it.
    """
    here, override = source.directory, source.directory / OVERRIDE
    chosen = gathering.take(partial(_profile_folder, source, profile), None)
    folders = [here, here / LOCAL] if chosen is None else [here, chosen, here / LOCAL]
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


def _profile_folder(source: BundleSource, asked: str | None) -> Path | None:
    """Return the folder of the profile in force, None without one.

    Raises SettingsError if no profile has the name, or if the profile names another one.
    """
    here, local, override = (source.directory / name / HEAD for name in ("", LOCAL, OVERRIDE))
    heads = (override if os.path.lexists(override) else here, local)
    said = [source.document(head) for head in heads if os.path.lexists(head)]
    named = [
        (name, document.mark(("profile",))) for document in said if (name := _profile_of(document))
    ]
    if asked is not None:
        named = [(asked, Mark(here, 1, 1))]
    if not named:
        return None
    name, mark = named[-1]
    if not is_id(name) or name not in source.profiles():
        known = ", ".join(source.profiles()) or "none"
        problem = f"profile: there is no {PROFILES}/{name}; there are: {known}"
        raise SettingsError([Fault(*mark, problem)])
    folder = source.directory / PROFILES / name
    below = folder / HEAD
    if os.path.lexists(below) and _profile_of(inner := source.document(below)) is not None:
        raise SettingsError([inner.fault(("profile",), "profile: a profile names no other")])
    return folder


def _profile_of(document: Document) -> str | None:
    """Return the profile that a head names, None when it names none or no text."""
    name = document.value.get("profile") if isinstance(document.value, dict) else None
    return name if isinstance(name, str) else None
