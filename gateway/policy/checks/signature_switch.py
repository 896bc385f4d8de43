"""Signatures that are bound to a source (R06)."""

from dataclasses import dataclass

from gateway.domain.detector import Measure
from gateway.domain.verdict import Basis, ReasonCode, TextMark
from gateway.filter.facts import TextSign
from gateway.policy.check import CheckQuestion, Evidence, SourceCheck, TextCheck
from gateway.policy.filings import SenderFilings
from gateway.policy.hours import RuleLocale
from gateway.policy.knowledge import Knowledge
from gateway.policy.submission import Submission

_BOUND = Evidence("the source is bound to another signature", zh="该号码绑定了其他签名")


@dataclass(frozen=True, slots=True)
class SignatureSwitch(TextCheck, SourceCheck):
    """The source is bound to another signature (R06)."""

    reason = ReasonCode(
        "SIG_SWITCH",
        Basis.TEXT,
        cmpp="0x431",
        mark=TextMark.SIGNATURE,
        measure=Measure.OUT_OF_SCOPE,
    )
    order = 100
    formerly = "signature_switched"
    is_self_contained = False

    def source_trait(self, source: str, filed: SenderFilings) -> str | None:
        """Return the signature that the source is bound to."""
        return filed.owner_of_subport(source)

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
            filed = filings.of(submission.account.system_id)
            if not filed.has_bindings:
                return None
            name = facts.shown().signature
            source = submission.source.decode("latin-1")
            return _BOUND if name and filed.is_bound_elsewhere(name, source) else None

        return CheckQuestion(ask)
