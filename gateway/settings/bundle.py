"""One directory of policy files, loaded whole or refused with all its faults."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gateway.domain.policy import (
    Bundle,
    ConsentRule,
    ContentRule,
    KeywordList,
    ListAction,
    RepliesRule,
    SelfTestCase,
)
from gateway.domain.verdict import Action
from gateway.settings import yaml
from gateway.settings.bundle_file import BundleFile, ConsentFile, ContentFile, KeywordsFile
from gateway.settings.bundle_source import BundleSource
from gateway.settings.fault import Gathering, SettingsError
from gateway.settings.schema import Model, validate
from gateway.settings.selftest_file import load_selftest
from gateway.settings.words import MAX_FILE_OCTETS, MAX_WORDS, parse_words
from gateway.settings.yaml import Document


@dataclass(frozen=True, slots=True)
class ReadBundle:
    """A bundle, and the octets of its files by name: what a history can keep."""

    bundle: Bundle
    files: Mapping[str, bytes]


def load_bundle(directory: Path) -> Bundle:
    """Read the bundle in `directory`. Raises SettingsError with the faults of all its files."""
    return read_bundle(directory).bundle


def read_bundle(directory: Path) -> ReadBundle:
    """Read the bundle in `directory` with its files. Raises SettingsError as load_bundle."""
    source = BundleSource(directory)
    gathering = Gathering()
    name = gathering.take(lambda: _name(source), "")
    consent = gathering.take(lambda: _consent(source), None)
    keyword_lists = _keyword_lists(source, gathering)
    content = gathering.take(lambda: _content(source, keyword_lists), ContentRule())
    selftest = gathering.take(lambda: _selftest(source), ())
    gathering.close()
    bundle = Bundle(name, source.digest(), keyword_lists, consent, content, selftest)
    return ReadBundle(bundle, source.files)


def _name(source: BundleSource) -> str:
    return validate(_document(source, source.directory / "bundle.yaml"), BundleFile).name


def _consent(source: BundleSource) -> ConsentRule | None:
    file = _optional(source, "consent.yaml", ConsentFile)
    if file is None:
        return None
    return ConsentRule(
        opt_out=file.opt_out,
        consent=file.consent,
        applies_to=frozenset(file.applies_to),
        on_store_error=Action(file.on_store_error),
        replies=RepliesRule(file.replies.opted_out, file.replies.restored)
        if file.replies is not None
        else None,
    )


def _content(source: BundleSource, keyword_lists: tuple[KeywordList, ...]) -> ContentRule:
    """Read `content.yaml`.

    Without it, a text that cannot be read is held where keywords could have stopped it: an
    odd encoding must be no way around them. Where none can, it passes.
    """
    file = _optional(source, "content.yaml", ContentFile)
    if file is None:
        judges = any(words.action is not ListAction.SHADOW for words in keyword_lists)
        return ContentRule(unreadable=Action.QUARANTINE if judges else Action.FORWARD)
    return ContentRule(Action(file.unreadable), file.parts_ttl_s, file.quarantine_ttl_s)


def _selftest(source: BundleSource) -> tuple[SelfTestCase, ...]:
    path = source.directory / "selftest.yaml"
    return load_selftest(_document(source, path)) if os.path.lexists(path) else ()


def _keyword_lists(source: BundleSource, gathering: Gathering) -> tuple[KeywordList, ...]:
    lists: dict[Path, KeywordList] = {}
    for path in gathering.take(source.keyword_files, []):
        taken = {words.id: earlier for earlier, words in lists.items()}
        found = gathering.take(partial(_keyword_list, source, path, taken), None)
        if found is not None:
            lists[path] = found
    return tuple(lists.values())


def _keyword_list(source: BundleSource, path: Path, taken: Mapping[str, Path]) -> KeywordList:
    document = _document(source, path)
    gathering = Gathering()
    filed = gathering.take(lambda: _filed_words(source, document), ())
    file = validate(document, KeywordsFile, lambda _: gathering.faults)
    words = tuple(dict.fromkeys((*file.words, *filed)))
    faults = []
    if file.id in taken:
        faults.append(document.fault(("id",), f"is the id of {taken[file.id].name} already"))
    if not words:
        faults.append(document.fault((), "holds no words, neither in words nor in a file"))
    if len(words) > MAX_WORDS:
        faults.append(document.fault((), f"more than {MAX_WORDS} words"))
    if faults:
        raise SettingsError(faults)
    return KeywordList(file.id, file.category, file.action, words)


def _filed_words(source: BundleSource, document: Document) -> tuple[str, ...]:
    for where, name in document.find("file"):
        if isinstance(name, str):
            try:
                path = source.resolve(document.path, name)
            except ValueError as error:
                raise SettingsError([document.fault(where, str(error))]) from error
            return parse_words(path, source.read(path, MAX_FILE_OCTETS))
    return ()


def _optional(source: BundleSource, name: str, model: type[Model]) -> Model | None:
    path = source.directory / name
    if not os.path.lexists(path):
        return None
    return validate(_document(source, path), model)


def _document(source: BundleSource, path: Path) -> Document:
    return yaml.compose(path, source.read(path, yaml.MAX_OCTETS))
