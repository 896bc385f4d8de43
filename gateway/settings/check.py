"""The lint of a whole deployment: every fault of every file at once, and unknown categories."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from gateway.domain.categories import category_of, likely_category
from gateway.domain.policy import ListAction
from gateway.policy.bundle import Bundle
from gateway.settings.api import load_api, load_system_ids
from gateway.settings.bundles.bundle import load_proven
from gateway.settings.bundles.layers import KEYWORDS, BundleSource, find_layers
from gateway.settings.fault import Fault, FaultCollector, SettingsError
from gateway.settings.gateway import load_gateway
from gateway.settings.provinces import load_provinces
from gateway.settings.senders import load_senders
from gateway.settings.services import load_services
from gateway.settings.yaml import Document


def check(config_directory: Path, policies_directory: Path) -> tuple[Fault, ...]:
    """Return all faults of the configuration and of the bundle; none when all is well."""
    loads: tuple[Callable[[], object], ...] = (
        partial(load_gateway, config_directory / "gateway.yaml"),
        partial(load_senders, config_directory / "senders.yaml"),
        partial(_load_services, config_directory),
        partial(load_provinces, config_directory / "provinces.csv"),
        partial(_load_api, config_directory),
        partial(load_proven, policies_directory),
    )
    return tuple(fault for load in loads for fault in _faults_of(load))


def _load_services(config_directory: Path) -> None:
    try:
        senders = load_senders(config_directory / "senders.yaml")
    except SettingsError:
        senders = None  # those faults are told already
    load_services(config_directory / "services.yaml", senders)


def _load_api(config_directory: Path) -> None:
    path = config_directory / "api.yaml"
    if not path.exists():
        return  # there need not be an API
    try:
        senders = load_system_ids(config_directory / "senders.yaml")
    except SettingsError:
        senders = None  # those faults are told already
    load_api(path, senders)


def _faults_of(load: Callable[[], object]) -> tuple[Fault, ...]:
    try:
        load()
    except SettingsError as error:
        return error.faults
    return ()


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
