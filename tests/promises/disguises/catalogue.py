"""The catalogue: every disguise that a sender may put on a word."""

from collections.abc import Callable, Iterator
from functools import reduce

from tests.promises.disguises.disguise import Disguise, Kind
from tests.promises.disguises.letters import letter_disguises
from tests.promises.disguises.order import order_disguises, overridden
from tests.promises.disguises.separators import JOINABLE, between, separator_disguises
from tests.promises.disguises.words import Script


def _catalogue() -> Iterator[Disguise]:
    single = [*order_disguises(), *separator_disguises(), *letter_disguises()]
    yield from single
    named = {one.name: one.apply for one in single}
    yield from _together(named)


def _together(named: dict[str, Callable[[str], str]]) -> Iterator[Disguise]:
    """Yield combinations of one disguise upon another, the letters first."""
    latin, han = frozenset({Script.LATIN}), frozenset({Script.HAN})
    cyrillic = named["Cyrillic letters for latin ones"]
    traditional = named["traditional characters for han ones"]
    accents = named["letters with acute accents"]
    for name, steps, scripts in (
        ("full width and zero width spaces", ("full-width letters", "\u200b"), latin),
        ("Cyrillic letters and slashes", (cyrillic, "/"), latin),
        ("accents and two spaces", (accents, "  "), latin),
        ("accents and overrides", (accents, overridden), latin),
        ("small capitals and bullets", ("small capitals for latin ones", "•"), latin),
        ("mathematical letters and overrides", ("mathematical bold", overridden), latin),
        ("letters in squares and joiners", ("letters in squares", "\u200d"), latin),
        ("circles and lines", ("letters in circles", "\n"), latin),
        ("traditional and strokes", (traditional, "丨"), han),
        ("traditional and overrides", (traditional, overridden), han),
        ("traditional and marks on each", (traditional, "a stroke through each"), han),
        ("Japanese forms and araea", ("Japanese forms for han ones", "ㆍ"), han),
        ("radicals and variation selectors", ("radicals of Kangxi", "\ufe0f"), han),
        ("overrides and zero width spaces", ("\u200b", overridden), JOINABLE),
        ("overrides and slashes", ("/", overridden), JOINABLE),
        ("marks and separators", ("four marks on each", ", "), JOINABLE),
        ("fillers and dots", ("\u3164·\u200b",), JOINABLE),
        ("a dot between joiners", ("\u200d.\u2060",), JOINABLE),
        ("jamo apart and dots", ("jamo that stand alone", "·"), frozenset({Script.HANGUL})),
        ("half-width kana and dots", ("kana of half width", "･"), frozenset({Script.KANA})),
    ):
        applied = [_step(named, step) for step in steps]
        yield Disguise(name, Kind.TOGETHER, _chain(applied), scripts)


def _step(
    named: dict[str, Callable[[str], str]], step: str | Callable[[str], str]
) -> Callable[[str], str]:
    if not isinstance(step, str):
        return step
    return named.get(step) or between(step)


def _chain(steps: list[Callable[[str], str]]) -> Callable[[str], str]:
    return lambda text: reduce(lambda made, step: step(made), steps, text)


DISGUISES = tuple(_catalogue())
