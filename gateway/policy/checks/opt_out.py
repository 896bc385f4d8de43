"""What subscribers refused (DEC2012 art. 7; R21)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from gateway.domain.consent import EVERY_SENDER
from gateway.domain.msisdn import NORTH_AMERICAN_BELOW
from gateway.domain.sender import Purpose
from gateway.domain.verdict import Reason
from gateway.policy.check import CheckQuestion, Evidence, RecipientCheck, Sieve
from gateway.policy.hours import RuleLocale
from gateway.policy.knowledge import ConsentSets, Knowledge
from gateway.policy.number_set import NumberSet
from gateway.policy.submission import Submission

UNREAD = Evidence(
    "the consent store cannot be read",
    Reason.CONSENT_UNCHECKED,
    is_unread=True,
    zh="无法读取同意记录",
)
# Only the SMSC knows the recipient of the message that a replace_sm changes. That message was
# judged for its subscriber, but as it was then: a notice to a subscriber who refused, or a request
# for consent, may now become advertising (R62). Messages from a port for marketing were checked for
# refusals before.
UNKNOWN_RECIPIENT = Evidence(
    "whose message it changes is unknown",
    Reason.CONSENT_UNKNOWN,
    is_unread=True,
    zh="不知被替换短信的接收用户",
)

_NOBODY = NumberSet()
_REFUSED = Evidence("the subscriber refused", zh="用户已拒收")


@dataclass(frozen=True, slots=True)
class OptOut(RecipientCheck):
    """The subscriber refused the sender, or everybody (R21)."""

    reason = Reason.OPTED_OUT
    order = 40
    formerly = "refused"
    can_be_unread = True

    def question(self, knowledge: Knowledge, locale: RuleLocale) -> CheckQuestion:
        """Return the check, ready to be asked."""
        sets = knowledge.consent

        def ask(submission: Submission, _at: float) -> Evidence | None:
            if not sets.is_current:
                return UNREAD
            number = submission.msisdn
            if number is None:
                port = submission.port
                is_for_marketing = port is not None and port.purpose is Purpose.MARKETING
                return None if is_for_marketing else UNKNOWN_RECIPIENT
            scope = submission.account.system_id
            if not sets.is_refused(scope, number):
                return None
            companion = sets.refused_companion(scope, number)
            if companion is None:
                return _REFUSED
            return Evidence(
                f"the subscriber refused another account of the same owner: {companion}",
                zh=f"用户已拒收同一公司的其他账号: {companion}",
            )

        return CheckQuestion(ask, _perhaps_refused(sets))


def _perhaps_refused(sets: ConsentSets) -> Sieve:
    """Pass messages to subscribers who may have refused."""

    def sieve(submissions: Sequence[Submission], _at: float) -> Sequence[Submission]:
        if not sets.is_current:
            return submissions
        numbers = [one.msisdn or 0 for one in submissions]
        everyone = sets.refused.get(EVERY_SENDER, _NOBODY).among(numbers)
        own = answers_among(sets.refused, submissions, numbers)
        if sets.companions:
            own = [
                by_one or sets.refused_companion(one.account.system_id, number) is not None
                for by_one, one, number in zip(own, submissions, numbers, strict=True)
            ]
        return [
            one
            for one, number, by_all, by_one in zip(submissions, numbers, everyone, own, strict=True)
            if by_one or by_all or number < NORTH_AMERICAN_BELOW
        ]

    return sieve


def answers_among(
    of_scope: Mapping[str, NumberSet], submissions: Sequence[Submission], numbers: Sequence[int]
) -> Iterable[bool]:
    """Tell for each number whether it is in the set of the sender that writes to it."""
    answers: list[bool] = []
    senders = [one.account.system_id for one in submissions]
    first = next(iter(senders), "")
    if senders.count(first) == len(senders):  # as in the tick of a port that sends many at once
        return of_scope.get(first, _NOBODY).among(numbers)
    for scope, run in groupby(senders):
        at = len(answers)
        past = at + len(list(run))
        answers.extend(of_scope.get(scope, _NOBODY).among(numbers[at:past]))
    return answers
