"""Keywords as people write them: one a line, with blank lines and # comments."""

import unicodedata
from io import StringIO
from pathlib import Path

from gateway.filter.keyword_entries import ELLIPSIS, parts_of
from gateway.settings.fault import Fault, SettingsError
from gateway.settings.files import decode_utf8, whole_file_fault

MAX_WORDS = 200_000
MAX_WORD_CHARS = 64
MAX_PARTS = 4
MAX_FILE_OCTETS = 16 * 1024 * 1024


def parse_words(path: Path, octets: bytes) -> tuple[str, ...]:
    """Return the words of a file in its order, each once.

    Raises SettingsError with the place of every line that is no usable word.
    """
    words: dict[str, None] = {}
    faults: list[Fault] = []
    # Line by line: split at once, 200 000 would keep other threads waiting.
    for line, raw in enumerate(StringIO(decode_utf8(path, octets)), start=1):
        word = raw.strip()
        if not word or word.startswith("#"):
            continue
        words[word] = None
        problem = None if _is_usual(word) else word_problem(word)
        if problem:
            faults.append(Fault(path, line, raw.index(word[0]) + 1, problem))
    if len(words) > MAX_WORDS:
        raise whole_file_fault(path, f"more than {MAX_WORDS} words")
    if faults:
        raise SettingsError(faults)
    return tuple(words)


def _is_usual(word: str) -> bool:
    """Tell whether nothing can be wrong with `word`, as with nearly all, in a tenth of the time."""
    return (
        (word.isascii() or "\u4e00" <= word <= "\u9fff")
        and word.isalnum()
        and 1 < len(word) <= MAX_WORD_CHARS
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
