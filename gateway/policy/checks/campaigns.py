"""Much the same text to many people who never agreed (R61)."""

from collections.abc import Sequence
from typing import ClassVar, Self

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


class Massed:
    """Counts messages without consent by the campaign that their text is of, across all senders.

    The parts of a long message are texts that grow; what begins alike is one campaign.
    """

    __slots__ = ("_accepts", "_campaigns", "_check", "_consent", "_people", "_sieve", "_told")

    gives_back: ClassVar[bool] = False

    def __init__(self, check: Campaign, knowledge: Knowledge) -> None:
        self._check = check
        self._accepts, self._people = check.accept_asserted, check.people
        self._consent = knowledge.consent
        # Who agreed makes no campaign; most have, where consent is enforced.
        self._sieve = perhaps_not_agreed(knowledge)
        self._campaigns = Campaigns(CampaignLimits(window_s=check.within.total_seconds()))
        self._told: dict[str, Evidence] = {}

    def ask_all(self, submissions: Sequence[Submission], at: float) -> Against:
        """Count messages; return those that are one of too many without consent."""
        reaches, people, told = self._campaigns.reaches, self._people, self._told
        against = []
        for one in self._sieve(submissions, at):
            facts, number = one.facts, one.msisdn
            if facts is None or number is None or not any(facts.texts):
                continue
            if one.is_wanted or self._has_agreed(one.account.system_id, number):
                continue
            fingerprint = facts.fingerprint
            if not isinstance(fingerprint, Fingerprint):
                fingerprint = _noted(facts)
            campaign = reaches(fingerprint, people, number, at)
            if campaign is not None:
                against.append((one, told.get(campaign) or self._tell(campaign)))
        return against

    def _has_agreed(self, sender: str, number: int) -> bool:
        """Tell whether the subscriber agreed in another way than by an answer of their own."""
        consent = self._consent
        if (
            consent.is_current  # or nobody was sieved out
            and sender not in consent.subscribed
            and sender not in consent.asserted
        ):
            return False
        return consent.has_agreed(sender, number, accept_asserted=self._accepts)

    def _tell(self, campaign: str) -> Evidence:
        if len(self._told) >= _MAX_TOLD:
            self._told.clear()
        said = f"one text to {self._check.people} people without consent: campaign {campaign}"
        evidence = self._told[campaign] = Evidence(said)
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
