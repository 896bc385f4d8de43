"""Campaigns: the same text, as it is or changed, sent to many people within a window."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

from gateway.filter.bands import BandIndex
from gateway.filter.crowd import SET_BACK, SLOTS, Crowd, bit_of
from gateway.filter.fingerprints import Fingerprint

BANDS = 8  # of two signs each

_BUCKETS_PER_CAMPAIGN = 4
_ALIASES = 8
_SENDERS = 16


@dataclass(frozen=True, slots=True)
class CampaignLimits:
    """How far campaigns are followed.

    Messages of the last `window_s` count, in steps of a quarter of it. Texts whose estimated
    Jaccard similarity reaches `agreeing` of 64 are one campaign. At most `campaigns` are kept:
    the one that rested longest makes room. Where several senders send one campaign, those after
    the first are told apart as long as there are `sender_crowds` left for that; beyond them
    only the campaign as a whole is counted. With these figures 41 MB when each campaign has
    one message, 95 MB at the very most.
    """

    window_s: float = 3_600.0
    agreeing: int = 22
    campaigns: int = 16_384
    sender_crowds: int = 16_384


class CampaignSeen(NamedTuple):
    """What is known of a campaign as of one message of it, that message included.

    `id` is the same in every process and after every restart for a campaign that begins with
    the same text. `senders` and `recipients` are those within the window, across all senders;
    `without_consent` of the recipients had none. `from_sender` and `from_sender_without` are the
    recipients of this message's own sender. `senders` stops at 16.
    """

    id: str
    senders: int
    recipients: int
    without_consent: int
    from_sender: int
    from_sender_without: int


class _Campaign:
    __slots__ = ("aliases", "crowd", "filled", "id", "senders", "slot")

    def __init__(self, name: str, slot: int, crowd: Crowd) -> None:
        self.id = name
        self.slot = slot
        self.crowd = crowd
        self.senders: dict[str, Crowd] = {}
        self.aliases: list[int] = []
        self.filled: int | None = None  # the step that alone has as many as are asked about

    @property
    def extra_crowds(self) -> int:
        return max(0, len(self.senders) - 1)


class Campaigns:
    """All campaigns that one process sees. Not for more than one thread.

    A text that was seen costs 2 us, one that is new 6 us; its fingerprint comes on top.
    """

    def __init__(self, limits: CampaignLimits | None = None) -> None:
        self._limits = limits or CampaignLimits()
        self._step_s = self._limits.window_s / SLOTS
        kept = max(1, self._limits.campaigns)
        self._index = BandIndex(kept)
        self._free = list(range(kept))
        self._by_slot: OrderedDict[int, _Campaign] = OrderedDict()
        self._by_skeleton: dict[int, _Campaign] = {}
        self._crowds_left = self._limits.sender_crowds

    def __len__(self) -> int:
        return len(self._by_slot)

    def see(
        self, text: Fingerprint, sender: str, recipient: int, now: float, *, has_consent: bool
    ) -> CampaignSeen:
        """Count one message of `sender` to `recipient`, and return the state of its campaign.

        `recipient` is the whole number; it is kept as one bit of 1024. Never raises.
        """
        step = int(now // self._step_s)
        campaign = self._by_skeleton.get(text.skeleton)
        if campaign is None:
            campaign = self._named(text, step)
        self._by_slot.move_to_end(campaign.slot)
        bit = bit_of(recipient)
        own = campaign.senders.get(sender) or self._sender_crowd(campaign, sender, step)
        own.add(step, bit, has_consent=has_consent)
        people, without = own.people(), own.without_consent()
        whole = campaign.crowd
        if own is whole:  # nobody else ever sent it
            return CampaignSeen(campaign.id, 1, people, without, people, without)
        whole.add(step, bit, has_consent=has_consent)
        return CampaignSeen(
            campaign.id,
            _senders_of(campaign),
            whole.people(),
            whole.without_consent(),
            people,
            without,
        )

    def reaches(self, text: Fingerprint, people: int, recipient: int, now: float) -> str | None:
        """Count one message without consent; return the campaign if that makes `people` of them.

        As `see`, of whatever sender, for those who ask nothing else: `people` must always be the
        same. Once a step has as many by itself it is not counted on: 0.6 us.
        """
        step = int(now // self._step_s)
        campaign = self._by_skeleton.get(text.skeleton)
        if campaign is None:
            campaign = self._named(text, step)
        self._by_slot.move_to_end(campaign.slot)
        crowd = campaign.crowd
        if step <= crowd.newest == campaign.filled and crowd.newest - step <= SET_BACK:
            return campaign.id
        crowd.add(step, bit_of(recipient), has_consent=False)
        if crowd.without_consent() < people:
            return None
        if crowd.without_consent_in_newest() >= people:
            campaign.filled = crowd.newest
        return campaign.id

    def _named(self, text: Fingerprint, step: int) -> _Campaign:
        """Return the campaign that `text` is a variant of, or begin one; it goes by it from now."""
        if text.signs is None:
            return self._begun(text.skeleton, step)
        slot, agreeing = self._index.most_alike(text.signs)
        if agreeing >= self._limits.agreeing:
            campaign = self._by_slot[slot]
            self._name(campaign, text.skeleton)
            return campaign
        # Only the first text is compared with: were its variants too, campaigns would drift
        # into each other.
        campaign = self._begun(text.skeleton, step)
        self._index.put(campaign.slot, text.signs)
        return campaign

    def _begun(self, skeleton: int, step: int) -> _Campaign:
        if not self._free:
            self._end_longest_rested()
        slot = self._free.pop()
        campaign = _Campaign(f"c{skeleton:016x}", slot, Crowd(step))
        self._by_slot[slot] = campaign
        self._name(campaign, skeleton)
        return campaign

    def _end_longest_rested(self) -> None:
        slot, campaign = self._by_slot.popitem(last=False)
        for skeleton in campaign.aliases:
            del self._by_skeleton[skeleton]
        self._crowds_left += campaign.extra_crowds
        self._index.clear(slot)
        self._free.append(slot)

    def _name(self, campaign: _Campaign, skeleton: int) -> None:
        # A text that changes with every message must not fill the memory with its names.
        if len(campaign.aliases) == _ALIASES:
            # But the first stays, for it is the id: no other campaign may begin with it.
            del self._by_skeleton[campaign.aliases.pop(1)]
        campaign.aliases.append(skeleton)
        self._by_skeleton[skeleton] = campaign

    def _sender_crowd(self, campaign: _Campaign, sender: str, step: int) -> Crowd:
        """Return a new crowd for `sender`; when there is room for no more, one that is not kept.

        The first sender's is that of the whole campaign, until there is a second.
        """
        if not campaign.senders:
            campaign.senders[sender] = campaign.crowd
            return campaign.crowd
        if len(campaign.senders) == _SENDERS:
            self._forget_rested_senders(campaign)
        if campaign.crowd in campaign.senders.values():
            campaign.crowd = campaign.crowd.copy()
        crowd = Crowd(step)
        if len(campaign.senders) < _SENDERS and (self._crowds_left or not campaign.senders):
            self._crowds_left += campaign.extra_crowds
            campaign.senders[sender] = crowd
            self._crowds_left -= campaign.extra_crowds
        return crowd

    def _forget_rested_senders(self, campaign: _Campaign) -> None:
        passed = campaign.crowd.newest - SLOTS
        self._crowds_left += campaign.extra_crowds
        campaign.senders = {
            sender: crowd for sender, crowd in campaign.senders.items() if crowd.newest > passed
        }
        self._crowds_left -= campaign.extra_crowds


def _senders_of(campaign: _Campaign) -> int:
    if len(campaign.senders) < 2:
        return 1
    passed = campaign.crowd.newest - SLOTS
    return sum([crowd.newest > passed for crowd in campaign.senders.values()])
