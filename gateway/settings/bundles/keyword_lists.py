"""The keyword lists of a bundle: read from many files, merged by id."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from gateway.domain.policy import KeywordList
from gateway.filter.contact_patterns import PatternError, PatternSet
from gateway.filter.keyword_entries import closed_up
from gateway.settings.bundle_file import KeywordsFile
from gateway.settings.bundle_source import KEYWORDS
from gateway.settings.fault import Fault, FaultCollector, SettingsError
from gateway.settings.layers import Layers
from gateway.settings.overlay import overlaid
from gateway.settings.schema import validate
from gateway.settings.words import MAX_FILE_OCTETS, MAX_WORDS, parse_words
from gateway.settings.yaml import Document

_YAML = (".yaml", ".yml")


def load_lists(layers: Layers, gathering: FaultCollector) -> tuple[KeywordList, ...]:
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
    lists = tuple(words for words in found if words is not None)
    gathering.take(partial(_compile_patterns, lists, parts), None)
    return lists


def _compile_patterns(
    lists: Sequence[KeywordList], parts: Mapping[str, Sequence[Document]]
) -> None:
    """Raise SettingsError where the patterns of all lists together are too large to be matched."""
    expressions = [expression for words in lists for _, expression in words.patterns]
    try:
        PatternSet(expressions)
    except PatternError as error:
        last = next(words.id for words in reversed(lists) if words.patterns)
        raise SettingsError([parts[last][0].fault(("patterns",), str(error))]) from error


def _id_of(file: Document) -> str:
    id_ = file.value.get("id") if isinstance(file.value, dict) else None
    return id_ if isinstance(id_, str) else ""


def _list(layers: Layers, files: Sequence[Document]) -> KeywordList:
    gathering = FaultCollector()
    filed = [gathering.take(partial(_filed_words, layers, file), ()) for file in files]
    document = overlaid(files, ("words", "exceptions"))
    shape = validate(document, KeywordsFile, lambda _: gathering.faults, _order_of_days)
    words = _each_once(shape.words, filed)
    faults = (*_size_faults(document, shape, words), *_word_faults(document, shape, words))
    if faults:
        raise SettingsError(faults)
    return KeywordList(
        shape.id,
        shape.category,
        shape.action,
        words,
        exceptions=tuple(shape.exceptions),
        patterns=tuple(shape.patterns.items()),
        gap=shape.gap,
        sound=shape.sound,
        weight=shape.weight or 0,
        threshold=shape.threshold,
        severity=shape.severity,
        owner=shape.owner or "",
        not_before=shape.not_before,
        not_after=shape.not_after,
    )


def _each_once(written: Sequence[str], filed: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the words of all files in their order; those of one text file are so already."""
    if not written and len(filed) == 1:
        return filed[0]
    return tuple({word: None for words in (written, *filed) for word in words})


def _order_of_days(document: Document) -> Iterator[Fault]:
    value = document.value if isinstance(document.value, dict) else {}
    first, last = value.get("not_before"), value.get("not_after")
    # Days that are none are faults by themselves; as text they are in order as days are.
    if isinstance(first, str) and isinstance(last, str) and last < first:
        yield document.fault(("not_after",), f"not_after: is before not_before, {first}")


def _size_faults(document: Document, shape: KeywordsFile, words: Sequence[str]) -> Iterator[Fault]:
    if not words and not shape.patterns:
        yield document.fault((), "holds no words, neither in words nor in a file")
    if len(words) > MAX_WORDS:
        yield document.fault((), f"more than {MAX_WORDS} words")


def _word_faults(document: Document, shape: KeywordsFile, words: Sequence[str]) -> Iterator[Fault]:
    """Yield what is wrong with words as they are looked for, rather than as they are written."""
    if not shape.exceptions and not shape.sound:
        return
    letters = frozenset(closed_up(words, by_sound=False))
    for index, exception in enumerate(closed_up(shape.exceptions, by_sound=False)):
        if not any(piece in letters for piece in _pieces(exception)):
            problem = f"exceptions[{index}]: no word of the list stands in it"
            yield document.fault(("exceptions", index), problem)
    short = next((word for word in letters if shape.sound and len(word) == 1), None)
    if short is not None:
        problem = f"sound: {short} is one syllable, which half of all texts hold"
        yield document.fault(("sound",), problem)


def _pieces(letters: str) -> Iterator[str]:
    """Yield every shorter run of letters in an exception, which has 64 of them at most."""
    size = len(letters)
    for start in range(size):
        yield from (letters[start:end] for end in range(start + 1, size + 1) if end - start < size)


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
