"""The data that rules look up; code outside the policy keeps it current."""

from dataclasses import dataclass, field

from gateway.filter.text_score import Scorer
from gateway.policy.answer_counts import AnswerCounts
from gateway.policy.consent_sets import ConsentSets
from gateway.policy.filings import Filings
from gateway.policy.places import ProvinceTable
from gateway.policy.preferences import Preferences
from gateway.policy.suspended_sources import SuspendedSources


@dataclass(slots=True)
class Knowledge:
    """What is known of subscribers and senders; shared by one version of the rules and the next.

    `scorer` is the classifier in force, None if no model is installed; `RuleSet.ask_scorer`
    replaces it. `unscored` counts the texts of personal numbers that it failed on. `veil` is a
    secret of this process: without it, a sender that knows how people are counted could choose
    recipients so that many count as few.
    """

    consent: ConsentSets = field(default_factory=ConsentSets)
    filings: Filings = field(default_factory=Filings)
    preferences: Preferences = field(default_factory=Preferences)
    provinces: ProvinceTable = field(default_factory=ProvinceTable)
    suspended: SuspendedSources = field(default_factory=SuspendedSources)
    answers: AnswerCounts = field(default_factory=AnswerCounts)
    scorer: Scorer | None = None
    unscored: int = 0
    veil: int = field(default=0, repr=False)
