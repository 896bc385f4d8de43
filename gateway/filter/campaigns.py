"""Campaigns: the same text, as it is or changed, sent to many people within a window."""

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from gateway.filter.bands import BandIndex
from gateway.filter.crowd import SET_BACK, SLOTS, Crowd, bit_of
from gateway.filter.fair_shares import FairShares
from gateway.filter.fingerprints import Fingerprint

_ALIASES = 8
_ALL_BITS = (1 << 64) - 1
_FEW = 2  # people: nearly every text that is to one alone never gets further


@dataclass(frozen=True, slots=True)
class CampaignLimits:
    """How far campaigns are followed.

    Messages of the last `window_s` count, in steps of a quarter of it. Texts whose estimated
    Jaccard similarity reaches `agreeing` of 64 are one campaign. At most `campaigns` are kept,
    two at least: a quarter is for those that reached one or two people only, and these make
    room first. Of either kind the one ends that rested longest, of those that the sender began
    who has most of them: nobody takes the room of others. With these figures 23 MB when each
    campaign has one message, 40 MB at the very most. With `each_sender` what another sends is
    another campaign, of the same id if it begins with the same text.
    """

    window_s: float = 3_600.0
    agreeing: int = 22
    campaigns: int = 16_384
    each_sender: bool = False


class _Campaign:
    __slots__ = ("aliases", "among", "crowd", "filled", "id", "is_large", "sender", "slot")

    def __init__(self, name: str, slot: int, sender: str, crowd: Crowd) -> None:
        self.id = name
        self.slot = slot
        self.sender = sender  # who began it
        self.crowd = crowd
        self.among: OrderedDict[_Campaign, None] = OrderedDict()
        self.aliases: list[int] = []
        self.is_large = False
        self.filled: int | None = None  # the step that alone has as many as are asked about


class Campaigns:
    """All campaigns that one process sees. Not for more than one thread."""

    def __init__(self, limits: CampaignLimits | None = None, veil: int = 0) -> None:
        """Count people by their numbers under `veil`, a secret for whoever may not choose them."""
        self._limits = limits or CampaignLimits()
        self._veil = veil
        self._step_s = self._limits.window_s / SLOTS
        kept = max(2, self._limits.campaigns)
        self._index = BandIndex(kept)
        self._free = list(range(kept))
        self._by_slot: dict[int, _Campaign] = {}
        self._by_skeleton: dict[int, _Campaign] = {}
        self._small: FairShares[_Campaign] = FairShares()
        self._large: FairShares[_Campaign] = FairShares()
        self._large_at_most = kept - max(1, kept // 4)

    def __len__(self) -> int:
        return len(self._by_slot)

    def reaches(
        self, text: Fingerprint, sender: str, people: int, recipient: int, now: float
    ) -> str | None:
        """Count one message of `sender`; return the campaign if that makes `people` of them.

        Of whatever sender they are, unless each is counted: `people` must always be the same.
        The id that is returned is the same in every process and after every restart for a
        campaign that begins with the same text. `recipient` is the whole number; it is kept as
        one bit of 1024. Once a step has as many by itself it is not counted on: 0.6 us. Never
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
        """Return the step that a moment lies in: people are counted by steps."""
        return int(now // self._step_s)

    @property
    def is_by_second(self) -> bool:
        """Tell whether all moments of one second lie in one step."""
        return self._step_s.is_integer()

    def is_filled(self, text: Fingerprint, sender: str, now: float) -> bool:
        """Tell whether the campaign that `reaches` just told is not counted on in this step.

        Until the step ends the answer for `text` is the same, and may be kept; of `sender`
        alone, where each is counted.
        """
        campaign = self._by_skeleton.get(text.skeleton ^ self._mark_of(sender))
        return campaign is not None and campaign.filled == self.step_of(now)

    def _mark_of(self, sender: str) -> int:
        """Return what the skeleton and the signs of a text are marked with: no two senders' meet.

        Signs that are equal stay so under one mark, so that variants are found as they are.
        """
        return hash(sender) & _ALL_BITS if self._limits.each_sender else 0

    def _named(self, text: Fingerprint, mark: int, sender: str, step: int) -> _Campaign:
        """Return the campaign that `text` is a variant of, or begin one; it goes by it from now."""
        if text.signs is None:
            return self._begun(text.skeleton, mark, sender, step)
        signs = text.signs ^ np.uint32(mark >> 32) if mark else text.signs
        slot, agreeing = self._index.most_alike(signs)
        if agreeing >= self._limits.agreeing:
            campaign = self._by_slot[slot]
            self._name(campaign, text.skeleton ^ mark)
            return campaign
        # Only the first text is compared with: were its variants too, campaigns would drift
        # into each other.
        campaign = self._begun(text.skeleton, mark, sender, step)
        self._index.put(campaign.slot, signs)
        return campaign

    def _begun(self, skeleton: int, mark: int, sender: str, step: int) -> _Campaign:
        if not self._free:
            self._end(self._small, self._small.longest_rested(sender))
        slot = self._free.pop()
        campaign = _Campaign(f"c{skeleton:016x}", slot, sender, Crowd(step))
        campaign.among = self._small.add(sender, campaign)
        self._by_slot[slot] = campaign
        self._name(campaign, skeleton ^ mark)
        return campaign

    def _keep_as_large(self, campaign: _Campaign) -> None:
        sender = campaign.sender
        self._small.remove(sender, campaign)
        if len(self._large) >= self._large_at_most:
            self._end(self._large, self._large.longest_rested(sender))
        campaign.is_large = True
        campaign.among = self._large.add(sender, campaign)

    def _end(self, kept: FairShares[_Campaign], campaign: _Campaign) -> None:
        kept.remove(campaign.sender, campaign)
        for skeleton in campaign.aliases:
            del self._by_skeleton[skeleton]
        del self._by_slot[campaign.slot]
        self._index.clear(campaign.slot)
        self._free.append(campaign.slot)

    def _name(self, campaign: _Campaign, skeleton: int) -> None:
        # A text that changes with every message must not fill the memory with its names.
        if len(campaign.aliases) == _ALIASES:
            # But the first stays, for it is the id: no other campaign may begin with it.
            del self._by_skeleton[campaign.aliases.pop(1)]
        campaign.aliases.append(skeleton)
        self._by_skeleton[skeleton] = campaign
