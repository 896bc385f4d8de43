"""The keyword lists of a bundle: words as people write them, one a line; files merged by id."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, Strict

from gateway.domain.policy import KeywordList, ListAction
from gateway.domain.warning import Severity
from gateway.filter.keywords.index import PatternError, PatternSet, compiled
from gateway.filter.keywords.search import ELLIPSIS, closed_up, parts_of
from gateway.settings.bundles.layers import KEYWORDS, Layers, overlaid
from gateway.settings.filings import Day
from gateway.settings.schema import Id, Shape, Text, Version, validate, without
from gateway.settings.yaml import (
    Document,
    Fault,
    FaultCollector,
    SettingsError,
    decode_utf8,
    whole_file_fault,
)

MAX_WORDS = 200_000
MAX_WORD_CHARS = 64
MAX_PARTS = 4
MAX_FILE_OCTETS = 16 * 1024 * 1024

# Letters of which NFKC leaves none stand behind Han, but for one.
_BEYOND_USUAL, _NO_LETTER = "\ua000", "\u037a"
_USUAL_LENGTHS = frozenset(range(2, MAX_WORD_CHARS + 1))
# No other thread runs while the lines of so many characters are looked over: some 200 words.
_CHARS_AT_ONCE = 1_000


def parse_words(path: Path, octets: bytes) -> tuple[str, ...]:
    """Return the words of a file in its order, each once.

    Raises SettingsError with the place of every line that is no usable word.
    """
    words: dict[str, None] = {}
    faults: list[Fault] = []
    for first, lines in _some_lines(decode_utf8(path, octets).replace("\r\n", "\n")):
        if _are_usual(lines):
            words.update(dict.fromkeys(lines))
            continue
        for line, raw in enumerate(lines, first):
            word = raw.strip()
            if not word or word.startswith("#"):
                continue
            words[word] = None
            problem = None if _are_usual([word]) else word_problem(word)
            if problem:
                faults.append(Fault(path, line, raw.index(word[0]) + 1, problem))
    if len(words) > MAX_WORDS:
        raise whole_file_fault(path, f"more than {MAX_WORDS} words")
    if faults:
        raise SettingsError(faults)
    return tuple(words)


def _some_lines(text: str) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield the lines of `text`, some at once, with the number of the first."""
    line, at = 1, 0
    while at < len(text):
        end = text.find("\n", at + _CHARS_AT_ONCE)
        end = len(text) if end < 0 else end
        lines = text[at:end].split("\n")
        yield line, lines
        line, at = line + len(lines), end + 1


def _are_usual(words: Sequence[str]) -> bool:
    """Tell whether nothing can be wrong with any of `words`, as with nearly all there are."""
    letters = "".join(words)
    return (
        letters.isalnum()
        and _NO_LETTER not in letters
        and max(words) < _BEYOND_USUAL
        and _USUAL_LENGTHS.issuperset(map(len, words))
    )


def word_problem(word: str) -> str | None:
    """Return why `word` cannot stand in a keyword list, or None.

    A single letter or digit, or bare punctuation, would hit honest texts everywhere.
    """
    if len(word) > MAX_WORD_CHARS:
        return f"longer than {MAX_WORD_CHARS} characters"
    folded = unicodedata.normalize("NFKC", word).strip()
    kinds = {unicodedata.category(char)[0] for char in folded}
    if "C" in kinds:
        return "holds a control character"
    if not kinds & {"L", "N", "S"}:
        return "holds no letter, digit or symbol"
    if len(folded) == 1 and folded.isascii():
        return "a single ASCII character is no word"
    return _combination_problem(word) if ELLIPSIS in word else None


def _combination_problem(word: str) -> str | None:
    parts = parts_of(word)
    if len(parts) > MAX_PARTS:
        return f"more than {MAX_PARTS} parts"
    if len(parts) > 1 and any(len(part.strip()) == 1 and part.isascii() for part in parts):
        return "a single ASCII character is no part of a combination"
    return None


_MAX_EXCEPTIONS = 10_000
_MAX_PATTERNS = 200
_MAX_PATTERN_CHARS = 500
_MAX_WEIGHT = 100


Word = Annotated[str, AfterValidator(str.strip), without(word_problem)]
# Of a pattern, by which a hit is told.
Name = Annotated[Text, Field(max_length=MAX_WORD_CHARS)]


def _pattern_problem(text: str) -> str | None:
    try:
        pattern = compiled(text)
    except PatternError as error:
        return f"is no regular expression of RE2: {error}"
    return None if pattern.search("") is None else "matches where nothing is"


Pattern = Annotated[
    str, Field(min_length=1, max_length=_MAX_PATTERN_CHARS), without(_pattern_problem)
]


class KeywordsFile(Shape):
    """`keywords/*.yaml`."""

    version: Version
    id: Id
    category: Id
    action: Annotated[ListAction, Strict(False)]
    words: list[Word] = Field(default_factory=list)
    file: Text | None = None
    exceptions: Annotated[list[Word], Field(max_length=_MAX_EXCEPTIONS)] = Field(
        default_factory=list
    )
    patterns: Annotated[dict[Name, Pattern], Field(max_length=_MAX_PATTERNS)] = Field(
        default_factory=dict
    )
    gap: Annotated[int, Field(ge=1, le=100)] = 12
    sound: bool = False
    weight: Annotated[int, Field(ge=1, le=_MAX_WEIGHT)] | None = None
    threshold: Annotated[int, Field(ge=1, le=1_000)] = 10
    severity: Annotated[Severity, Strict(False)] | None = None
    owner: Text | None = None
    not_before: Day | None = None
    not_after: Day | None = None


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
    said = dict(shape) | {
        "words": words,
        "exceptions": tuple(shape.exceptions),
        "patterns": tuple(shape.patterns.items()),
        "weight": shape.weight or 0,
        "owner": shape.owner or "",
    }
    return KeywordList(**{one.name: said[one.name] for one in fields(KeywordList)})


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
