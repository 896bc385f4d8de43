"""What subscribers agreed to (DEC2012 art. 7; R20, R26)."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.domain.detector import Measure
from gateway.domain.verdict import Basis, ReasonCode, Waiver
from gateway.policy.check import CheckQuestion, Evidence, RecipientCheck, Sieve
from gateway.policy.checks.opt_out import UNKNOWN_RECIPIENT, UNREAD, answers_among
from gateway.policy.hours import RuleLocale
from gateway.policy.knowledge import Knowledge
from gateway.policy.submission import Submission

CONSENT_UNPROVEN = ReasonCode(
    "CONSENT_UNPROVEN",
    Basis.RECIPIENT,
    cmpp="0x422",
    waiver=Waiver.MESSAGE,
    measure=Measure.WITHOUT_CONSENT,
)
_UNASKED = Evidence("no consent on record", zh="没有同意记录")
_UNPROVEN = Evidence(
    "consent is asserted only", CONSENT_UNPROVEN, zh="同意仅为服务商声称，未经证明"
)


@dataclass(frozen=True, slots=True)
class NoConsent(RecipientCheck):
    """The subscriber never agreed (R20); `accept_asserted` takes the sender's word (R26)."""

    reason = ReasonCode(
        "CONSENT_NONE",
        Basis.RECIPIENT,
        cmpp="0x421",
        waiver=Waiver.MESSAGE,
        measure=Measure.WITHOUT_CONSENT,
    )
    order = 50
    formerly = "not_agreed"
    can_be_unread = True
    help = {"accept_asserted": "Whether an agreement counts that the sender only asserts."}

    accept_asserted: bool = True

    def question(self, knowledge: Knowledge, locale: RuleLocale) -> CheckQuestion:
        """Return the check, ready to be asked."""
        sets, accepts = knowledge.consent, self.accept_asserted

        def ask(submission: Submission, _at: float) -> Evidence | None:
            if not sets.is_current:
                return UNREAD
            number, scope = submission.msisdn, submission.account.system_id
            if number is None:
                return UNKNOWN_RECIPIENT
            own = sets.agreed.get(scope)
            if own is not None and own.has(number):
                return None  # the usual case
            if sets.has_agreed(scope, number, accept_asserted=accepts):
                return None
            if not accepts and sets.has_agreed(scope, number, accept_asserted=True):
                return _UNPROVEN
            return _UNASKED

        return CheckQuestion(ask, perhaps_not_agreed(knowledge))


def perhaps_not_agreed(knowledge: Knowledge) -> Sieve:
    """Pass messages to subscribers who did not agree by an answer of their own."""
    sets = knowledge.consent

    def sieve(submissions: Sequence[Submission], _at: float) -> Sequence[Submission]:
        if not sets.is_current:
            return submissions
        numbers = [one.msisdn or 0 for one in submissions]
        own = answers_among(sets.agreed, [one.account.system_id for one in submissions], numbers)
        return [
            one
            for one, agreed in zip(submissions, own, strict=True)
            if not agreed or one.msisdn is None
        ]

    return sieve
