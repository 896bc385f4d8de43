"""Counting in windows that start by the clock (R42: minute and hour by UTC+8; R43)."""

from collections.abc import Sequence
from datetime import date
from typing import Self

from gateway.policy.counter_keys import NEVER, PAYER, WHICH, Retired, keyed_by, tables
from gateway.policy.key_shares import KeyShares
from gateway.policy.limits import DAY_S, Clock, Counting, Full, Limit, Parts

_EPOCH = date(1970, 1, 1).toordinal()


class ClockCounter:
    """Counts in the current clock window, and forgets all counts when the next begins.

    `second` is an epoch second from 1 on that never decreases until `restart`.
    """

    __slots__ = (
        "_counting",
        "_every",
        "_full",
        "_keys_of",
        "_maximum",
        "_retired",
        "begins_at",
        "ends_at",
        "kept",
        "limit",
        "shares",
    )

    def __init__(self, limit: Limit, every: Clock, counting: Counting, retired: Retired) -> None:
        self.limit = limit
        self._every = every
        self._counting = counting
        self._retired = retired
        self._full = Full(limit)
        self._keys_of = keyed_by(limit.per)
        self.kept = tables()
        self.shares = KeyShares(counting.capacity)
        self.begins_at = self.ends_at = NEVER
        self._maximum = limit.maximum

    @property
    def keys(self) -> int:
        """Return how many keys are kept, as of the last message."""
        return self.shares.keys

    @property
    def is_full(self) -> bool:
        """Tell whether there is no room for a new key, as of the last message."""
        return self.shares.is_full

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
            counts = self.kept[key & WHICH]
            count = counts.get(key, 0)
            if count >= self._maximum:
                against.append((place, self.limit))
            elif count or self.shares.pays(messages[place][PAYER]):
                counts[key] = count + 1
            else:
                against.append((place, self._full))
        return against

    def forget(self, parts: Parts, second: int) -> None:
        """Take back one message that was counted at `second`, if its window is still open."""
        (key,) = self._keys_of((parts,))
        counts = self.kept[key & WHICH]
        if key not in counts or not self.begins_at <= second < self.ends_at:
            return
        counts[key] -= 1
        if not counts[key]:
            self.shares.give_back(parts[PAYER])
            del counts[key]

    def restart(self) -> None:
        """Forget every count."""
        self._retired += filter(None, self.kept)
        self.kept = tables()
        self.shares.clear()
        self.begins_at = self.ends_at = NEVER

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
