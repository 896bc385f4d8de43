"""The keyword lists of a bundle: read from many files, merged by id."""

from collections.abc import Iterator, Sequence
from functools import partial

from gateway.domain.policy import KeywordList
from gateway.settings.bundle_file import KeywordsFile
from gateway.settings.bundle_source import KEYWORDS
from gateway.settings.fault import Fault, Gathering, SettingsError
from gateway.settings.layers import Layers
from gateway.settings.overlay import overlaid
from gateway.settings.schema import validate
from gateway.settings.words import MAX_FILE_OCTETS, MAX_WORDS, parse_words
from gateway.settings.yaml import Document

_YAML = (".yaml", ".yml")


def load_lists(layers: Layers, gathering: Gathering) -> tuple[KeywordList, ...]:
    """Return the lists that the files of all layers say together, in their order.

    A file of an upper layer adds its words to those of the list with its id, and changes what
    else it names. `gathering` gets the faults of all files.
    """
    parts: dict[str, list[Document]] = {}
    for files in layers.documents(KEYWORDS, gathering):
        of_layer: dict[str, Document] = {}
        for file in files:
            id_ = _id_of(file)
            first = of_layer.setdefault(id_, file)
            if id_ and first is file:
                parts.setdefault(id_, []).append(file)
                continue
            # Whose it is cannot be told; what else is wrong in it can.
            parts[str(file.path)] = [file]
            if id_:
                problem = f"is the id of {first.path.name} already"
                gathering.faults.append(file.fault(("id",), problem))
    found = [gathering.take(partial(_list, layers, files), None) for files in parts.values()]
    return tuple(words for words in found if words is not None)


def _id_of(file: Document) -> str:
    id_ = file.value.get("id") if isinstance(file.value, dict) else None
    return id_ if isinstance(id_, str) else ""


def _list(layers: Layers, files: Sequence[Document]) -> KeywordList:
    gathering = Gathering()
    filed = [gathering.take(partial(_filed_words, layers, file), ()) for file in files]
    document = overlaid(files, ("words",))
    shape = validate(document, KeywordsFile, lambda _: gathering.faults)
    words = tuple(dict.fromkeys((*shape.words, *(word for words in filed for word in words))))
    faults = tuple(_size_faults(document, len(words)))
    if faults:
        raise SettingsError(faults)
    return KeywordList(shape.id, shape.category, shape.action, words)


def _size_faults(document: Document, words: int) -> Iterator[Fault]:
    if not words:
        yield document.fault((), "holds no words, neither in words nor in a file")
    if words > MAX_WORDS:
        yield document.fault((), f"more than {MAX_WORDS} words")


def _filed_words(layers: Layers, file: Document) -> tuple[str, ...]:
    for where, name in file.find("file"):
        if isinstance(name, str):
            try:
                path = layers.resolve(file.path, name)
            except ValueError as error:
                raise SettingsError([file.fault(where, str(error))]) from error
            if path.suffix in _YAML:
                problem = "is YAML: words stand in a text file, one a line"
                raise SettingsError([file.fault(where, problem)])
            return parse_words(path, layers.source.read(path, MAX_FILE_OCTETS))
    return ()
