"""Campaigns: the same text, as it is or changed, sent to many people within a window."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from math import log
from typing import Generic, TypeVar

import numpy as np

from gateway.filter.fingerprints import SIGNS, Fingerprint, Signs
from gateway.kernel import fingerprint_loops
from gateway.kernel.fingerprint_loops import BANDS, NONE

SLOTS = 4
SET_BACK = 4 * SLOTS  # no message is as late as that
BITS = 1_024
_SPREAD = 0x9E37_79B9_7F4A_7C15


def campaign_id(text: Fingerprint) -> str:
    """Return the id of a campaign that begins with `text`; the same in every process."""
    return _id_of(text.skeleton)


def _id_of(skeleton: int) -> str:
    return f"c{skeleton:016x}"


def _estimates() -> tuple[int, ...]:
    # Linear counting: of n people a share of exp(-n / BITS) of the bits stays unset.
    some = [round(-BITS * log(1 - count / BITS)) for count in range(BITS)]
    return (*some, 1 << 62)  # all bits are set: more than can be told


_ESTIMATES = _estimates()


def bit_of(number: int) -> int:
    """Return the mark of one person, for `Crowd.add`; numbers in a row get scattered ones."""
    return 1 << ((number * _SPREAD & 0xFFFF_FFFF_FFFF_FFFF) >> 54)


class Crowd:
    """Counts distinct people over the last SLOTS slots of time.

    Exact for the first tens (twice in a hundred crowds of 64 one short or over), within 3 % at
    1000 and 8 % at 5000; from some 7000 on each message counts for one more. 1.1 KB at most.
    `newest` is the slot of the newest message.
    """

    __slots__ = ("_messages", "_people", "newest")

    def __init__(self, slot: int) -> None:
        self.newest = slot
        self._people = [0] * SLOTS
        self._messages = [0] * SLOTS

    def add(self, slot: int, bit: int) -> None:
        """Count one message in time `slot`; an earlier slot than the newest counts as that.

        Unless it is far earlier: a clock that was wrong was put right, and all begins anew.
        """
        if slot > self.newest:
            self._pass_to(slot)
        elif self.newest - slot > SET_BACK:
            self.newest = slot
            self._people[:] = self._messages[:] = [0] * SLOTS
        place = self.newest % SLOTS
        self._people[place] |= bit
        self._messages[place] += 1

    def people(self) -> int:
        """Return how many people got it, as of the newest message."""
        first, second, third, fourth = self._people
        estimate = _ESTIMATES[(first | second | third | fourth).bit_count()]
        return min(estimate, sum(self._messages))

    def people_in_newest(self) -> int:
        """Return how many got it in the newest slot alone."""
        place = self.newest % SLOTS
        return min(_ESTIMATES[self._people[place].bit_count()], self._messages[place])

    def _pass_to(self, slot: int) -> None:
        for passed in range(max(self.newest + 1, slot - SLOTS + 1), slot + 1):
            self._people[passed % SLOTS] = self._messages[passed % SLOTS] = 0
        self.newest = slot


T = TypeVar("T", bound=Hashable)


class FairShares(Generic[T]):
    """Things of many senders, each sender's in order of last use, the oldest first.

    A sender never loses anything because of a sender that has as much or more. So among n
    senders, one with at most 1/n of all things loses nothing to others. The time of a call does
    not depend on how many things there are.
    """

    def __init__(self) -> None:
        self._of: dict[str, OrderedDict[T, None]] = {}
        self._by_size: dict[int, dict[str, None]] = {}
        self._most = 0  # that any sender has
        self._kept = 0

    def __len__(self) -> int:
        return self._kept

    def add(self, sender: str, one: T) -> OrderedDict[T, None]:
        """Keep one thing of a sender; return all its things: move a used one to the end there."""
        own = self._of.setdefault(sender, OrderedDict())
        own[one] = None
        self._kept += 1
        self._resize(sender, len(own) - 1, len(own))
        return own

    def remove(self, sender: str, one: T) -> None:
        """Forget one thing of a sender."""
        own = self._of[sender]
        del own[one]
        self._kept -= 1
        self._resize(sender, len(own) + 1, len(own))
        if not own:
            del self._of[sender]

    def longest_rested(self, sender: str) -> T:
        """Return what must go to make room for one more of `sender`; not for an empty table.

        It is `sender`'s own unless another sender has more.
        """
        if len(self._of.get(sender, ())) < self._most:
            sender = next(iter(self._by_size[self._most]))
        return next(iter(self._of[sender]))

    def _resize(self, sender: str, before: int, after: int) -> None:
        if before:
            alike = self._by_size[before]
            del alike[sender]
            if not alike:
                del self._by_size[before]
        if after:
            self._by_size.setdefault(after, {})[sender] = None
        if after > self._most or self._most not in self._by_size:
            self._most = after


_BUCKETS_PER_TEXT = 4
_ALIASES = 8
_ALL_BITS = (1 << 64) - 1
_FEW = 2  # people: nearly every text to one person never goes to more


class BandIndex:
    """The signs of at most `texts` texts, each in a slot that the caller numbers from 0.

    A bucket holds the text that came first of those that are there: with all slots taken, a text
    finds one in four of its sixteen buckets held by others, and keeps the rest however many come
    after it. One that would have less than half of them takes of those that have more. Takes
    512 octets a text, all of them at once.
    """

    def __init__(self, texts: int) -> None:
        self._signs = np.zeros((texts, SIGNS), np.uint32)
        self._slots = np.full(BANDS * texts * _BUCKETS_PER_TEXT, NONE, np.int32)

    def most_alike(self, signs: Signs) -> tuple[int, int]:
        """Return the slot of the likest text found and how many signs agree, or (-1, 0)."""
        return fingerprint_loops.most_alike(signs, self._signs, self._slots)

    def put(self, slot: int, signs: Signs) -> None:
        """Put a text into `slot`; what stood there is not found any more."""
        fingerprint_loops.put(signs, slot, self._signs, self._slots)

    def clear(self, slot: int) -> None:
        """Empty `slot`. Buckets that still name it find signs that agree with no text's."""
        self._signs[slot] = 0


@dataclass(frozen=True, slots=True)
class CampaignLimits:
    """How far campaigns are followed.

    - `window_s`: messages of this time count, in steps of a quarter of it.
    - `agreeing`: texts are one campaign if at least so many of 64 signs agree (the estimated
      Jaccard similarity).
    - `campaigns`: so many are kept, at least two. A quarter is for campaigns that reached one or
      two people only, and these make room first. Of each kind, the sender with the most campaigns
      loses the one that was unused longest, so no sender takes the room of others. With the
      defaults 23 MB if each campaign has one message, 40 MB at most.
    - `each_sender`: campaigns are separate by sender; their id is the same if they begin with the
      same text.
    """

    window_s: float = 3_600.0
    agreeing: int = 22
    campaigns: int = 16_384
    each_sender: bool = False


@dataclass(slots=True, eq=False)
class _CampaignState:
    id: str
    slot: int
    sender: str  # who began it
    crowd: Crowd
    among: "OrderedDict[_CampaignState, None]" = field(default_factory=OrderedDict)
    aliases: list[int] = field(default_factory=list)
    is_large: bool = False
    filled: int | None = None  # the step that alone has reached `people`


_USUAL = CampaignLimits()


def are_alike(one: Fingerprint, other: Fingerprint) -> bool:
    """Tell whether two texts are of one campaign, with the usual limits."""
    if one.skeleton == other.skeleton:
        return True
    if one.signs is None or other.signs is None:
        return False
    return int((one.signs == other.signs).sum()) >= _USUAL.agreeing


class Campaigns:
    """All campaigns that one process sees. Not thread-safe."""

    def __init__(self, limits: CampaignLimits | None = None, veil: int = 0) -> None:
        """Count people by their number XOR `veil`.

        `veil` is secret: with it a sender could choose numbers that share a bit.
        """
        self._limits = limits or CampaignLimits()
        self._veil = veil
        self._step_s = self._limits.window_s / SLOTS
        kept = max(2, self._limits.campaigns)
        self._index = BandIndex(kept)
        self._free = list(range(kept))
        self._by_slot: dict[int, _CampaignState] = {}
        self._by_skeleton: dict[int, _CampaignState] = {}
        self._small: FairShares[_CampaignState] = FairShares()
        self._large: FairShares[_CampaignState] = FairShares()
        self._large_at_most = kept - max(1, kept // 4)

    def __len__(self) -> int:
        return len(self._by_slot)

    def reaches(
        self, text: Fingerprint, sender: str, people: int, recipient: int, now: float
    ) -> str | None:
        """Count one message of `sender`; return the campaign's id once it reaches `people` people.

        Messages of all senders count, unless `each_sender` is set. `people` must always be the
        same. A campaign that begins with the same text has the same id in every process and after
        every restart. `recipient` is the whole number; it is kept as one bit of 1024. Once a step
        alone has reached `people`, later messages of that step are not counted: 0.6 us. Never
        raises.
        """
        step = int(now // self._step_s)
        mark = self._mark_of(sender)
        campaign = self._by_skeleton.get(text.skeleton ^ mark)
        if campaign is None:
            campaign = self._named(text, mark, sender, step)
        campaign.among.move_to_end(campaign)
        crowd = campaign.crowd
        if step <= crowd.newest == campaign.filled and crowd.newest - step <= SET_BACK:
            return campaign.id
        crowd.add(step, bit_of(recipient ^ self._veil))
        reached = crowd.people()
        if reached > _FEW and not campaign.is_large:
            self._keep_as_large(campaign)
        if reached < people:
            return None
        if crowd.people_in_newest() >= max(people, _FEW + 1):
            campaign.filled = crowd.newest
        return campaign.id

    def step_of(self, now: float) -> int:
        """Return the step that a moment is in: people are counted by step."""
        return int(now // self._step_s)

    @property
    def is_by_second(self) -> bool:
        """Tell whether all moments of one second are in one step."""
        return self._step_s.is_integer()

    def is_filled(self, text: Fingerprint, sender: str, now: float) -> bool:
        """Tell whether the campaign that `reaches` just returned is full for this step.

        Until the step ends its messages are not counted: the answer for `text` stays the same and
        may be cached; for `sender` alone if `each_sender` is set.
        """
        campaign = self._by_skeleton.get(text.skeleton ^ self._mark_of(sender))
        return campaign is not None and campaign.filled == self.step_of(now)

    def _mark_of(self, sender: str) -> int:
        """Return a mark for the skeleton and the signs of a text, different for every sender.

        Equal signs stay equal under one mark, so that variants of a text are still found.
        """
        return hash(sender) & _ALL_BITS if self._limits.each_sender else 0

    def _named(self, text: Fingerprint, mark: int, sender: str, step: int) -> _CampaignState:
        """Return the campaign that `text` is a variant of, or begin one; remember its skeleton."""
        if text.signs is None:
            return self._begun(text.skeleton, mark, sender, step)
        signs = text.signs ^ np.uint32(mark >> 32) if mark else text.signs
        slot, agreeing = self._index.most_alike(signs)
        if agreeing >= self._limits.agreeing:
            campaign = self._by_slot[slot]
            self._name(campaign, text.skeleton ^ mark)
            return campaign
        # Texts are compared with the first text only: if they were compared with its variants
        # too, campaigns would drift into each other.
        campaign = self._begun(text.skeleton, mark, sender, step)
        self._index.put(campaign.slot, signs)
        return campaign

    def _begun(self, skeleton: int, mark: int, sender: str, step: int) -> _CampaignState:
        if not self._free:
            self._end(self._small, self._small.longest_rested(sender))
        slot = self._free.pop()
        campaign = _CampaignState(_id_of(skeleton), slot, sender, Crowd(step))
        campaign.among = self._small.add(sender, campaign)
        self._by_slot[slot] = campaign
        self._name(campaign, skeleton ^ mark)
        return campaign

    def _keep_as_large(self, campaign: _CampaignState) -> None:
        sender = campaign.sender
        self._small.remove(sender, campaign)
        if len(self._large) >= self._large_at_most:
            self._end(self._large, self._large.longest_rested(sender))
        campaign.is_large = True
        campaign.among = self._large.add(sender, campaign)

    def _end(self, kept: FairShares[_CampaignState], campaign: _CampaignState) -> None:
        kept.remove(campaign.sender, campaign)
        for skeleton in campaign.aliases:
            del self._by_skeleton[skeleton]
        del self._by_slot[campaign.slot]
        self._index.clear(campaign.slot)
        self._free.append(campaign.slot)

    def _name(self, campaign: _CampaignState, skeleton: int) -> None:
        # A text that changes with every message must not fill the memory with aliases.
        if len(campaign.aliases) == _ALIASES:
            # But the first stays, because it is the id: no other campaign may begin with it.
            del self._by_skeleton[campaign.aliases.pop(1)]
        campaign.aliases.append(skeleton)
        self._by_skeleton[skeleton] = campaign
