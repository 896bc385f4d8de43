"""Keywords as people write them: one a line, with blank lines and # comments."""

import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

from gateway.filter.keyword_entries import ELLIPSIS, parts_of
from gateway.settings.fault import Fault, SettingsError
from gateway.settings.files import decode_utf8, whole_file_fault

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
