"""Templates on file (R12)."""

from dataclasses import dataclass

from gateway.domain.detector import Measure
from gateway.domain.verdict import Basis, ReasonCode
from gateway.filter.facts import TextSign
from gateway.policy.check import CheckQuestion, Evidence, TextCheck
from gateway.policy.hours import RuleLocale
from gateway.policy.knowledge import Knowledge
from gateway.policy.submission import Submission

_NO_TEMPLATE = Evidence("the text is of no template on file", zh="不符合任何已报备的模板")


@dataclass(frozen=True, slots=True)
class UnknownTemplate(TextCheck):
    """The text is of none of the sender's templates (R12)."""

    reason = ReasonCode("TPL_MISMATCH", Basis.TEXT, cmpp="0x432", measure=Measure.OFF_TEMPLATE)
    order = 140
    formerly = "template_not_filed"
    is_self_contained = False

    def needs_text(self) -> TextSign:
        """Return with which signs a text must be asked about itself."""
        return TextSign(0)

    def question(self, knowledge: Knowledge, locale: RuleLocale) -> CheckQuestion:
        """Return the check, ready to be asked."""

        def ask(submission: Submission, _at: float) -> Evidence | None:
            facts = submission.facts
            # The template was looked up before.
            if facts is None or not facts.is_whole or submission.template:
                return None
            return _NO_TEMPLATE

        return CheckQuestion(ask)
