"""The name of the sender in the text (R38).

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

NO_SENDER_PHONE = ReasonCode("NO_SENDER_PHONE", Basis.TEXT, cmpp="0x435")
_NAMELESS = Evidence("the text names no sender", zh="短信未标明发送者")
_PHONELESS = Evidence(
    "the text names no telephone number", NO_SENDER_PHONE, zh="短信未标明电话号码"
)


@dataclass(frozen=True, slots=True)
class NoSenderName(TextCheck):
    """The text does not name its sender in 【】 (R38), or with `telephone` no number to call."""

    reason = ReasonCode("NO_SENDER_NAME", Basis.TEXT, cmpp="0x434", measure=Measure.UNSIGNED)
    order = 130
    formerly = "nameless"
    help = {"telephone": "Whether the text must name a number that somebody answers, too."}

    telephone: bool = False

    def needs_text(self) -> TextSign:
        """Return with which signs a text must be asked about itself."""
        return TextSign.SIGNED if self.telephone else TextSign(0)

    def question(self, knowledge: Knowledge, locale: RuleLocale) -> CheckQuestion:
        """Return the check, ready to be asked."""
        wants_telephone = self.telephone

        def ask(submission: Submission, _at: float) -> Evidence | None:
            facts = submission.facts
            if facts is None or not facts.is_whole:
                return None
            if not facts.shown().signature:
                return _NAMELESS
            return _PHONELESS if wants_telephone and not facts.names_telephone() else None

        return CheckQuestion(ask)
