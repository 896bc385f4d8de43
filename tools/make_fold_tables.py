"""Writes the tables by which texts are folded: gateway/filter/fold_tables.py.

python -m tools.make_fold_tables           (with the dependency group `tables`)

Characters come from the interpreter's own Unicode data, traditional ones from OpenCC, look-alikes
from the Unicode confusables that confusable-homoglyphs carries, sounds from pypinyin. Only what
none of them says is typed in here, in USAGE and LOOK_ALIKES.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase

from confusable_homoglyphs.confusables import confusables_data
from opencc import OpenCC
from pypinyin import Style, lazy_pinyin

from gateway.filter.unicode_fold import FILLERS, MARKS, fold_fully

TARGET = Path(__file__).parent.parent / "gateway" / "filter" / "fold_tables.py"

# What OpenCC leaves alone for want of a neighbour, or writes with another character than people
# do in these words: 回覆, 賬帳, 折價劵, 鉅惠.
USAGE = "覆复帳账劵券鉅钜"
# Cyrillic and Greek letters that are told from the Latin one beside them by their capital, or
# not at all.
LOOK_ALIKES = "ӏlаaеeоoрpсcуyхxіiјjѕsԁdһhԛqԝwкkмmтtвbнhгrпnьbαaοoρpνvυuκkτtιiεeηnχxγy"
SCRIPTS = ("LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU", "GEORGIAN")

_HAN = range(0x3400, 0xA000)
_SOUNDED = range(0x4E00, 0xA000)
# As far as the tables reach; what folds beyond is told apart by its ranges.
_CODES = 0x20000
_WIDTH = 96


def main() -> None:
    """Write the file."""
    TARGET.write_text(tables(), encoding="utf-8")


def tables() -> str:
    """Return the module, the same text each time for the same sources."""
    plain = plain_folds()
    simpler = simplifying()
    alike = looking_alike()
    parts = (
        _HEAD.format(
            unicode=unicodedata.unidata_version,
            opencc=version("opencc"),
            confusable=version("confusable-homoglyphs"),
            pypinyin=version("pypinyin"),
        ),
        _block("PLAIN", _wrapped(_runs({c: fold for c, fold in plain.items() if c < _CODES}))),
        _block("ACTING", _wrapped(_ranges(acting(plain)))),
        _block("BEYOND", _wrapped(_ranges(code for code in sorted(plain) if code >= _CODES))),
        _block("SIMPLER", _pieces("".join(map("".join, simpler.items())))),
        _block("ALIKE", _wrapped(f"{ord(one):x}:{letter}" for one, letter in alike.items())),
        _block("SOUNDS", _syllables(simpler)),
    )
    return "\n".join(parts)


def plain_folds() -> dict[int, str]:
    """Return what each code point that does not stay as it is becomes, "" where it goes."""
    folds: dict[int, str] = {}
    for code in range(0x110000):
        one = chr(code)
        plain = one if unicodedata.category(one) in {"Cn", "Co", "Cs"} else fold_fully(one)
        if FILLERS.match(one) or (MARKS.match(one) and not _composes(one)):
            plain = ""
        if plain != one and not _composes(one):
            folds[code] = plain
    return folds


def acting(plain: Mapping[int, str]) -> Iterator[int]:
    """Yield the code points that no table folds: they act on what stands before them."""
    for code in range(_CODES):
        one = chr(code)
        goes = plain.get(code) == ""
        if _composes(one) or (not goes and unicodedata.combining(_first(one))):
            yield code


def _first(one: str) -> str:
    return unicodedata.normalize("NFKD", one)[0]


def _composes(one: str) -> bool:
    return _first(one) in _SECONDS


def _seconds() -> Iterator[str]:
    """Yield what a composition may end in (NFC_QC=Maybe; Unicode UAX #15)."""
    for code in range(0x110000):
        pieces = unicodedata.decomposition(chr(code)).split()
        if len(pieces) == 2 and not pieces[0].startswith("<"):
            yield chr(int(pieces[1], 16))
    yield from map(chr, (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)))


_SECONDS = frozenset(_seconds())


def simplifying() -> dict[str, str]:
    """Return each traditional character with its simplified one, one step leading to the end."""
    characters = list(map(chr, _HAN))
    converted = OpenCC("t2s").convert("\n".join(characters)).split("\n")
    table = {
        one: simple
        for one, simple in zip(characters, converted, strict=True)
        if simple != one and len(simple) == 1
    }
    table = {one: table.get(simple, simple) for one, simple in table.items()}
    return table | dict(zip(USAGE[::2], USAGE[1::2], strict=True))


def looking_alike() -> dict[str, str]:
    """Return the letters of other alphabets that a reader takes for a Latin one."""
    found: dict[str, str] = {}
    # Small letters first: the capital I is also taken for an l.
    for written in ascii_lowercase + ascii_uppercase:
        for entry in confusables_data.get(written, ()):
            one = fold_fully(entry["c"])
            if len(one) == 1 and not one.isascii() and _is_of_scripts(one):
                found.setdefault(one, written.lower())
    return found | dict(zip(LOOK_ALIKES[::2], LOOK_ALIKES[1::2], strict=True))


def _is_of_scripts(one: str) -> bool:
    is_letter = unicodedata.category(one)[0] == "L"
    return is_letter and unicodedata.name(one, "").startswith(SCRIPTS)


def _syllables(simpler: Mapping[str, str]) -> Iterator[str]:
    """Yield lines of a syllable without its tone, and the simplified characters read so."""
    said: dict[str, list[str]] = {}
    for one in map(chr, _SOUNDED):
        syllable = "".join(lazy_pinyin(one, style=Style.NORMAL, errors="ignore"))
        syllable = syllable.replace("ü", "v")
        if one not in simpler and syllable.isascii() and syllable.isalpha():
            said.setdefault(syllable, []).append(one)
    for syllable, read_so in sorted(said.items()):
        yield from (f"{syllable} {piece}" for piece in _pieces("".join(read_so)))


def _runs(folds: Mapping[int, str]) -> Iterator[str]:
    """Yield `41-5a:61` for a run of codes that become consecutive ones, `/2` for every other."""
    codes = sorted(folds)
    at = 0
    while at < len(codes):
        step, count = _longest(codes, at, folds)
        first, last = codes[at], codes[at + count - 1]
        span = f"{first:x}" if count == 1 else f"{first:x}-{last:x}{'/2' if step == 2 else ''}"
        yield f"{span}:{'.'.join(f'{ord(one):x}' for one in folds[first])}"
        at += count


def _longest(codes: list[int], at: int, folds: Mapping[int, str]) -> tuple[int, int]:
    return max(((step, _run_length(codes, at, step, folds)) for step in (1, 2)), key=lambda r: r[1])


def _run_length(codes: list[int], at: int, step: int, folds: Mapping[int, str]) -> int:
    first, target = codes[at], folds[codes[at]]
    if len(target) > 1:
        return 1
    count = 1
    while at + count < len(codes):
        code = first + count * step
        follows = chr(ord(target) + count * step) if target else ""
        if codes[at + count] != code or folds[code] != follows:
            break
        count += 1
    return count


def _ranges(codes: Iterable[int]) -> Iterator[str]:
    first = last = -2
    for code in codes:
        if code == last + 1:
            last = code
            continue
        if first >= 0:
            yield f"{first:x}-{last:x}"
        first = last = code
    yield f"{first:x}-{last:x}"


def _wrapped(words: Iterable[str]) -> Iterator[str]:
    line = ""
    for word in words:
        if line and len(line) + len(word) >= _WIDTH:
            yield line
            line = word
        else:
            line = f"{line} {word}".lstrip()
    yield line


def _pieces(text: str) -> Iterator[str]:
    # Han are two columns wide, and pairs must stay together.
    return (text[at : at + 44] for at in range(0, len(text), 44))


def _block(name: str, lines: Iterable[str]) -> str:
    return f'{name} = """\n' + "\n".join(lines) + '\n"""\n'


_HEAD = '''\
"""What characters become when folded; written by tools/make_fold_tables.py, not by hand.

Sources:
    the Unicode Character Database {unicode}, as Python has it (Unicode License v3)
    OpenCC {opencc}, its characters from traditional to simplified (Apache-2.0)
    the Unicode confusables in confusable-homoglyphs {confusable} (Unicode License v3, MIT)
    pypinyin {pypinyin}, its first reading of each character (MIT)

PLAIN holds what NFKC and case folding make of a code point, in hexadecimal: `41-5a:61` is a run
that becomes the run from 61 on, `/2` is every other one, nothing behind the colon is a character
that shows as nothing. ACTING holds the ranges that act on what stands before them, BEYOND those
past the second plane that fold at all. SIMPLER holds pairs, ALIKE a code point and the Latin
letter it is taken for, SOUNDS the characters of a syllable.
"""
'''


if __name__ == "__main__":
    main()
