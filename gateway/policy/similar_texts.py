"""Much the same text to many people: from all senders (R61), and from a personal number (R43)."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple, Self

from gateway.domain.verdict import Basis, Finding, Reason
from gateway.filter.campaigns import CampaignLimits, Campaigns, are_alike
from gateway.filter.facts import TextFacts
from gateway.filter.fingerprints import Fingerprint, fingerprint_of, fingerprints_of
from gateway.filter.normalise.views import Views
from gateway.policy.check import Against, Evidence, Sieve
from gateway.policy.knowledge import Knowledge
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


class CampaignTerms(NamedTuple):
    """What a campaign is: one text to `people` within a while. For the rest see the check."""

    people: int
    within_s: float
    accept_asserted: bool
    each_sender: bool


class CampaignCounter:
    """Counts messages without consent by the campaign of their text.

    It counts across all senders, or each sender separately.

    The parts of a long message are texts that grow; texts with the same beginning are one campaign.
    """

    gives_back: ClassVar[bool] = False

    def __init__(self, terms: CampaignTerms, without_consent: Sieve, knowledge: Knowledge) -> None:
        self._terms = terms
        self._consent = knowledge.consent
        # Subscribers who agreed do not count; where consent is enforced, these are most.
        self._sieve = without_consent
        limits = CampaignLimits(terms.within_s, each_sender=terms.each_sender)
        self._campaigns = Campaigns(limits, knowledge.veil)
        self.is_by_second = self._campaigns.is_by_second
        self._told: dict[str, Evidence] = {}

    def ask_all(self, submissions: Sequence[Submission], at: float) -> Against:
        """Count messages; return those over the limit of people without consent."""
        campaigns, consent = self._campaigns, self._consent
        step = campaigns.step_of(at)
        against = []
        sender, counted, may_have_agreed = "", "", True
        left = self._sieve(submissions, at)
        _make_missing([one.facts for one in left if one.facts is not None and one.facts.sound])
        for one in left:
            facts, number = one.facts, one.msisdn
            if facts is None or number is None or one.is_wanted:
                continue
            if one.account.system_id != sender:
                sender = one.account.system_id
                counted = sender if self._terms.each_sender else ""
                # In another way than by an own answer. Until the sets are current, the sieve drops
                # no message.
                may_have_agreed = (
                    not consent.is_current
                    or sender in consent.subscribed
                    or sender in consent.asserted
                )
            if may_have_agreed and consent.has_agreed(
                sender, number, accept_asserted=self._terms.accept_asserted
            ):
                continue
            massed = facts.massed
            if isinstance(massed, _StepEvidence) and massed.is_of(campaigns, counted, step):
                against.append((one, massed.evidence))
                continue
            evidence = self._count(facts, sender, number, at)
            if evidence is not None:
                against.append((one, evidence))
        return against

    def _count(self, facts: TextFacts, sender: str, number: int, at: float) -> Evidence | None:
        if not any(facts.texts):
            return None
        fingerprint = facts.fingerprint
        if not isinstance(fingerprint, Fingerprint):
            fingerprint = _noted(facts)
        campaigns = self._campaigns
        campaign = campaigns.reaches(fingerprint, sender, self._terms.people, number, at)
        if campaign is None:
            return None
        evidence = self._told.get(campaign) or self._tell(campaign)
        if campaigns.is_filled(fingerprint, sender, at):
            counted = sender if self._terms.each_sender else ""
            facts.massed = _StepEvidence(campaigns, counted, campaigns.step_of(at), evidence)
        return evidence

    def _tell(self, campaign: str) -> Evidence:
        if len(self._told) >= _MAX_TOLD:
            self._told.clear()
        whose = "one text of this sender" if self._terms.each_sender else "one text"
        said = f"{whose} to {self._terms.people} people without consent: campaign {campaign}"
        evidence = self._told[campaign] = Evidence(said, campaign=campaign)
        return evidence

    def forget(self, submission: Submission, at: float) -> None:
        """Keep the count: a sender that is rejected still sends to many."""

    def adopt(self, before: Self) -> None:
        """Go on with the campaigns of `before`, if its terms are the same."""
        if before._terms == self._terms:
            self._campaigns = before._campaigns


def _make_missing(of: Sequence[TextFacts]) -> None:
    """Make the fingerprints of new texts together: one by one takes five times as long."""
    new = list({id(facts): facts for facts in of}.values())
    made = fingerprints_of([facts.sound for facts in new]) if new else ()
    for facts, fingerprint in zip(new, made, strict=True):
        facts.fingerprint, facts.sound = fingerprint, ""


def _noted(facts: TextFacts) -> Fingerprint:
    fingerprint = fingerprint_of(facts.sound or Views(facts.texts[0]).sound)
    facts.fingerprint, facts.sound = fingerprint, ""
    return fingerprint


# Personal numbers are not ports of advertisers.
_OF_ADVERTISERS = frozenset({Reason.PORT_MISUSE, Reason.CAMPAIGN})
# With 20 people for each text these take 6 MB.
_MAX_NUMBERS, _MAX_TEXTS = 1024, 2


@dataclass(slots=True)
class _BulkText:
    """A text, and the people who got it or a similar one."""

    fingerprint: Fingerprint
    people: set[int] = field(default_factory=set)


def _is_against_text(finding: Finding) -> bool:
    """Tell whether a rule finds against a text itself, or that it sells; also in shadow mode."""
    return finding.reason.basis is Basis.CONTENT or finding.reason in _OF_ADVERTISERS


class BulkTexts:
    """Checks each text over the caps. Keeps the last few texts of a bounded number of sources."""

    __slots__ = ("_people", "_sent")

    def __init__(self, people: int) -> None:
        """Take how many people must get one text, or a similar one, before that is against it."""
        self._people = people
        self._sent: dict[int, deque[_BulkText]] = {}

    def against(self, msisdn: int, submission: Submission) -> str:
        """Return what is against the text of a message over the cap, "" for nothing."""
        found = next(filter(_is_against_text, submission.findings), None)
        if found is not None:
            return f"{found.reason} by {found.rule}"
        facts, person = submission.facts, submission.msisdn
        if facts is None or person is None or not any(facts.texts):
            return ""
        fingerprint = facts.fingerprint
        if not isinstance(fingerprint, Fingerprint):
            fingerprint = _noted(facts)
        people = self._text_of(msisdn, fingerprint).people
        people.add(person)
        if len(people) < self._people:
            return ""
        del self._sent[msisdn]
        return f"one text to {self._people} people"

    def _text_of(self, msisdn: int, fingerprint: Fingerprint) -> _BulkText:
        texts = self._sent.get(msisdn)
        if texts is None:
            if len(self._sent) >= _MAX_NUMBERS:
                del self._sent[next(iter(self._sent))]  # the one that came first
            texts = self._sent[msisdn] = deque(maxlen=_MAX_TEXTS)
        known = next((one for one in texts if are_alike(one.fingerprint, fingerprint)), None)
        if known is None:
            known = _BulkText(fingerprint)
            texts.append(known)
        return known
