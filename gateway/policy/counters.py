"""Frequency limits, and what counts messages against them, by key (R42, R43).

Windows by the clock start anew, minute and hour by UTC+8; rolling ones end now, exact to the
second. The SPs that fill a counter share its room.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from operator import itemgetter
from typing import Final, Self, TypeAlias

from gateway.domain.policy import DAY_S, Clock, CountDimension, Limit, RollingWindow
from gateway.policy.hours import HolidayCalendar

# What counters see of a message, in the order of Part: a plain tuple, because one is made per
# message. What is absent is 0 or "" and is counted as one value of its own.
Parts: TypeAlias = tuple[int, str, str, str, str]


@dataclass(frozen=True, slots=True)
class Full:
    """The counters of `limit` hold as many keys as they may: a new key cannot be counted."""

    limit: Limit


@dataclass(frozen=True, slots=True)
class CounterTerms:
    """How one worker counts.

    `capacity` bounds the keys of each limit, `utc_offset_s` sets the clock of clock windows (R42:
    UTC+8), `calendar` knows the holidays for limits with a `holiday_maximum`.
    """

    capacity: int = 1_000_000
    utc_offset_s: int = 8 * 3600
    calendar: HolidayCalendar | None = None

    def __post_init__(self) -> None:
        if self.capacity < 1:
            raise ValueError("capacity: must be at least 1")
        if not -DAY_S < self.utc_offset_s < DAY_S:
            raise ValueError("utc_offset_s: must be less than a day")


Table: TypeAlias = dict[int, int]
Tables: TypeAlias = tuple[Table, ...]
Retired: TypeAlias = list[Table]

# A table of a million keys is copied as it grows, 15 ms at a time; a 64th of it takes no time.
_TABLES = 64
_WHICH: Final = _TABLES - 1  # these bits of a key select its table
_NEVER = 0

_PLACES = {part: place for place, part in enumerate(CountDimension)}
_DESTINATION_BITS = 50  # of 15 digits at most (ITU-T E.164)
_PAYER: Final = 3  # of Parts: the sender, which pays for the keys that its messages make


def _tables() -> Tables:
    return tuple({} for _ in range(_TABLES))


def _keyed_by(per: tuple[CountDimension, ...]) -> Callable[[Sequence[Parts]], list[int]]:
    """Return a function that makes the keys of messages counted by `per`, in any order of `per`."""
    others = sorted(_PLACES[part] for part in per if part is not CountDimension.DESTINATION)
    if not others:
        return lambda messages: [parts[0] for parts in messages]
    rest = itemgetter(*others)
    if len(others) == len(per):
        return lambda messages: [hash(rest(parts)) for parts in messages]
    return lambda messages: [
        (hash(rest(parts)) << _DESTINATION_BITS) + parts[0] for parts in messages
    ]


# How many keys an SP may get at once: each request costs a microsecond.
_MOST_AT_ONCE = 64
_LEAST_CAPACITY = 4096


class KeyShares:
    """Who holds how many of the keys of one counter, and who may make one more.

    An SP may hold at most as many keys as are free for others: alone half of all, beside one that
    holds half a quarter, and so on, so that something is always left for the next (a dynamic
    threshold: Choudhury and Hahne 1998). The SP that makes a key pays for it, or the first SP that
    counts it in a new generation.

    This is asked for each new key, and messages of one SP come together: several keys are granted
    at once, and the unused ones stay with the SP when it is another's turn.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._block = max(1, min(_MOST_AT_ONCE, capacity // _LEAST_CAPACITY))
        self._room = capacity
        self._payer = ""
        self._credit = 0  # how many of those granted to the payer are left
        self._left: dict[str, int] = {}  # of those granted to the others
        self._granted: defaultdict[str, int] = defaultdict(int)
        self._inherited: dict[str, int] = {}  # held in the generation before
        self._carried: defaultdict[str, int] = defaultdict(int)  # of these, in this one as well

    @property
    def keys(self) -> int:
        """Return how many keys are taken."""
        return self._capacity - self._room - self._credit - sum(self._left.values())

    @property
    def is_full(self) -> bool:
        """Tell whether no SP can make a new key."""
        return self._room <= 0

    def pays(self, sender: str) -> bool:
        """Let an SP pay for a new key if it may hold one more; return whether it may."""
        if sender is not self._payer:
            self._turn_to(sender)
        if self._credit or self._is_granted():
            self._credit -= 1
            return True
        return False

    def _turn_to(self, sender: str) -> None:
        self._left[self._payer] = self._credit
        self._payer, self._credit = sender, self._left.pop(sender, 0)

    def _is_granted(self) -> bool:
        """Grant the payer some keys if it may hold more; return whether it may."""
        free = self._room - self.held_by(self._payer)
        block = min(self._block, free)
        if block <= 0:
            return False
        self._room -= block
        self._granted[self._payer] += block
        self._credit += block
        return True

    def held_by(self, sender: str) -> int:
        """Return how many keys an SP pays for."""
        carried = max(self._carried.get(sender, 0), self._inherited.get(sender, 0))
        return self._granted.get(sender, 0) - self._left_of(sender) + carried

    def carry(self, sender: str) -> None:
        """Note that an SP counted a key of the previous generation, which moves to this one."""
        self._carried[sender] += 1

    def give_back(self, sender: str) -> None:
        """Note that a key was removed; its last message was from `sender`."""
        self._room += 1
        if self._granted.get(sender, 0) > self._left_of(sender):
            self._granted[sender] -= 1

    def begin_generation(self, gone: int) -> None:
        """Begin a generation; `gone` keys of the one before the last are removed for good."""
        inherited = {
            sender: self._granted.get(sender, 0) - self._left_of(sender) + self._carried[sender]
            for sender in {*self._granted, *self._carried}
        }
        self._begin(self.keys - gone, inherited)

    def clear(self) -> None:
        """Forget all keys."""
        self._begin(0, {})

    def adopt(self, before: Self) -> None:
        """Go on with the keys of a counter that is not used any more; these may be too many."""
        before._turn_to("")
        self._granted, self._inherited = before._granted, before._inherited
        self._carried = before._carried
        for sender, left in before._left.items():
            self._granted[sender] -= left
        self._room = self._capacity - before.keys

    def _left_of(self, sender: str) -> int:
        return self._credit if sender == self._payer else self._left.get(sender, 0)

    def _begin(self, keys: int, inherited: dict[str, int]) -> None:
        self._room = self._capacity - keys
        self._inherited = inherited
        self._credit = 0
        for counts in (self._left, self._granted, self._carried):
            counts.clear()


_EPOCH = date(1970, 1, 1).toordinal()


class KeyedCounter:
    """A bounded table of counts by key: what counters of both kinds of windows have."""

    __slots__ = ("_full", "_keys_of", "_retired", "limit", "shares")

    def __init__(self, limit: Limit, counting: CounterTerms, retired: Retired) -> None:
        self.limit = limit
        self.shares = KeyShares(counting.capacity)
        self._retired = retired
        self._full = Full(limit)
        self._keys_of = _keyed_by(limit.per)


class ClockCounter(KeyedCounter):
    """Counts in the current clock window, and forgets all counts when the next begins.

    `second` is an epoch second from 1 on that never decreases until `restart`.
    """

    __slots__ = ("_counting", "_every", "_maximum", "begins_at", "ends_at", "kept")

    def __init__(
        self, limit: Limit, every: Clock, counting: CounterTerms, retired: Retired
    ) -> None:
        super().__init__(limit, counting, retired)
        self._every = every
        self._counting = counting
        self.kept = _tables()
        self.begins_at = self.ends_at = _NEVER
        self._maximum = limit.maximum

    def take_all(
        self, messages: Sequence[Parts], second: int
    ) -> Sequence[tuple[int, Limit | Full]]:
        """Count messages in order; return the place of each rejected one with the reason.

        A rejected message is not counted.
        """
        if second >= self.ends_at:
            self._turn(second)
        against: list[tuple[int, Limit | Full]] = []
        for place, key in enumerate(self._keys_of(messages)):
            counts = self.kept[key & _WHICH]
            count = counts.get(key, 0)
            if count >= self._maximum:
                against.append((place, self.limit))
            elif count or self.shares.pays(messages[place][_PAYER]):
                counts[key] = count + 1
            else:
                against.append((place, self._full))
        return against

    def forget(self, parts: Parts, second: int) -> None:
        """Take back one message that was counted at `second`, if its window is still open."""
        (key,) = self._keys_of((parts,))
        counts = self.kept[key & _WHICH]
        if key not in counts or not self.begins_at <= second < self.ends_at:
            return
        counts[key] -= 1
        if not counts[key]:
            self.shares.give_back(parts[_PAYER])
            del counts[key]

    def restart(self) -> None:
        """Forget every count."""
        self._retired += filter(None, self.kept)
        self.kept = _tables()
        self.shares.clear()
        self.begins_at = self.ends_at = _NEVER

    def adopt(self, before: Self) -> None:
        """Go on with the counts of a counter that is not used any more."""
        self.kept = before.kept
        self.shares.adopt(before.shares)
        self.begins_at, self.ends_at = before.begins_at, before.ends_at
        self._maximum = self._maximum_at(self.begins_at)

    def _turn(self, second: int) -> None:
        self.restart()
        length_s = self._every.length_s
        self.begins_at = second - (second + self._counting.utc_offset_s) % length_s
        self.ends_at = self.begins_at + length_s
        self._maximum = self._maximum_at(self.begins_at)

    def _maximum_at(self, second: int) -> int:
        calendar, on_holidays = self._counting.calendar, self.limit.holiday_maximum
        if calendar is None or on_holidays is None:
            return self.limit.maximum
        day = date.fromordinal(_EPOCH + (second + self._counting.utc_offset_s) // DAY_S)
        return on_holidays if calendar.is_holiday(day) else self.limit.maximum


_STAMP_BITS = 32
_STAMP = (1 << _STAMP_BITS) - 1


class RollingCounter(KeyedCounter):
    """Keeps the second of each message that still counts, the newest in the lowest bits.

    One number holds the stamps of a key: a message is rejected if the stamp `maximum` places up is
    not older than the window, which takes one shift. Keys are in two generations, each a window
    long. A key moves to the young generation when it is counted, so what the old generation holds
    when its time ends has expired, and no key stays for more than two windows.

    `second` is an epoch second from 1 to 2**32 - 1 that never decreases until `restart`.
    """

    __slots__ = ("_length_s", "_mask", "_shift", "old", "turns_at", "young")

    def __init__(
        self, limit: Limit, every: RollingWindow, counting: CounterTerms, retired: Retired
    ) -> None:
        super().__init__(limit, counting, retired)
        self._length_s = every.seconds
        self._shift = (limit.maximum - 1) * _STAMP_BITS
        self._mask = (1 << limit.maximum * _STAMP_BITS) - 1
        self.young = _tables()
        self.old = _tables()
        self.turns_at = _NEVER

    def take_all(  # noqa: C901 - asked for each message; a call costs as much as the rest
        self, messages: Sequence[Parts], second: int
    ) -> Sequence[tuple[int, Limit | Full]]:
        """Count messages in order; return the place of each rejected one with the reason.

        A rejected message is not counted.
        """
        if second >= self.turns_at:
            self._turn(second)
        against: list[tuple[int, Limit | Full]] = []
        young_ones, old_ones, pays = self.young, self.old, self.shares.pays
        for place, key in enumerate(self._keys_of(messages)):
            which = key & _WHICH
            young = young_ones[which]
            known = len(young)
            # All messages of this second share this int object.
            stamps = young.setdefault(key, second)
            is_new = len(young) > known
            if is_new:
                earlier = old_ones[which].get(key)
                if earlier is None:
                    if not pays(messages[place][_PAYER]):
                        del young[key]
                        against.append((place, self._full))
                    continue
                stamps = earlier
            kept = stamps << _STAMP_BITS | second
            nth = stamps >> self._shift
            if nth:  # as many as allowed, or more: true of few keys
                if nth & _STAMP > second - self._length_s:
                    if is_new:
                        del young[key]
                    against.append((place, self.limit))
                    continue
                kept &= self._mask
            if is_new:
                del old_ones[which][key]
                self.shares.carry(messages[place][_PAYER])
            young[key] = kept
        return against

    def forget(self, parts: Parts, second: int) -> None:
        """Take back one message that was counted at `second`."""
        (key,) = self._keys_of((parts,))
        for table in (self.young[key & _WHICH], self.old[key & _WHICH]):
            if key in table:
                table[key] = _without(table[key], second)
                if not table[key]:
                    self.shares.give_back(parts[_PAYER])
                    del table[key]

    def restart(self) -> None:
        """Forget every count."""
        self._retired += filter(None, (*self.young, *self.old))
        self.young, self.old = _tables(), _tables()
        self.shares.clear()
        self.turns_at = _NEVER

    def adopt(self, before: Self) -> None:
        """Go on with the counts of a counter that is not used any more.

        Its maximum may have been different: more stamps than this one needs do no harm, and fewer
        stamps are all that it admitted.
        """
        self.young, self.old = before.young, before.old
        self.shares.adopt(before.shares)
        self.turns_at = before.turns_at

    def _turn(self, second: int) -> None:
        if second >= self.turns_at + self._length_s:
            self.restart()  # nothing was counted for a whole window
        self._retired += filter(None, self.old)
        self.shares.begin_generation(sum(map(len, self.old)))
        self.old, self.young = self.young, _tables()
        self.turns_at = second + self._length_s


def _without(stamps: int, second: int) -> int:
    """Return `stamps` without one that equals `second`; unchanged without such a stamp."""
    shift = 0
    while (rest := stamps >> shift) and rest & _STAMP != second:
        shift += _STAMP_BITS
    below = stamps & (1 << shift) - 1
    return rest >> _STAMP_BITS << shift | below
