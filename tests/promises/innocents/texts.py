"""Two thousand innocent texts of the trade, composed by a seeded generator.

They are made, not collected: 274 frames in ten languages were written by hand for these tests,
each of another structure, and have slots for names, amounts, codes, dates and the like, which are
filled from lists beside the frames and by the functions here. So a frame gives seven or eight texts
on the mean, which differ in what fills it. Many have what disguises are made of: spelt codes,
slashes, middle dots, bullets, iteration marks, accents, tatweel, marks of direction.
"""

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase, digits

import yaml

_SLOT = re.compile(r"\{([a-z0-9]+)\}")
_SEED = 20261128
_MAX_TRIES = 100
_READABLE = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"

Draw = Callable[[random.Random], str]


@dataclass(frozen=True, slots=True)
class Innocent:
    """An innocent text, its language, and the number of the frame it was made from."""

    text: str
    language: str
    frame: int


def _number(count: int) -> Draw:
    return lambda draws: "".join(draws.choices(digits, k=count))


def _spelt(draws: random.Random) -> str:
    between = draws.choice("-- ./")
    return between.join(draws.choices(_READABLE, k=draws.randint(5, 8)))


def _amount(draws: random.Random) -> str:
    whole = draws.randint(1, draws.choice((99, 999, 30_000)))
    return draws.choice((f"{whole}", f"{whole:,}", f"{whole}.{draws.randint(0, 99):02}"))


def _clock(draws: random.Random) -> str:
    return f"{draws.randint(8, 21)}:{draws.choice(('00', '15', '30', '45', '05', '50'))}"


def _phone(draws: random.Random) -> str:
    number = f"13{draws.randint(0, 9)}{draws.randint(0, 99_999_999):08}"
    return draws.choice((number, f"{number[:3]}-{number[3:7]}-{number[7:]}"))


def _hotline(draws: random.Random) -> str:
    return draws.choice(("400-820-{}", "0571-8823{}", "(021)6412{}")).format(_number(4)(draws))


def _tracking(draws: random.Random) -> str:
    return draws.choice(("SF", "YT", "JD", "EA", "")) + _number(draws.choice((10, 12, 13)))(draws)


def _pickup(draws: random.Random) -> str:
    row = draws.choice((f"{draws.randint(1, 9)}", draws.choice("ABCD")))
    return f"{row}-{draws.randint(1, 12)}-{draws.randint(1000, 9999)}"


def _day_of(language: str) -> Draw:
    han = ("{m}月{d}日", "{m}月{d}号", "{y}-{m:02}-{d:02}", "{y}年{m}月{d}日", "{m}/{d}")
    forms = {
        "zh": (*han, "明天", "本周五"),
        "ja": (*han[:1], "{m}/{d}", "明日", "{y}年{m}月{d}日"),
        "ko": ("{m}월 {d}일", "{m}/{d}", "내일"),
        "en": ("{d}/{m}", "{d}.{m}.{y}", "{y}-{m:02}-{d:02}", "Mon {d}/{m:02}"),
    }
    usual = ("{d:02}.{m:02}.{y}", "{d}/{m}", "{d:02}/{m:02}/{y}")

    def draw(draws: random.Random) -> str:
        form = draws.choice(forms.get(language, usual))
        return form.format(y=2026, m=draws.randint(1, 12), d=draws.randint(1, 28))

    return draw


def _drawn(language: str) -> Mapping[str, Draw]:
    day = _day_of(language)

    def when(draws: random.Random) -> str:
        date = day(draws)
        return f"{date}{' ' if date[-1] in digits else ''}{_clock(draws)}"

    return {
        "code3": _number(3),
        "code4": _number(4),
        "code6": _number(6),
        "tail": _number(4),
        "few": lambda draws: f"{draws.randint(2, 9)}",
        "letter": lambda draws: draws.choice(ascii_uppercase),
        "month": lambda draws: f"{draws.randint(1, 12)}",
        "year": lambda draws: draws.choice(("2025", "2026")),
        "amount": _amount,
        "clock": _clock,
        "day": day,
        "when": when,
        "phone": _phone,
        "hotline": _hotline,
        "tracking": _tracking,
        "pickup": _pickup,
        "spelt": _spelt,
    }


def innocent_texts() -> Iterator[Innocent]:
    """Yield the texts, none twice, the same ones each time; every frame is used."""
    for path in sorted(Path(__file__).parent.glob("*.yaml")):
        grammar = yaml.safe_load(path.read_text(encoding="utf-8"))
        yield from _texts_of(path.stem, grammar["frames"], grammar["slots"], grammar["count"])


def _texts_of(
    language: str, frames: Sequence[str], slots: Mapping[str, Sequence[object]], count: int
) -> Iterator[Innocent]:
    draws = random.Random(f"{_SEED} {language}")  # noqa: S311 - the same texts each time
    drawn = _drawn(language)

    def fill(slot: re.Match[str]) -> str:
        listed = slots.get(slot[1])
        return drawn[slot[1]](draws) if listed is None else str(draws.choice(listed))

    seen: set[str] = set()
    left = list(enumerate(frames))
    while len(seen) < count:
        for numbered in tuple(left):
            frame, written = numbered
            filled = (_SLOT.sub(fill, written) for _ in range(_MAX_TRIES))
            text = next((one for one in filled if one not in seen), None)
            if text is None:
                left.remove(numbered)  # it has told all it can
            elif len(seen) < count:
                seen.add(text)
                yield Innocent(text, language, frame)
