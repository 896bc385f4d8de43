"""What a port is registered for (R05)."""

from dataclasses import dataclass

from gateway.domain.categories import TrafficClass
from gateway.domain.sender import Purpose
from gateway.domain.verdict import Reason
from gateway.filter.facts import TextSign
from gateway.policy.check import CheckQuestion, Evidence, TextCheck
from gateway.policy.hours import RuleLocale
from gateway.policy.knowledge import Knowledge
from gateway.policy.message_class import is_for
from gateway.policy.submission import Submission

_MISUSED = Evidence(
    "a commercial text from a port for another purpose", zh="其他用途的端口发送商业性短信"
)


@dataclass(frozen=True, slots=True)
class PortMisuse(TextCheck):
    """The text is commercial and its port is not registered for that (R05)."""

    reason = Reason.PORT_MISUSE
    order = 110
    formerly = "purpose_missed"

    def needs_text(self) -> TextSign:
        """Return with which signs a text must be asked about itself."""
        return TextSign(0)

    def question(self, knowledge: Knowledge, locale: RuleLocale) -> CheckQuestion:
        """Return the check, ready to be asked."""

        def ask(submission: Submission, _at: float) -> Evidence | None:
            port, facts = submission.port, submission.facts
            if port is None or is_for(port, Purpose.MARKETING) or facts is None:
                return None
            return _MISUSED if facts.shown().traffic is TrafficClass.COMMERCIAL else None

        return CheckQuestion(ask)
