"""For how long a consent request asks (D14 art. 5, R23): when the consent ends."""

import re
import unicodedata
from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta

_DIGITS = {word: place for place, word in enumerate("零一二三四五六七八九")} | {"两": 2}
_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_WORDS = {word: place for place, word in enumerate(_NUMBERS, start=1)} | {
    "a": 1,
    "an": 1,
    "twelve": 12,
}
_COUNT = "[0-9]{1,4}|半|[一二两三四五六七八九十]{1,3}"
# Only periods of the agreement: 三天内回复 is the time to reply.
_PERIOD = re.compile(
    rf"(?:为期|期限|有效期|时效)(?:为|是)?[\s:]{{0,3}}({_COUNT})\s?"
    "(天|日|周|个?星期|个半?月|月|个?季度|年半?)"
)
_PERIOD_EN = re.compile(
    rf"\b(?:for|valid) (?:up to )?([0-9]{{1,4}}|{'|'.join(_WORDS)})"
    r" (day|week|month|quarter|year)s?\b"
)
# A last day: a date after a word for it, or after the first day of a range. The first day of a
# range is not the last day, even after 有效期.
_TO = r"日?起?\s?(?:[-~–—]{1,2}|至|到)\s?"
_DAY = "([0-9]{4})[年./-]([0-9]{1,2})([月./-])([0-9]{1,2})"
_THROUGH = re.compile(
    r"(?:至|到|截止|until|through|(?:有效期|期限|时效)(?:为|是)?"
    r"|[0-9][月./-][0-9]{1,2}日?\s?[-~–—]{1,2})"
    rf"[\s:]{{0,3}}{_DAY}(?![0-9])(?!{_TO}[0-9]{{1,4}}[年月./-])"
)
# The second day is written like the first: 2026年1月1日到3.5折 is not a range.
_WITHIN_A_YEAR = re.compile(rf"{_DAY}{_TO}([0-9]{{1,2}})\3([0-9]{{1,2}})(?![0-9]|[./-][0-9])")
# The hour of a day adds nothing to the day: until 24时 means through it, and 9:00-18:00 is not a
# range of days.
_CLOCK = (
    "(?:[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?"
    "|(?:[0-9]{1,2}|[零一二两三四五六七八九十]{1,3})[时点](?:整|半|一刻|[0-9]{1,2}分?)?)"
)
_HOUR = re.compile(
    rf"(?:(?<=日)|(?<=[0-9])(?=[\s(t上下中早晚凌]))[\s(t]{{0,2}}"
    rf"(?:上午|下午|中午|早上|晚上|凌晨)?\s?{_CLOCK}(?:\s?[ap]m\b)?\)?"
)
_LONGEST_MONTH = 31
_MONTHS = {"月": 1, "季度": 3, "年": 12, "month": 1, "quarter": 3, "year": 12}
_DAYS = {"天": 1, "日": 1, "周": 7, "星期": 7, "day": 1, "week": 7}
_HALF_MONTH = timedelta(days=15)
_MOST_MONTHS = 12 * 100


def last_day_of(text: str, asked: date) -> date | None:
    """Return the last day of the consent that `text`, sent on the day `asked`, asks for.

    What is read: 为期, 期限, 有效期 or 时效 with a count of days, weeks, months, quarters or years
    (为期一年半, 有效期: 90天); "for" and "valid" likewise in English; a whole date after 至, 到,
    截止, until, through, 有效期, 期限 or 时效 (有效期至2026年6月30日); the second date of a range,
    with its year or without (2026.01.01-2026.12.31, 2026年1月1日0时至3月31日24时). The 30th of
    February is its last day. A date on or before the day `asked` is about something else
    (截至2024-10-01已有百万用户). None if no end is understood, as for 长期, 年底, 至12月31日: then
    the agreement has no end. If there are several ends, the earliest counts.
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    return min(_ends(_HOUR.sub("", plain), asked), default=None)


def _ends(text: str, asked: date) -> Iterator[date]:
    for count, unit in _PERIOD.findall(text):
        yield from _after(asked, _counted(count), unit)
    for count, unit in _PERIOD_EN.findall(text):
        yield from _after(asked, float(_WORDS.get(count) or count), unit)
    for year, month, day in _last_days(text):
        try:
            last = _day_or_last(year, month, day)
        except ValueError:
            continue  # no such day
        if last > asked:
            yield last


def _last_days(text: str) -> Iterator[tuple[int, int, int]]:
    for year, month, _, day in _THROUGH.findall(text):
        yield int(year), int(month), int(day)
    for year, first_month, _, first_day, month, day in _WITHIN_A_YEAR.findall(text):
        is_next_year = (int(month), int(day)) < (int(first_month), int(first_day))
        yield int(year) + is_next_year, int(month), int(day)


def _counted(words: str) -> float:
    if words == "半":
        return 0.5
    if words.isdecimal():
        return float(words)
    tens, ten, ones = words.rpartition("十") if "十" in words else ("", "", words)
    if not ten:
        return float(_DIGITS.get(ones, 0))
    return 10.0 * _DIGITS.get(tens, 1 if not tens else 0) + _DIGITS.get(ones, 0)


def _after(asked: date, count: float, unit: str) -> Iterator[date]:
    """Yield the day `count` units after `asked`; nothing if it is too far away to mean anything."""
    is_and_a_half, base = "半" in unit, unit.replace("半", "").removeprefix("个")
    number = count + 0.5 * is_and_a_half
    if base in _DAYS:
        days = number * _DAYS[base]
        if 0 < days <= 30 * _MOST_MONTHS:
            yield asked + timedelta(days=round(days))
        return
    months = number * _MONTHS[base]
    if 0 < months <= _MOST_MONTHS:
        yield _months_later(asked, int(months)) + (months % 1 > 0) * _HALF_MONTH


def _months_later(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return _day_or_last(year, month + 1, day.day)


def _day_or_last(year: int, month: int, day: int) -> date:
    """Return the day, or the last day of a month that is shorter. Raises ValueError if invalid."""
    last = monthrange(year, month)[1]
    return date(year, month, last if last < day <= _LONGEST_MONTH else day)
