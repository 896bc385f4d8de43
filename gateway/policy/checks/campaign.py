"""Much the same text to many people who never agreed (R61)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from annotated_types import Ge, Le

from gateway.domain.verdict import Action, Reason
from gateway.policy.check import Between, Counter, CountingCheck, Fact
from gateway.policy.checks.no_consent import perhaps_not_agreed
from gateway.policy.hours import RuleLocale
from gateway.policy.knowledge import Knowledge

_LEAST, _MOST = timedelta(minutes=1), timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Campaign(CountingCheck):
    """Much the same text went to many `people` without consent, `within` a while (R61).

    From all senders together, or, with `each_sender`, from one. The text may vary from one message
    to the next. With `accept_asserted`, a consent that only the sender asserts counts (R26).
    """

    reason = Reason.CAMPAIGN
    order = 200
    reads = frozenset({Fact.FINGERPRINT})
    allowed_actions = (Action.QUARANTINE, Action.REJECT)
    help = {
        "people": "How many people got the text without their consent.",
        "within": 'In how long, as "10m".',
        "accept_asserted": "Whether an agreement counts that the sender only asserts.",
        "each_sender": "Whether the people of each sender are counted by themselves.",
    }

    people: Annotated[int, Ge(1), Le(1_000_000)]
    within: Annotated[timedelta, Between(_LEAST, _MOST, "so long campaigns are followed")]
    accept_asserted: bool = False
    each_sender: bool = False

    @property
    def memory_s(self) -> float:
        """Return how long a text is counted, in seconds."""
        return self.within.total_seconds()

    def counter(self, knowledge: Knowledge, locale: RuleLocale) -> Counter:
        """Return a counter without campaigns."""
        # Fingerprints are arrays: numpy takes longer to import than all checks.
        from gateway.policy.similar_texts import (  # noqa: PLC0415
            CampaignCounter,
            CampaignTerms,
        )

        terms = CampaignTerms(
            self.people, self.within.total_seconds(), self.accept_asserted, self.each_sender
        )
        return CampaignCounter(terms, perhaps_not_agreed(knowledge), knowledge)
