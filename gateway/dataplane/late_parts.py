"""What is kept of long messages after their time, in shares by sender, to judge late parts."""

from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import takewhile
from typing import NamedTuple

from gateway.dataplane.parts import Joint, Key, Part

_PAGE_OCTETS = 4096


class OctetShares:
    """Octets by sender. The largest is known to within a page of 4 kB, without a search."""

    def __init__(self) -> None:
        self.total = 0
        self._of: dict[str, int] = {}
        self._by_pages: dict[int, dict[str, None]] = {}
        self._most = 0  # pages that any sender has

    def of(self, sender: str) -> int:
        """Return the octets of a sender."""
        return self._of.get(sender, 0)

    def add(self, sender: str, octets: int) -> None:
        """Add octets to a sender's total; a negative number takes some away."""
        before = self._of.get(sender, 0)
        after = before + octets
        self.total += octets
        self._move(sender, before, after)
        if after:
            self._of[sender] = after
        else:
            self._of.pop(sender, None)

    def largest(self, sender: str) -> str:
        """Return the sender that makes room: `sender` itself unless another has more pages."""
        if not self._most or _pages(self.of(sender)) >= self._most:
            return sender
        return next(iter(self._by_pages[self._most]))

    def _move(self, sender: str, before: int, after: int) -> None:
        if before:
            alike = self._by_pages[_pages(before)]
            del alike[sender]
            if not alike:
                del self._by_pages[_pages(before)]
        if after:
            self._by_pages.setdefault(_pages(after), {})[sender] = None
            self._most = max(self._most, _pages(after))
        while self._most and self._most not in self._by_pages:
            self._most -= 1  # at most as often as it grew


def _pages(octets: int) -> int:
    return 1 + octets // _PAGE_OCTETS


# Of either end of a part. A part that a phone can get has 140 octets and is kept whole.
_REACH_OCTETS = 128
# What an entry takes in memory besides its parts: its key and its places in the tables.
_ENTRY_OCTETS = 500

_FILTER_BITS = 1 << 20
_HASHES = 4
_HASH_OCTETS = 4


class KeyFilter:
    """Which keys were added within `keep_s`, and some within twice that (a Bloom filter).

    256 kB. It forgets no key too early. Of keys never added it takes one in a hundred for
    known once there are 100 000, and one in sixteen once there are 180 000.
    """

    def __init__(self, keep_s: float, now: float) -> None:
        self._keep_s = keep_s
        self._since = now
        self._bits = bytearray(_FILTER_BITS // 8)
        self._older = bytearray(_FILTER_BITS // 8)

    def add(self, key: object, now: float) -> None:
        """Add a key."""
        self.turn(now)
        for bit in _bits_of(key):
            self._bits[bit >> 3] |= 1 << (bit & 7)

    def has(self, key: object, now: float) -> bool:
        """Tell whether a key was added."""
        self.turn(now)
        bits = _bits_of(key)
        return any(
            all(table[bit >> 3] >> (bit & 7) & 1 for bit in bits)
            for table in (self._bits, self._older)
        )

    def turn(self, now: float) -> bool:
        """Forget what is too old; tell whether nothing is left."""
        while now - self._since >= self._keep_s and (any(self._bits) or any(self._older)):
            self._older, self._bits = self._bits, bytearray(_FILTER_BITS // 8)
            self._since += self._keep_s
        if now - self._since >= self._keep_s:
            self._since = now
            return True
        return False


class ForgottenKeys:
    """Keys that had to go early, in a KeyFilter for each sender."""

    def __init__(self) -> None:
        self._of: dict[str, KeyFilter] = {}

    def add(self, sender: str, key: object, keep_s: float, now: float) -> None:
        """Remember that a key is not known any more, for `keep_s` at least."""
        known = self._of.get(sender)
        if known is None:
            known = self._of[sender] = KeyFilter(keep_s, now)
        known.add(key, now)

    def has(self, sender: str, key: object, now: float) -> bool:
        """Tell whether a key may have been forgotten."""
        known = self._of.get(sender)
        return known is not None and known.has(key, now)

    def expire(self, now: float) -> None:
        """Drop the filters in which nothing is left."""
        self._of = {sender: known for sender, known in self._of.items() if not known.turn(now)}


class Rest(NamedTuple):
    """What is left of a message; see Joint. `octets` is what it takes in memory."""

    expires_at: float
    parts: dict[int, Part]
    former: dict[int, Part]
    settled: set[int]
    doubtful: set[int]
    octets: int


@dataclass(slots=True)
class _SenderLateParts:
    """What is left of one sender's messages, the oldest first, those that were whole apart."""

    whole: dict[Key, Rest] = field(default_factory=dict)
    others: dict[Key, Rest] = field(default_factory=dict)


class LateParts:
    """The ends of parts that were passed on, for `keep_s`: as long as phones keep parts.

    Android keeps the parts of a message that is not whole for 7 days, older ones for 30. At
    most `max_octets` are kept; who has most makes room, of messages that were whole first.
    The key of any other that had to go is remembered, so that a later part of it is not
    judged as if it were the first.
    """

    def __init__(self, keep_s: float, max_octets: int) -> None:
        self.keep_s = keep_s
        self._max_octets = max_octets
        self._own: dict[str, _SenderLateParts] = {}
        self._shares = OctetShares()
        self._forgotten = ForgottenKeys()

    def __len__(self) -> int:
        return sum(len(own.whole) + len(own.others) for own in self._own.values())

    @property
    def octets(self) -> int:
        """Return what all of it takes in memory, about."""
        return self._shares.total

    def put(self, joint: Joint, now: float) -> None:
        """Keep what a phone may have of a message; it must not be kept already."""
        parts, former = joint.delivered()
        if not parts:
            return
        parts = {number: part.cut(_REACH_OCTETS) for number, part in parts.items()}
        former = {number: part.cut(_REACH_OCTETS) for number, part in former.items()}
        costs = (part.cost_octets for table in (parts, former) for part in table.values())
        octets = _ENTRY_OCTETS + sum(costs)
        rest = Rest(now + self.keep_s, parts, former, joint.settled, joint.doubtful, octets)
        sender = joint.key[0][0]
        own = self._own.setdefault(sender, _SenderLateParts())
        (own.whole if joint.is_settled else own.others)[joint.key] = rest
        self._shares.add(sender, rest.octets)
        while self._shares.total > self._max_octets:
            self._make_room(sender, now)

    def take(self, key: Key, now: float) -> Rest | None:
        """Hand over what is left of a message."""
        sender = key[0][0]
        own = self._own.get(sender)
        if own is None:
            return None
        table = own.whole if key in own.whole else own.others
        rest = table.get(key)
        if rest is None:
            return None
        self._drop(sender, own, table, key)
        return rest if rest.expires_at > now else None

    def forget(self, key: Key, now: float) -> None:
        """Note that what a phone may have of a message is not known any more."""
        self._forgotten.add(key[0][0], key, self.keep_s, now)

    def has_forgotten(self, key: Key, now: float) -> bool:
        """Tell whether parts of a message that was not whole may have been forgotten too early."""
        return self._forgotten.has(key[0][0], key, now)

    def expire(self, now: float) -> None:
        """Forget what is older than phones keep it."""
        for sender, own in list(self._own.items()):
            for table in (own.whole, own.others):
                for key, _ in [*takewhile(lambda one: one[1].expires_at <= now, table.items())]:
                    self._drop(sender, own, table, key)
        self._forgotten.expire(now)

    def _make_room(self, sender: str, now: float) -> None:
        largest = self._shares.largest(sender)
        own = self._own[largest]
        table = own.whole or own.others
        key = next(iter(table))
        if table is own.others:
            self.forget(key, now)
        self._drop(largest, own, table, key)

    def _drop(self, sender: str, own: _SenderLateParts, table: dict[Key, Rest], key: Key) -> None:
        self._shares.add(sender, -table.pop(key).octets)
        if not own.whole and not own.others:
            del self._own[sender]


def _bits_of(key: object) -> list[int]:
    digest = blake2b(repr(key).encode(), digest_size=_HASHES * _HASH_OCTETS).digest()
    return [
        int.from_bytes(digest[at : at + _HASH_OCTETS], "big") % _FILTER_BITS
        for at in range(0, len(digest), _HASH_OCTETS)
    ]
