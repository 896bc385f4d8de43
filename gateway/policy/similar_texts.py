"""Much the same text to many people who never agreed (R61)."""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple, Self

from gateway.filter.campaigns import CampaignLimits, Campaigns
from gateway.filter.facts import TextFacts
from gateway.filter.fingerprints import Fingerprint, fingerprint_of
from gateway.filter.views import Views
from gateway.policy.checks.consent import perhaps_not_agreed
from gateway.policy.checks.counter import Against
from gateway.policy.evidence import Evidence
from gateway.policy.knowledge import Knowledge
from gateway.policy.rules import Campaign
from gateway.policy.submission import Submission

# Of campaigns that reached the limit; a thousand at a time is exceptional.
_MAX_TOLD = 2048


class _StepEvidence(NamedTuple):
    """The evidence for a text that is not counted any more in a step: its campaign is full.

    If senders are counted separately, it holds for one sender only.
    """

    of: Campaigns
    sender: str
    step: int
    evidence: Evidence

    def is_of(self, campaigns: Campaigns, sender: str, step: int) -> bool:
        return self.step == step and self.of is campaigns and self.sender == sender


class CampaignCheck:
    """Counts messages without consent by the campaign of their text.

    It counts across all senders, or each sender separately.

    The parts of a long message are texts that grow; texts with the same beginning are one campaign.
    """

    __slots__ = (
        "_accepts",
        "_campaigns",
        "_check",
        "_consent",
        "_people",
        "_sieve",
        "_told",
        "is_by_second",
    )

    gives_back: ClassVar[bool] = False

    def __init__(self, check: Campaign, knowledge: Knowledge) -> None:
        self._check = check
        self._accepts, self._people = check.accept_asserted, check.people
        self._consent = knowledge.consent
        # Subscribers who agreed do not count; where consent is enforced, these are most.
        self._sieve = perhaps_not_agreed(knowledge)
        limits = CampaignLimits(check.within.total_seconds(), each_sender=check.each_sender)
        self._campaigns = Campaigns(limits, knowledge.veil)
        self.is_by_second = self._campaigns.is_by_second
        self._told: dict[str, Evidence] = {}

    def ask_all(self, submissions: Sequence[Submission], at: float) -> Against:
        """Count messages; return those over the limit of people without consent."""
        campaigns, step = self._campaigns, self._campaigns.step_of(at)
        against = []
        sender, counted, may_have_agreed = "", "", True
        for one in self._sieve(submissions, at):
            facts, number = one.facts, one.msisdn
            if facts is None or number is None or one.is_wanted:
                continue
            if one.account.system_id != sender:
                sender = one.account.system_id
                counted = sender if self._check.each_sender else ""
                may_have_agreed = self._may_have_agreed(sender)
            if may_have_agreed and self._has_agreed(sender, number):
                continue
            massed = facts.massed
            if isinstance(massed, _StepEvidence) and massed.is_of(campaigns, counted, step):
                against.append((one, massed.evidence))
                continue
            evidence = self._count(facts, sender, number, at)
            if evidence is not None:
                against.append((one, evidence))
        return against

    def _may_have_agreed(self, sender: str) -> bool:
        """Tell whether any subscriber may have agreed in another way than by an own answer."""
        consent = self._consent
        # Until the sets are current, the sieve drops no message.
        return not consent.is_current or sender in consent.subscribed or sender in consent.asserted

    def _has_agreed(self, sender: str, number: int) -> bool:
        return self._consent.has_agreed(sender, number, accept_asserted=self._accepts)

    def _count(self, facts: TextFacts, sender: str, number: int, at: float) -> Evidence | None:
        if not any(facts.texts):
            return None
        fingerprint = facts.fingerprint
        if not isinstance(fingerprint, Fingerprint):
            fingerprint = _noted(facts)
        campaigns = self._campaigns
        campaign = campaigns.reaches(fingerprint, sender, self._people, number, at)
        if campaign is None:
            return None
        evidence = self._told.get(campaign) or self._tell(campaign)
        if campaigns.is_filled(fingerprint, sender, at):
            counted = sender if self._check.each_sender else ""
            facts.massed = _StepEvidence(campaigns, counted, campaigns.step_of(at), evidence)
        return evidence

    def _tell(self, campaign: str) -> Evidence:
        if len(self._told) >= _MAX_TOLD:
            self._told.clear()
        whose = "one text of this sender" if self._check.each_sender else "one text"
        said = f"{whose} to {self._check.people} people without consent: campaign {campaign}"
        evidence = self._told[campaign] = Evidence(said, campaign=campaign)
        return evidence

    def forget(self, submission: Submission, at: float) -> None:
        """Keep the count: a sender that is rejected still sends to many."""

    def adopt(self, before: Self) -> None:
        """Go on with the campaigns of `before`, if its check is the same."""
        if before._check == self._check:
            self._campaigns = before._campaigns


def _noted(facts: TextFacts) -> Fingerprint:
    fingerprint = facts.fingerprint = fingerprint_of(Views(facts.texts[0]).sound)
    return fingerprint
