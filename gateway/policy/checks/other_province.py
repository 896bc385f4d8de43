"""Where a port may send (R04).

While the store cannot be read, the last known filings still hold: filings change from day to day,
and no message must fail because of that.
"""

from dataclasses import dataclass

from gateway.domain.detector import Measure
from gateway.domain.verdict import Basis, ReasonCode
from gateway.policy.check import CheckQuestion, Evidence, RecipientCheck
from gateway.policy.filings import SenderFilings
from gateway.policy.hours import RuleLocale
from gateway.policy.knowledge import Knowledge
from gateway.policy.submission import Submission

_OTHER_PROVINCE = Evidence(
    "a provincial port, and a subscriber of another province", zh="省内端口，用户属于外省"
)


@dataclass(frozen=True, slots=True)
class OtherProvince(RecipientCheck):
    """A provincial port writes to a subscriber of another province (R04)."""

    reason = ReasonCode(
        "OUT_OF_SCOPE",
        Basis.RECIPIENT,
        "ESME_RINVDSTADR",
        cmpp="0x409",
        measure=Measure.OUT_OF_SCOPE,
    )
    order = 20
    is_self_contained = False

    def concerns(self, submission: Submission, filed: SenderFilings) -> bool:
        """Tell whether the port is provincial."""
        port = submission.port
        return port is not None and filed.province_of(port.number) is not None

    def question(self, knowledge: Knowledge, locale: RuleLocale) -> CheckQuestion:
        """Return the check, ready to be asked."""
        filings = knowledge.filings

        def ask(submission: Submission, _at: float) -> Evidence | None:
            port, number = submission.port, submission.msisdn
            if port is None or number is None:
                return None
            scope = filings.of(submission.account.system_id).province_of(port.number)
            if scope is None:
                return None
            # A number without a known province does not count as one of another province.
            province = knowledge.provinces.province_of(number)
            return _OTHER_PROVINCE if province and province != scope else None

        return CheckQuestion(ask)
