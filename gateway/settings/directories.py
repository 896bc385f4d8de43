"""The directories of a deployment: where they are, and every fault of all their files."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from gateway.domain.categories import category_of, likely_category
from gateway.domain.policy import ListAction
from gateway.policy.bundle import Bundle
from gateway.settings.bundles.bundle import load_proven
from gateway.settings.bundles.layers import KEYWORDS, BundleSource, find_layers
from gateway.settings.console import load_console, load_system_ids
from gateway.settings.filings import load_provinces
from gateway.settings.gateway import (
    groups_of,
    load_gateway,
    report_codes_of,
    shipped,
)
from gateway.settings.linkage import load_linkage
from gateway.settings.senders import load_senders, takes_peers
from gateway.settings.services import load_services
from gateway.settings.yaml import Document, Fault, FaultCollector, SettingsError

T = TypeVar("T")
_SYSTEM = Path("/etc/smsward")


def config_directory(explicit: Path | None = None) -> Path:
    """Return `explicit`, else the first with a gateway.yaml.

    They are /etc/smsward, ./config and the example that is shipped.
    """
    return explicit or _first_with("gateway.yaml", _SYSTEM, Path("config"), shipped("config"))


def policies_directory(explicit: Path | None = None) -> Path:
    """Return `explicit`, else the first with a bundle.yaml.

    They are /etc/smsward/policies, ./policies and the bundle that is shipped.
    """
    return explicit or _first_with(
        "bundle.yaml", _SYSTEM / "policies", Path("policies"), shipped("policies")
    )


def is_sample(directory: Path) -> bool:
    """Tell whether `directory` is as shipped, without changes of the operator."""
    return directory in (shipped("config"), shipped("policies"))


def _first_with(name: str, *directories: Path) -> Path:
    """Return the first directory that has the file `name`, the last one if none has."""
    return next((found for found in directories if _has(found, name)), directories[-1])


def _has(directory: Path, name: str) -> bool:
    try:
        return (directory / name).is_file()
    except PermissionError:
        return True  # passed over, the sample would be taken in its place


def check(config_directory: Path, policies_directory: Path) -> tuple[Fault, ...]:
    """Return all faults of the configuration and of the bundle; none when all is well."""
    loads: tuple[Callable[[], object], ...] = (
        partial(load_gateway, config_directory / "gateway.yaml"),
        partial(_load_senders, config_directory),
        partial(_load_services, config_directory),
        partial(load_provinces, config_directory / "provinces.csv"),
        partial(_refuse_former_name, config_directory / "api.yaml", "console.yaml"),
        partial(_load_console, config_directory),
        partial(_load_linkage, config_directory),
        partial(load_proven, policies_directory),
    )
    gathering = FaultCollector()
    for load in loads:
        gathering.take(load, None)
    return tuple(gathering.faults)


def _load_senders(config_directory: Path) -> None:
    path = config_directory / "gateway.yaml"
    settings = FaultCollector().take(partial(load_gateway, path), None)
    codes = report_codes_of(settings)
    path = config_directory / "senders.yaml"
    load_senders(path, groups_of(settings), codes, takes_peers=takes_peers(settings))


def _load_services(config_directory: Path) -> None:
    senders = _unless_faulty(load_senders, config_directory)
    load_services(config_directory / "services.yaml", senders)


def _refuse_former_name(path: Path, name: str) -> None:
    if path.exists():
        raise SettingsError([Fault(path, 1, 1, f"nothing reads it: rename it to {name}")])


def _load_console(config_directory: Path) -> None:
    path = config_directory / "console.yaml"
    if path.exists():  # there need not be a console
        load_console(path, _unless_faulty(load_system_ids, config_directory))


def _load_linkage(config_directory: Path) -> None:
    path = config_directory / "linkage.yaml"
    if path.exists():  # there need not be a linkage
        load_linkage(path)


def _unless_faulty(load: Callable[[Path], T], config_directory: Path) -> T | None:
    """Return the senders, None for a file with faults: those are told already."""
    return FaultCollector().take(partial(load, config_directory / "senders.yaml"), None)


_MISSED = "is none of the tree, so its hits have no harm, and preferences and reports do not see it"


def stray_categories(bundle: Bundle, directory: Path) -> tuple[Fault, ...]:
    """Return the categories of `bundle`, read from `directory`, that are probably not meant.

    No faults: a list may have a word of its own. For one in shadow that is a note in the
    records, and only what is spelt much like a category is told.
    """
    said = _categories_said(directory)
    found: list[Fault] = []
    for words in bundle.keyword_lists:
        likely = likely_category(words.category)
        is_note = words.action is ListAction.SHADOW and likely is None
        if category_of(words.category) is None and not is_note and words.id in said:
            problem = f"category: {words.category} {_MISSED}"
            meant = "" if likely is None else f": did you mean {likely.id}?"
            found.append(said[words.id].fault(("category",), f"{problem}{meant}"))
    return tuple(sorted(found))


def _categories_said(directory: Path) -> dict[str, Document]:
    """Return by the id of its list the uppermost file that names a category."""
    gathering = FaultCollector()  # what is no YAML any more, or was a moment ago
    layers = find_layers(BundleSource(directory), gathering)
    return {
        str(id_): file
        for files in layers.documents(KEYWORDS, gathering)
        for file in files
        for _, id_ in file.find("id")
        for _ in file.find("category")
    }
