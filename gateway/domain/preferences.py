"""What one subscriber wants to receive (用户接收策略): values, bounds, edits (R50)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum
from typing import TypeAlias

from gateway.domain.categories import TrafficClass, category_of

MAX_PREFERENCES = 50
MAX_KEYWORD_CHARS = 20

_NUMBER = re.compile(r"[0-9]{3,20}\*?")
_HOURS = re.compile(r"([0-9]{1,2}):([0-9]{2})-([0-9]{1,2}):([0-9]{2})")
_CLASSES = frozenset({TrafficClass.COMMERCIAL, TrafficClass.SERVICE})
_SHORTEST_WITH_86 = 5  # no number of a network of its own begins with 861


class PreferenceKind(StrEnum):
    """What a preference looks at.

    NUMBER is the sender's number: digits, or with `*` after them a prefix. KEYWORD is a word of the
    text, CATEGORY an id of gateway.domain.categories and all below it, CLASS everything of a class,
    QUIET_HOURS the subscriber's local time, written 22:00-08:00.
    """

    NUMBER = "number"
    KEYWORD = "keyword"
    CATEGORY = "category"
    CLASS = "class"
    QUIET_HOURS = "quiet_hours"


class PreferenceAction(StrEnum):
    """What is done with a message that a preference matches. HOLD puts it into quarantine."""

    ALLOW = "allow"
    BLOCK = "block"
    HOLD = "hold"


class PreferenceError(ValueError):
    """A preference that cannot be kept. The text says why and does not quote it."""


@dataclass(frozen=True, slots=True)
class Preference:
    """One rule, valid by construction. Use `preference` to make it from what people write."""

    kind: PreferenceKind
    value: str
    action: PreferenceAction

    def __post_init__(self) -> None:
        """Raise PreferenceError for a value that is not in its one normal form."""
        if _NORMAL[self.kind](self.value) != self.value:
            raise PreferenceError("the value is not in normal form")
        if self.kind is PreferenceKind.QUIET_HOURS and self.action is PreferenceAction.ALLOW:
            raise PreferenceError("quiet hours block or hold, they allow nothing")


# The order decides among preferences of one kind: the first match.
PreferenceList: TypeAlias = tuple[Preference, ...]
Edit: TypeAlias = Callable[[PreferenceList], PreferenceList]


class Channel(StrEnum):
    """How a change arrived."""

    MO = "mo"
    API = "api"
    CLI = "cli"


@dataclass(frozen=True, slots=True)
class ChangeOrigin:
    """Who made a change, and when. `by` is empty if the subscriber's own number wrote."""

    channel: Channel
    at: datetime
    by: str = ""


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One change of a subscriber's preferences; an entry is never altered (R51).

    `is_erasure` says that all was deleted on request, including what stood before.
    """

    origin: ChangeOrigin
    before: PreferenceList
    after: PreferenceList
    is_erasure: bool = False


def preference(kind: PreferenceKind, value: str, action: PreferenceAction) -> Preference:
    """Return the preference that people mean by `value`. Raises PreferenceError."""
    return Preference(kind, _NORMAL[kind](value), action)


def with_preference(preferences: PreferenceList, wanted: Preference) -> PreferenceList:
    """Return `preferences` with `wanted` in place of one about the same value, else at the end.

    Raises PreferenceError beyond MAX_PREFERENCES.
    """
    if wanted in preferences:
        return preferences
    about = (wanted.kind, wanted.value)
    if any((one.kind, one.value) == about for one in preferences):
        return tuple(wanted if (one.kind, one.value) == about else one for one in preferences)
    if len(preferences) >= MAX_PREFERENCES:
        raise PreferenceError(f"more than {MAX_PREFERENCES} preferences")
    return (*preferences, wanted)


def without_preference(
    preferences: PreferenceList, kind: PreferenceKind, value: str
) -> PreferenceList:
    """Return `preferences` without the one about `value`, which is in normal form."""
    return tuple(one for one in preferences if (one.kind, one.value) != (kind, value))


def packed(preferences: PreferenceList) -> str:
    """Return the form that stores and memory keep: one line each, such as nb1069000112."""
    return "\n".join(
        f"{_LETTER_OF_KIND[one.kind]}{_LETTER_OF_ACTION[one.action]}{one.value}"
        for one in preferences
    )


def unpacked(text: str) -> PreferenceList:
    """Return what was packed. Lines that this version does not understand are left out."""
    return tuple(filter(None, map(_read, text.split("\n"))))


def sender_number(address: str) -> str:
    """Return the digits by which a source_addr is compared; "" if it is not a number.

    A mainland number or port is the same with +86, 0086 or 86 before it.
    """
    digits = address.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        return ""
    digits = digits.removeprefix("00")
    if digits.startswith("00"):
        return ""
    if digits.startswith("861") and len(digits) >= _SHORTEST_WITH_86:
        return digits[2:]
    return digits


def hours_of(value: str) -> tuple[time, time]:
    """Return the start and the exclusive end of quiet hours. Raises PreferenceError."""
    found = _HOURS.fullmatch(value)
    if found is None:
        raise PreferenceError("quiet hours read 22:00-08:00")
    try:
        start, end = (time(int(found[at]), int(found[at + 1])) for at in (1, 3))
    except ValueError:
        raise PreferenceError("there is no such hour") from None
    if start == end:
        raise PreferenceError("quiet hours that end when they start")
    return start, end


def is_quiet(local: time, start: time, end: time) -> bool:
    """Tell whether `local` is from `start` on and before `end`, also across midnight."""
    if start < end:
        return start <= local < end
    return local >= start or local < end


def _read(line: str) -> Preference | None:
    kind, action = _KINDS.get(line[:1]), _ACTIONS.get(line[1:2])
    if kind is None or action is None:
        return None
    try:
        return Preference(kind, line[2:], action)
    except PreferenceError:
        return None


def _number(value: str) -> str:
    given = "".join(value.split())
    number = sender_number(given.removesuffix("*")) + ("*" if given.endswith("*") else "")
    if not _NUMBER.fullmatch(number):
        raise PreferenceError("a number is 3 to 20 digits, or such a beginning and a *")
    return number


def _keyword(value: str) -> str:
    keyword = " ".join(value.split())
    if not 1 <= len(keyword) <= MAX_KEYWORD_CHARS or not keyword.isprintable():
        raise PreferenceError(f"a keyword is 1 to {MAX_KEYWORD_CHARS} characters")
    if not any(map(str.isalnum, keyword)):
        raise PreferenceError("a keyword has a letter or a digit")
    return keyword


def _category(value: str) -> str:
    category = category_of(value)
    if category is None:
        raise PreferenceError("there is no such category")
    return category.id


def _class(value: str) -> str:
    """Return a class. Verification codes and public interest cannot be blocked as a whole."""
    name = value.strip().lower()
    if name not in _CLASSES:
        raise PreferenceError("the classes are commercial and service")
    return name


def _hours(value: str) -> str:
    start, end = hours_of("".join(value.split()).replace("：", ":"))
    return f"{start:%H:%M}-{end:%H:%M}"


_NORMAL: dict[PreferenceKind, Callable[[str], str]] = {
    PreferenceKind.NUMBER: _number,
    PreferenceKind.KEYWORD: _keyword,
    PreferenceKind.CATEGORY: _category,
    PreferenceKind.CLASS: _class,
    PreferenceKind.QUIET_HOURS: _hours,
}

# The letters of kinds and actions, in their order.
_KINDS = dict(zip("nkctq", PreferenceKind, strict=True))
_ACTIONS = dict(zip("abh", PreferenceAction, strict=True))
_LETTER_OF_KIND = {kind: letter for letter, kind in _KINDS.items()}
_LETTER_OF_ACTION = {action: letter for letter, action in _ACTIONS.items()}
