"""Signatures on file (R12)."""

from dataclasses import dataclass

from gateway.domain.detector import Measure
from gateway.domain.verdict import Basis, ReasonCode, TextMark
from gateway.filter.facts import TextSign
from gateway.policy.check import CheckQuestion, Evidence, TextCheck
from gateway.policy.hours import RuleLocale
from gateway.policy.knowledge import Knowledge
from gateway.policy.submission import Submission

_UNSIGNED = Evidence("the text bears no signature", zh="短信没有签名")
_UNKNOWN = Evidence("the signature was not filed", zh="签名未报备")


@dataclass(frozen=True, slots=True)
class UnknownSignature(TextCheck):
    """The sender has not filed the signature of the text (R12)."""

    reason = ReasonCode(
        "SIG_UNKNOWN", Basis.TEXT, cmpp="0x430", mark=TextMark.SIGNATURE, measure=Measure.UNSIGNED
    )
    order = 90
    formerly = "signature_not_filed"
    is_self_contained = False

    def needs_text(self) -> TextSign:
        """Return with which signs a text must be asked about itself."""
        return TextSign(0)

    def question(self, knowledge: Knowledge, locale: RuleLocale) -> CheckQuestion:
        """Return the check, ready to be asked."""
        filings = knowledge.filings

        def ask(submission: Submission, _at: float) -> Evidence | None:
            facts = submission.facts
            if facts is None:
                return None
            name = facts.shown().signature
            if not name:
                return _UNSIGNED if facts.is_whole else None
            is_filed = filings.of(submission.account.system_id).has_signature(name)
            return None if is_filed else _UNKNOWN

        return CheckQuestion(ask)
