"""Disguises of single letters: other letters that show like them, styles, marks, compositions."""

import unicodedata
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

import yaml

from tests.promises.disguises.clusters import clusters_of, composed_of
from tests.promises.disguises.disguise import Disguise, Kind
from tests.promises.disguises.words import Script

_CASED = (Script.LATIN, Script.CYRILLIC)


def letter_disguises() -> Iterator[Disguise]:
    """Yield the disguises that put another character in the place of one."""
    yield from _from_tables()
    yield from _styles()
    yield from _accents()
    yield from _han_forms()
    yield from _compositions()
    yield from _cases()


def _replacement(table: Mapping[str, str], *, any_case: bool = False) -> Callable[[str], str]:
    def apply(text: str) -> str:
        return "".join(_found(table, one, any_case=any_case) for one in text)

    return apply


def _found(table: Mapping[str, str], one: str, *, any_case: bool) -> str:
    if one in table:
        return table[one]
    return table.get(one.upper(), one) if any_case else one


def _from_tables() -> Iterator[Disguise]:
    path = Path(__file__).with_name("look_alikes.yaml")
    for script, rows in yaml.safe_load(path.read_text(encoding="utf-8")).items():
        for name, row in rows.items():
            table = {pair[0]: pair[1:] for pair in row.split()}
            yield Disguise(
                f"{name} for {script} ones",
                Kind.VARIANTS if script == "han" else Kind.LOOK_ALIKES,
                _replacement(table, any_case=script in _CASED),
                frozenset({Script(script)}),
            )


def _styles() -> Iterator[Disguise]:
    def shifted(small: int, capital: int) -> Callable[[str], str]:
        return lambda text: "".join(
            chr(small + ord(one) - 97)
            if "a" <= one <= "z"
            else chr(capital + ord(one) - 65)
            if "A" <= one <= "Z"
            else one
            for one in text
        )

    def capitals(first: int) -> Callable[[str], str]:
        return shifted(first, first)

    styles = {
        "full-width letters": shifted(0xFF41, 0xFF21),
        "mathematical bold": shifted(0x1D41A, 0x1D400),
        "mathematical bold italic": shifted(0x1D482, 0x1D468),
        "mathematical bold script": shifted(0x1D4EA, 0x1D4D0),
        "mathematical bold fraktur": shifted(0x1D586, 0x1D56C),
        "mathematical sans": shifted(0x1D5BA, 0x1D5A0),
        "mathematical monospace": shifted(0x1D68A, 0x1D670),
        "letters in circles": shifted(0x24D0, 0x24B6),
        "letters in brackets": shifted(0x249C, 0x1F110),
        "letters in squares": capitals(0x1F130),
        "letters in black circles": capitals(0x1F150),
        "letters in black squares": capitals(0x1F170),
        "regional indicators": capitals(0x1F1E6),
        "regional indicators apart": lambda text: "\u200b".join(capitals(0x1F1E6)(text)),
        "tags that follow the letters": lambda text: "".join(
            one + chr(0xE0000 + ord(one)) if one.isascii() else one for one in text
        ),
    }
    for name, apply in styles.items():
        yield Disguise(name, Kind.STYLES, apply, frozenset({Script.LATIN}))
    wide = {chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)}
    yield Disguise(
        "capitals of full width", Kind.STYLES, lambda text: _replacement(wide)(text.upper()),
        frozenset({Script.LATIN}),
    )  # fmt: skip


def _accents() -> Iterator[Disguise]:
    def marked(*marks: str) -> Callable[[str], str]:
        return lambda text: composed_of(clusters_of(text), after="".join(marks))

    def accented(text: str) -> str:
        return unicodedata.normalize("NFC", marked("\u0301")(unicodedata.normalize("NFD", text)))

    letters = frozenset({Script.LATIN, Script.CYRILLIC, Script.HAN, Script.HANGUL, Script.KANA})
    for name, marks, scripts in (
        ("acute accents", ("\u0301",), letters),
        ("a stroke through each", ("\u0336",), letters),
        ("a slash through each", ("\u0338",), letters),
        ("a line below each", ("\u0332",), letters),
        ("a circle around each", ("\u20dd",), letters),
        ("a key around each", ("\u20e3",), letters),
        ("Cyrillic millions around each", ("\u0489",), letters),
        ("a titlo above each", ("\u0483",), letters),
        ("a Hebrew point below each", ("\u05b4",), letters),
        ("an Arabic fatha above each", ("\u064e",), letters),
        ("an Arabic sukun above each", ("\u0652",), frozenset({Script.ARABIC})),
        ("a Thai vowel above each", ("\u0e36",), frozenset({Script.LATIN, Script.HAN})),
        ("tone marks of Chinese below", ("\u302a",), frozenset({Script.HAN, Script.LATIN})),
        ("voice marks of kana", ("\u3099",), frozenset({Script.HAN, Script.LATIN})),
        ("a tone dot of Korean", ("\u302e",), frozenset({Script.HANGUL, Script.HAN})),
        ("a letter above each", ("\u036f",), frozenset({Script.LATIN})),
        ("a nukta below each", ("\u093c",), frozenset({Script.DEVANAGARI})),
        ("a Vedic tone above each", ("\u0951",), frozenset({Script.DEVANAGARI})),
        ("four marks on each", ("\u0301", "\u0323", "\u0336", "\u034a"), letters),
        ("twelve marks on each", ("\u0301\u0316\u0302\u0317" * 3,), letters),
    ):
        yield Disguise(name, Kind.ACCENTS, marked(*marks), scripts)
    latin = frozenset({Script.LATIN})
    yield Disguise("letters with acute accents", Kind.ACCENTS, accented, latin)
    yield Disguise("changing accents", Kind.ACCENTS, _variously_accented, latin)
    yield Disguise("accents of Vietnamese", Kind.ACCENTS, _vietnamese, latin)
    yield Disguise("no accents", Kind.ACCENTS, _bare, latin)


def _variously_accented(text: str) -> str:
    marks = "\u0300\u0301\u0302\u0303\u0308\u030a\u030c\u0327\u0328\u0304\u0307\u0323"
    made = []
    for place, one in enumerate(text):
        turned = [marks[(place + step) % len(marks)] for step in range(len(marks))]
        composed = (unicodedata.normalize("NFC", one + mark) for mark in turned)
        made.append(next((whole for whole in composed if len(whole) == 1), one))
    return "".join(made)


def _vietnamese(text: str) -> str:
    table = {"a": "ậ", "e": "ế", "i": "ị", "o": "ộ", "u": "ữ", "y": "ỵ"}
    return _replacement(table)(text)


def _bare(text: str) -> str:
    apart = unicodedata.normalize("NFD", text)
    return "".join(one for one in apart if not unicodedata.combining(one))


@cache
def _by_target(codes: tuple[int, ...]) -> Mapping[str, str]:
    """Return the first of `codes` that NFKC makes each character of, brackets left out."""
    found: dict[str, str] = {}
    for code in codes:
        made = unicodedata.normalize("NFKC", chr(code)).strip("()〔〕")
        if made != chr(code) and made:
            found.setdefault(made, chr(code))
    return found


def _simplified(table: Mapping[str, str]) -> Mapping[str, str]:
    """Return `table` with simplified characters for keys too."""
    path = Path(__file__).with_name("look_alikes.yaml")
    pairs = yaml.safe_load(path.read_text(encoding="utf-8"))["han"]["traditional characters"]
    return {**{a: table[b] for a, b in pairs.split() if b in table}, **table}


def _han_forms() -> Iterator[Disguise]:
    han = frozenset({Script.HAN})
    for name, codes in (
        ("radicals of Kangxi", range(0x2E80, 0x2FE0)),
        ("compatible characters of Korea", range(0xF900, 0xFA0E)),
        ("compatible characters of plane 2", range(0x2F800, 0x2FA20)),
        ("Han in circles", range(0x3280, 0x32B1)),
        ("Han in brackets", range(0x3220, 0x3248)),
        ("Han in squares", range(0x1F210, 0x1F260)),
    ):
        table = _simplified(_by_target(tuple(codes)))
        yield Disguise(name, Kind.VARIANTS, _replacement(table), han)


def _compositions() -> Iterator[Disguise]:
    """Yield the same letters in other pieces: jamo, half-width kana, presentation forms."""
    hangul, kana = frozenset({Script.HANGUL}), frozenset({Script.KANA})
    accented = frozenset({Script.LATIN, Script.CYRILLIC, Script.DEVANAGARI, Script.ARABIC})
    apart = frozenset({*hangul, *kana, *accented})

    def decomposed(text: str) -> str:
        return unicodedata.normalize("NFD", text)

    half = _by_target(tuple(range(0xFF66, 0xFFA0)))
    letters = {one: narrow for one, narrow in half.items() if one not in "\u3099\u309a"}
    bars = {unicodedata.name(bar).lower(): bar for bar in "一—ｰ―─"}
    compositions: dict[str, tuple[Callable[[str], str], frozenset[Script]]] = {
        "canonical decomposition": (decomposed, apart),
        "jamo that stand alone": (_letters_of_hangul, hangul),
        "jamo of half width": (lambda text: _renamed(text, "HALFWIDTH HANGUL LETTER"), hangul),
        "jamo apart": (lambda text: "\u200b".join(_letters_of_hangul(text)), hangul),
        "jamo with joiners": (lambda text: "\u034f".join(decomposed(text)), hangul),
        "syllables in circles": (_enclosed(range(0x326E, 0x327C)), hangul),
        "kana of half width": (lambda text: _replacement(half)(decomposed(text)), kana),
        "half width and full marks": (lambda text: _replacement(letters)(decomposed(text)), kana),
        "voice marks that stand alone": (_with_standing_marks, kana),
        "kana in circles": (_enclosed(range(0x32D0, 0x32FF)), kana),
        **{
            f"{name} for the long vowel": (_replacement({"ー": bar}), kana)
            for name, bar in bars.items()
        },
        "presentation forms": (_presented, frozenset({Script.ARABIC})),
        "ligatures": (_ligatures, frozenset({Script.LATIN})),
    }
    for name, (apply, scripts) in compositions.items():
        yield Disguise(name, Kind.COMPOSITIONS, apply, scripts)


def _letters_of_hangul(text: str) -> str:
    return _renamed(text, "HANGUL LETTER")


def _enclosed(codes: range) -> Callable[[str], str]:
    return _replacement(_by_target(tuple(codes)))


def _with_standing_marks(text: str) -> str:
    apart = unicodedata.normalize("NFD", text)
    return apart.replace("\u3099", "\u309b").replace("\u309a", "\u309c")


def _renamed(text: str, prefix: str) -> str:
    """Return the jamo of `text`, each as the character that Unicode names `prefix` and its name."""
    made = []
    for one in unicodedata.normalize("NFD", text):
        *_, name = unicodedata.name(one, "").rpartition("SEONG ")
        try:
            made.append(unicodedata.lookup(f"{prefix} {name}") if name.isalpha() else one)
        except KeyError:
            made.append(one)
    return "".join(made)


def _presented(text: str) -> str:
    """Return Arabic in presentation forms as a font would choose them."""
    ends = set("اأإآدذرزوة")
    made = []
    for at, one in enumerate(text):
        before, after = text[at - 1 : at], text[at + 1 : at + 2]
        is_bound = before.isalpha() and before not in ends
        goes_on = after.isalpha() and one not in ends
        form = ("ISOLATED", "INITIAL", "FINAL", "MEDIAL")[2 * is_bound + goes_on]
        try:
            made.append(unicodedata.lookup(f"{unicodedata.name(one)} {form} FORM"))
        except (KeyError, ValueError):
            made.append(one)
    return "".join(made)


def _ligatures(text: str) -> str:
    for letters, whole in (("fi", "ﬁ"), ("fl", "ﬂ"), ("ff", "ﬀ"), ("st", "ﬆ"), ("ij", "ĳ")):
        text = text.replace(letters, whole)
    return text


def _cases() -> Iterator[Disguise]:
    def by_turns(text: str) -> str:
        return "".join(one.upper() if at % 2 else one for at, one in enumerate(text))

    cased = frozenset(_CASED)
    yield Disguise("capitals", Kind.STYLES, str.upper, cased)
    yield Disguise("capitals by turns", Kind.STYLES, by_turns, cased)
    yield Disguise(
        "the capital I with a dot", Kind.STYLES,
        lambda text: text.upper().replace("I", "İ"), frozenset({Script.LATIN}),
    )  # fmt: skip
