"""Categories of keyword lists that are none of the tree, at their places in the files."""

from pathlib import Path

from gateway.domain.categories import category_of, likely_category
from gateway.domain.policy import ListAction
from gateway.policy.bundle import Bundle
from gateway.settings.bundle_source import KEYWORDS, BundleSource
from gateway.settings.fault import Fault, FaultCollector
from gateway.settings.layers import find_layers
from gateway.settings.yaml import Document

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
