"""The parts of long messages seen so far: each is judged with the text before and after it."""

from collections.abc import Hashable

from gateway.domain.verdict import Finding
from gateway.smpp.text import readings
from gateway.smpp.udh import Concat

# How many parts to either side a part is read together with. A message may have 255 parts;
# joining all of them for each would let one sender buy 250 times its share of the CPU.
_REACH = 32


class Joint:
    """One long message while its parts arrive, in any order, on any bind of the sender.

    Its first part is charged for all of them. Once `stopped` by a finding, every later part
    is stopped by the same: the handset never assembles it.
    """

    __slots__ = ("expires_at", "key", "octets", "pieces", "stopped", "total")

    def __init__(self, key: Hashable, total: int, expires_at: float) -> None:
        self.key = key
        self.total = total
        self.expires_at = expires_at
        self.pieces: dict[int, tuple[int, bytes]] = {}
        self.octets = 0
        self.stopped: Finding | None = None

    @property
    def is_complete(self) -> bool:
        """Tell whether every part was seen."""
        return len(self.pieces) == self.total

    def add(self, number: int, data_coding: int, octets: bytes) -> tuple[int, bool]:
        """Take in a part; return the tokens it costs, and whether it contradicts an earlier one.

        A part sent again costs a token of its own, or a sender could repeat it for nothing.
        """
        before = self.pieces.get(number)
        piece = (data_coding, octets)
        if before is not None:
            return 1, before != piece
        units = 0 if self.pieces else self.total
        self.pieces[number] = piece
        self.octets += len(octets)
        return units, False

    def texts(self, number: int) -> tuple[str, ...]:
        """Return every reading of the unbroken run of parts around `number`."""
        first = last = number
        while first - 1 in self.pieces and number - first < _REACH:
            first -= 1
        while last + 1 in self.pieces and last - number < _REACH:
            last += 1
        run = [self.pieces[n] for n in range(first, last + 1)]
        # A character may be cut between two parts, so octets are joined, not texts.
        octets = b"".join(piece for _, piece in run)
        codings = dict.fromkeys(coding for coding, _ in run)
        found = dict.fromkeys(text for coding in codings for text in readings(octets, coding))
        if len(codings) > 1:
            found["".join(readings(piece, coding)[0] for coding, piece in run if piece)] = None
        return tuple(found)


class Parts:
    """All long messages under way, bounded in number and octets, forgotten after `ttl_s`.

    The bound is 100 000 messages and 64 MiB of text; past it a new long message is refused
    as overload rather than judged without its neighbours.
    """

    def __init__(self, ttl_s: float, maximum: int = 100_000, max_octets: int = 64 << 20) -> None:
        self.ttl_s = ttl_s
        self._maximum = maximum
        self._max_octets = max_octets
        self._octets = 0
        self._joints: dict[Hashable, Joint] = {}

    def __len__(self) -> int:
        return len(self._joints)

    def joint_of(self, owner: Hashable, concat: Concat, now: float) -> Joint | None:
        """Return the message that a part belongs to, a new one if need be, or None when full.

        `owner` names sender, source and subscriber: the same reference of another is another
        message.
        """
        key = (owner, concat.kind, concat.reference, concat.total)
        joint = self._joints.get(key)
        if joint is not None and joint.expires_at > now:
            return joint
        if joint is not None:
            self.forget(joint)
        elif len(self._joints) >= self._maximum or self._octets >= self._max_octets:
            return None
        joint = self._joints[key] = Joint(key, concat.total, now + self.ttl_s)
        return joint

    def add(
        self, joint: Joint, concat: Concat, data_coding: int, octets: bytes
    ) -> tuple[int, bool]:
        """Take a part into its message; see Joint.add."""
        before = joint.octets
        outcome = joint.add(concat.number, data_coding, octets)
        self._octets += joint.octets - before
        return outcome

    def settle(self, joint: Joint, *, admitted: bool) -> None:
        """Forget a message that is whole and clean, or whose first part was not admitted."""
        if not admitted or (joint.is_complete and joint.stopped is None):
            self.forget(joint)

    def forget(self, joint: Joint) -> None:
        """Drop a message; safe to repeat."""
        if self._joints.get(joint.key) is joint:
            del self._joints[joint.key]
            self._octets -= joint.octets

    def expire(self, now: float) -> None:
        """Forget what is older than `ttl_s`; the table is in order of arrival."""
        while self._joints:
            joint = next(iter(self._joints.values()))
            if joint.expires_at > now:
                return
            self.forget(joint)
