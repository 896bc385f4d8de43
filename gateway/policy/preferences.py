"""What subscribers want to receive, in memory for every message (用户接收策略, R50)."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import lru_cache

from gateway.domain.categories import TrafficClass, lineage_of
from gateway.domain.msisdn import NORTH_AMERICAN_BELOW, misread_as
from gateway.domain.policy import KeywordList, ListAction
from gateway.domain.preferences import (
    Preference,
    PreferenceAction,
    PreferenceKind,
    hours_of,
    is_quiet,
    sender_number,
    unpacked,
)
from gateway.filter.keywords.index import KeywordIndex
from gateway.filter.normalise.folding import compact, folded

# Packed preferences stay as octets, which the garbage collector does not track. A million
# subscribers with three of them take 90 to 180 MB, less if more of them want the same
# (benchmarks/preferences.py).
_MAX_SHARED = 65_536
_MAX_COMPILED = 1_024


class Preferences:
    """The preferences of all subscribers who have any; others cost only a look-up.

    The follower of the store clears `is_current` while the store cannot be read. Known preferences
    still hold: an old one is nearer to what the subscriber wants than none. `misread` gives the
    number abroad that has preferences, by the mainland number that its digits are read as.
    """

    __slots__ = ("_compiled", "is_current", "misread", "packed", "shared")

    def __init__(self, rows: Iterable[tuple[int, str]] = ()) -> None:
        self.is_current = True
        self.packed: dict[int, bytes] = {}
        self.misread: dict[int, int] = {}
        self.shared: dict[bytes, bytes] = {}
        self._compiled: dict[bytes, _PreferenceIndex] = {}
        self.load(rows)

    def __len__(self) -> int:
        return len(self.packed)

    def __contains__(self, msisdn: int) -> bool:
        return msisdn in self.packed

    def load(self, rows: Iterable[tuple[int, str]]) -> None:
        """Take over many subscribers' preferences, packed; safe to repeat."""
        for msisdn, text in rows:
            self.apply(msisdn, text)

    def apply(self, msisdn: int, text: str) -> None:
        """Take over one subscriber's preferences, packed; an empty `text` removes them."""
        other = misread_as(msisdn)
        if not text:
            self.packed.pop(msisdn, None)
            if other is not None:
                self.misread.pop(other, None)
            return
        if other is not None:
            self.misread[other] = msisdn
        octets = text.encode()
        # Most subscribers who block a category block the same one: they share one copy.
        if len(self.shared) < _MAX_SHARED:
            octets = self.shared.setdefault(octets, octets)
        else:
            octets = self.shared.get(octets, octets)
        self.packed[msisdn] = octets

    def replace(self, fresh: "Preferences") -> None:
        """Replace all content by that of `fresh`, which must not be used any more."""
        self.packed, self.shared = fresh.packed, fresh.shared
        self.misread = fresh.misread

    def readings_of(self, msisdn: int) -> tuple[int, ...]:
        """Return the numbers with preferences that a number may mean, itself first."""
        if msisdn >= NORTH_AMERICAN_BELOW and msisdn not in self.misread:
            return (msisdn,) if msisdn in self.packed else ()  # nearly always
        other = self.misread.get(msisdn) or misread_as(msisdn)
        return tuple(one for one in (msisdn, other) if one in self.packed)

    def judge(
        self,
        msisdn: int,
        source: str,
        traffic_class: TrafficClass,
        categories: Sequence[str],
        text: str,
        local_of: Callable[[int], datetime],
    ) -> Preference | None:
        """Return the preference that decides, which may be one that allows; None without one.

        The order is that of R50: numbers that the subscriber allows; public interest; numbers that
        the subscriber blocks; keywords; categories; classes; quiet hours. Within one kind the
        subscriber's own order holds. A verification code is stopped only by its sender's number,
        because the subscriber has just asked for the code. `local_of` returns a subscriber's time,
        `categories` are ids or names of gateway.domain.categories.

        If no preference of the number itself decides, those of the other number with the same
        digits do: the way an SP writes a number must not bypass them. If that other number allows
        the sender, this is not against the message, but lets nothing through that something else is
        against.
        """
        number = sender_number(source)
        for one in self.readings_of(msisdn):
            compiled = self._compiled_of(self.packed[one])
            decides = compiled.deciding(number, traffic_class, categories, text, local_of(one))
            if decides is not None:
                return decides
        return None

    def _compiled_of(self, octets: bytes) -> "_PreferenceIndex":
        compiled = self._compiled.get(octets)
        if compiled is None:
            if len(self._compiled) >= _MAX_COMPILED:
                self._compiled.clear()
            compiled = self._compiled[octets] = _PreferenceIndex(unpacked(octets.decode()))
        return compiled


class _PreferenceIndex:
    """One list of preferences, by what they look at."""

    __slots__ = ("_categories", "_hours", "_keywords", "allowed", "classes", "stopped")

    def __init__(self, preferences: Sequence[Preference]) -> None:
        def of(kind: PreferenceKind) -> list[Preference]:
            return [one for one in preferences if one.kind is kind]

        numbers = of(PreferenceKind.NUMBER)
        self.allowed = [one for one in numbers if one.action is PreferenceAction.ALLOW]
        self.stopped = [one for one in numbers if one.action is not PreferenceAction.ALLOW]
        self.classes = {TrafficClass(one.value): one for one in of(PreferenceKind.CLASS)}
        self._categories = of(PreferenceKind.CATEGORY)
        self._hours = [(one, *hours_of(one.value)) for one in of(PreferenceKind.QUIET_HOURS)]
        self._keywords = [(one, _letters(one.value)) for one in of(PreferenceKind.KEYWORD)]

    def deciding(
        self,
        number: str,
        traffic_class: TrafficClass,
        categories: Sequence[str],
        text: str,
        local: datetime,
    ) -> Preference | None:
        allowed = _fitting(self.allowed, number)
        if allowed is not None or traffic_class is TrafficClass.PUBLIC_INTEREST:
            return allowed
        stopped = _fitting(self.stopped, number)
        if stopped is not None or traffic_class is TrafficClass.VERIFICATION:
            return stopped
        return (
            self.by_keyword(text)
            or self.by_category(categories)
            or self.classes.get(traffic_class)
            or self.by_hours(local)
        )

    def by_keyword(self, text: str) -> Preference | None:
        if not self._keywords:
            return None
        letters = _letters_of_text(text)
        return next(
            (one for one, its in self._keywords if its in letters and _stands_in(one.value, text)),
            None,
        )

    def by_category(self, categories: Sequence[str]) -> Preference | None:
        if not self._categories:
            return None
        found = {identity for category in categories for identity in lineage_of(category)}
        return next((one for one in self._categories if one.value in found), None)

    def by_hours(self, local: datetime) -> Preference | None:
        at = local.time()
        return next((one for one, start, end in self._hours if is_quiet(at, start, end)), None)


# An index compiled for each subscriber's words would cost 100 us and, with fifty words, 2 ms a
# message: more than all other work on it. The letters alone rule out nearly every word, and a tick
# is full of messages with one text.
def _letters(text: str) -> str:
    return compact(folded(text))


_letters_of_text = lru_cache(maxsize=64)(_letters)


def _stands_in(word: str, text: str) -> bool:
    """Tell whether `word` stands in `text`; its letters are known to follow each other there."""
    return bool(_index_of(word).search((text,)))


@lru_cache(maxsize=1_024)
def _index_of(word: str) -> KeywordIndex:
    return KeywordIndex((KeywordList("", "", ListAction.SHADOW, (word,)),))


def _fitting(preferences: Sequence[Preference], number: str) -> Preference | None:
    if not number:
        return None
    for one in preferences:
        beginning = one.value.removesuffix("*")
        if number == beginning or (beginning != one.value and number.startswith(beginning)):
            return one
    return None
