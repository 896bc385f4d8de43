"""The parts of long messages seen so far: each is judged with the text before and after it."""

from dataclasses import dataclass
from typing import NamedTuple

from gateway.domain.msisdn import misread_as, msisdn_of
from gateway.domain.verdict import Finding
from gateway.smpp.alphabets import alphabet_of, read
from gateway.smpp.text import readings
from gateway.smpp.udh import Concat

# How much text to either side a part is read together with. Not counted in parts: empty ones
# between the halves of a word would use up the reach, and joining 255 large ones for each
# would let one sender buy 250 times its share of the CPU.
_REACH_OCTETS = 4096

# What a part takes in memory: objects, its octets, and the texts read from them.
_PART_OCTETS = 300
_OCTETS_PER_OCTET = 4

# No sender may have more than this share of the table under way: its neighbours need the rest.
_SHARES = 4

# Sender, source, subscriber: phones put together only what comes from one address.
Owner = tuple[str, bytes, int | bytes]
Key = tuple[Owner, int, int]


def subscriber_of(address: bytes) -> int | bytes:
    """Return by whom a long message is known, however its parts spell the number.

    One of North America and who is read in its place may be one phone: the SMSC decides.
    """
    number = msisdn_of(address)
    return address if number is None else misread_as(number) or number


@dataclass(frozen=True, slots=True)
class Part:
    """The text of one part. `best` is its likeliest reading, `announced` that of data_coding."""

    data_coding: int
    octets: bytes
    best: str
    announced: str

    @property
    def cost_octets(self) -> int:
        """Return what it takes in memory, about."""
        return _PART_OCTETS + _OCTETS_PER_OCTET * len(self.octets)


def part_of(data_coding: int, octets: bytes, best: str) -> Part:
    """Return a part of which `best` is the likeliest reading."""
    return Part(data_coding, octets, best, read(octets, alphabet_of(data_coding)))


class Joint:
    """One long message while its parts arrive, in any order, on any bind of the sender.

    The first part of a round is charged for all of them; a round ends when every part was
    seen. The parts of the last round are kept: a phone keeps them too when the SMSC refused
    one of them, and puts them together with what is sent later. Once `stopped` by a finding,
    every later part is stopped by the same: the handset never assembles it. `refused` is
    what is against the part that would have paid for the round: nobody has paid for the others.
    """

    __slots__ = ("expires_at", "key", "octets", "parts", "refused", "seen", "stopped", "total")

    def __init__(self, key: Key, total: int, expires_at: float) -> None:
        self.key = key
        self.total = total
        self.expires_at = expires_at
        self.parts: dict[int, Part] = {}
        self.seen: set[int] = set()
        self.octets = 0
        self.stopped: Finding | None = None
        self.refused: Finding | None = None

    @property
    def is_whole(self) -> bool:
        """Tell whether every part of this round was seen."""
        return len(self.seen) >= self.total

    def texts(self, number: int, part: Part) -> tuple[str, ...]:
        """Return the readings of `part`, number `number`, between the parts beside it.

        A character may be cut between two parts, so octets are joined; and a part may end in
        half a character that phones drop, so texts are joined as well.
        """
        before, after = self._beside(number, -1), self._beside(number, 1)
        left = [p.octets[max(0, len(p.octets) - _REACH_OCTETS) & ~1 :] for p in reversed(before)]
        right = [p.octets[:_REACH_OCTETS] for p in after]
        octets = b"".join((*left, part.octets, *right))
        best = _joined([p.best for p in reversed(before)], part.best, [p.best for p in after])
        announced = _joined(
            [p.announced for p in reversed(before)], part.announced, [p.announced for p in after]
        )
        return tuple(dict.fromkeys((*readings(octets, part.data_coding), best, announced)))

    def _beside(self, number: int, step: int) -> list[Part]:
        """Return the unbroken run of parts on one side, the nearest first."""
        run: list[Part] = []
        octets = 0
        while octets < _REACH_OCTETS and (part := self.parts.get(number + step)) is not None:
            number += step
            octets += len(part.octets)
            run.append(part)
        return run


class Added(NamedTuple):
    """A part that was taken into its message, or was there already.

    `is_conflict` tells that one of this round with another text was.
    """

    joint: Joint
    is_new: bool
    is_conflict: bool


class Parts:
    """All long messages under way, bounded in number and octets, forgotten after `ttl_s`.

    The bound is 100 000 messages and 64 MiB, a quarter of it for one sender; past it a part
    is refused as overload rather than judged without its neighbours. Messages that are whole
    and clean are remembered while nobody else needs their place.
    """

    def __init__(self, ttl_s: float, maximum: int = 100_000, max_octets: int = 64 << 20) -> None:
        self.ttl_s = ttl_s
        self._maximum = maximum
        self._max_octets = max_octets
        self._octets = 0
        self._under_way: dict[Key, Joint] = {}
        self._whole: dict[Key, Joint] = {}
        self._shares: dict[str, list[int]] = {}  # sender: its messages under way, their octets

    def __len__(self) -> int:
        return len(self._under_way) + len(self._whole)

    def units_of(self, owner: Owner, concat: Concat, now: float) -> int:
        """Return the tokens that a part costs: all of the message's, none, or one.

        One for a part sent again, or a sender could repeat it for nothing.
        """
        joint = self._find(_key(owner, concat), now)
        if joint is None or not joint.seen:
            return concat.total
        return int(concat.number in joint.seen)

    def add(self, owner: Owner, concat: Concat, part: Part, now: float) -> Added | None:
        """Take a part into its message.

        Returns None when there is no room. The kind of the reference does not count: phones
        compare the number alone.
        """
        key = _key(owner, concat)
        joint = self._find(key, now)
        if joint is not None and concat.number in joint.seen:
            is_conflict = joint.parts[concat.number] != part
            return Added(joint, is_new=False, is_conflict=is_conflict)
        last_round = self._whole.pop(key, None)
        is_new = key not in self._under_way
        if not self._make_room(owner[0], part.cost_octets, is_new=is_new):
            if last_round is not None:
                self._whole[key] = last_round
            return None
        if joint is None:
            joint = Joint(key, concat.total, 0.0)
        if is_new:
            self._open(joint, now)
        if not joint.seen:
            joint.refused = None
        before = joint.parts.get(concat.number)
        self._grow(joint, part.cost_octets - (before.cost_octets if before is not None else 0))
        joint.parts[concat.number] = part
        joint.seen.add(concat.number)
        return Added(joint, is_new=True, is_conflict=False)

    def withdraw(self, joint: Joint, number: int) -> None:
        """Take a part that was refused out of its round: sent again, it is a new one.

        Its octets stay until others come in their place.
        """
        joint.seen.discard(number)

    def settle(self, joint: Joint, now: float) -> None:
        """End the round of a message that is whole and clean."""
        if not joint.is_whole or self._under_way.get(joint.key) is not joint:
            return
        self._close(joint)
        joint.seen.clear()
        joint.expires_at = now + self.ttl_s
        self._whole[joint.key] = joint

    def expire(self, now: float) -> None:
        """Forget what is older than `ttl_s`; the tables are in order of arrival."""
        for table in (self._under_way, self._whole):
            while table:
                joint = next(iter(table.values()))
                if joint.expires_at > now:
                    break
                self._forget(joint)

    def _find(self, key: Key, now: float) -> Joint | None:
        joint = self._under_way.get(key) or self._whole.get(key)
        if joint is not None and joint.expires_at <= now:
            self._forget(joint)
            return None
        return joint

    def _make_room(self, sender: str, octets: int, *, is_new: bool) -> bool:
        """Forget whole messages until a part fits; return whether it does now."""
        while self._is_full(octets, is_new=is_new):
            oldest = next(iter(self._whole.values()), None)
            if oldest is None:
                return False
            self._forget(oldest)
        count, held = self._shares.get(sender, (0, 0))
        is_crowded = is_new and count >= max(1, self._maximum // _SHARES)
        return not is_crowded and held + octets <= self._max_octets // _SHARES

    def _is_full(self, octets: int, *, is_new: bool) -> bool:
        return (is_new and len(self) >= self._maximum) or self._octets + octets > self._max_octets

    def _open(self, joint: Joint, now: float) -> None:
        joint.expires_at = now + self.ttl_s
        self._under_way[joint.key] = joint
        share = self._shares.setdefault(joint.key[0][0], [0, 0])
        share[0] += 1
        share[1] += joint.octets

    def _close(self, joint: Joint) -> None:
        del self._under_way[joint.key]
        sender = joint.key[0][0]
        share = self._shares[sender]
        share[0] -= 1
        share[1] -= joint.octets
        if not share[0]:
            del self._shares[sender]

    def _grow(self, joint: Joint, octets: int) -> None:
        joint.octets += octets
        self._octets += octets
        self._shares[joint.key[0][0]][1] += octets

    def _forget(self, joint: Joint) -> None:
        self._octets -= joint.octets
        if self._under_way.get(joint.key) is joint:
            self._close(joint)
        else:
            del self._whole[joint.key]


def _key(owner: Owner, concat: Concat) -> Key:
    return owner, concat.reference, concat.total


def _joined(before: list[str], text: str, after: list[str]) -> str:
    left = (piece[-_REACH_OCTETS:] for piece in before)
    right = (piece[:_REACH_OCTETS] for piece in after)
    return "".join((*left, text, *right))
