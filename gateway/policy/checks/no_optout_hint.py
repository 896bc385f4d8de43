"""The hint how to refuse further messages (R30).

What is missing may stand in a part that has not arrived yet. So it is asked of the last part to
arrive; without that part no phone shows the message.
"""

from dataclasses import dataclass

from gateway.domain.detector import Measure
from gateway.domain.verdict import Basis, ReasonCode
from gateway.filter.facts import TextSign
from gateway.policy.check import CheckQuestion, Evidence, TextCheck
from gateway.policy.hours import RuleLocale
from gateway.policy.knowledge import Knowledge
from gateway.policy.submission import Submission

_NO_WAY_OUT = Evidence("the text tells no way to refuse", zh="短信未告知退订方式")


@dataclass(frozen=True, slots=True)
class NoOptoutHint(TextCheck):
    """The text tells no way to refuse further ones (R30)."""

    reason = ReasonCode("NO_OPTOUT_HINT", Basis.TEXT, cmpp="0x433", measure=Measure.NO_OPTOUT_HINT)
    order = 120
    formerly = "no_way_out"

    def needs_text(self) -> TextSign:
        """Return with which signs a text must be asked about itself."""
        return TextSign(0)

    def question(self, knowledge: Knowledge, locale: RuleLocale) -> CheckQuestion:
        """Return the check, ready to be asked."""

        def ask(submission: Submission, _at: float) -> Evidence | None:
            facts = submission.facts
            if facts is None or not facts.is_whole or facts.shown().advertised:
                return None
            return _NO_WAY_OUT

        return CheckQuestion(ask)
