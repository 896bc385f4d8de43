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

# Of campaigns that reached the limit; a thousand at a time is a bad day.
_MAX_TOLD = 2048


class _Massed(NamedTuple):
    """That a text is of a campaign which is not counted on in a step: it is told all through it."""

    of: Campaigns
    step: int
    evidence: Evidence


class Massed:
    """Counts messages without consent by the campaign that their text is of, across all senders.

    The parts of a long message are texts that grow; what begins alike is one campaign.
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
        # Who agreed makes no campaign; most have, where consent is enforced.
        self._sieve = perhaps_not_agreed(knowledge)
        limits = CampaignLimits(window_s=check.within.total_seconds())
        self._campaigns = Campaigns(limits, knowledge.veil)
        self.is_by_second = self._campaigns.is_by_second
        self._told: dict[str, Evidence] = {}

    def ask_all(self, submissions: Sequence[Submission], at: float) -> Against:
        """Count messages; return those that are one of too many without consent."""
        campaigns, step = self._campaigns, self._campaigns.step_of(at)
        against = []
        sender, may_have_agreed = "", True
        for one in self._sieve(submissions, at):
            facts, number = one.facts, one.msisdn
            if facts is None or number is None or one.is_wanted:
                continue
            if one.account.system_id != sender:
                sender = one.account.system_id
                may_have_agreed = self._may_have_agreed(sender)
            if may_have_agreed and self._has_agreed(sender, number):
                continue
            massed = facts.massed
            if isinstance(massed, _Massed) and massed.step == step and massed.of is campaigns:
                against.append((one, massed.evidence))
                continue
            evidence = self._count(facts, sender, number, at)
            if evidence is not None:
                against.append((one, evidence))
        return against

    def _may_have_agreed(self, sender: str) -> bool:
        """Tell whether any subscriber agreed in another way than by an answer of their own."""
        consent = self._consent
        # Until the sets are current nobody is sieved out.
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
        if campaigns.is_filled(fingerprint, at):
            facts.massed = _Massed(campaigns, campaigns.step_of(at), evidence)
        return evidence

    def _tell(self, campaign: str) -> Evidence:
        if len(self._told) >= _MAX_TOLD:
            self._told.clear()
        said = f"one text to {self._check.people} people without consent: campaign {campaign}"
        evidence = self._told[campaign] = Evidence(said, campaign=campaign)
        return evidence

    def forget(self, submission: Submission, at: float) -> None:
        """Keep the count: who sends to many and is refused is still sending."""

    def adopt(self, before: Self) -> None:
        """Go on with the campaigns under way, if as many people within the same time count."""
        if before._check == self._check:
            self._campaigns = before._campaigns


def _noted(facts: TextFacts) -> Fingerprint:
    fingerprint = facts.fingerprint = fingerprint_of(Views(facts.texts[0]).sound)
    return fingerprint
