"""What subscribers answered (DEC2012 art. 7; R20, R21, R26)."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from gateway.domain.consent import EVERY_SENDER
from gateway.domain.msisdn import NORTH_AMERICAN_BELOW
from gateway.domain.sender import Purpose
from gateway.domain.verdict import Reason
from gateway.policy.evidence import Ask, Evidence, Sieve
from gateway.policy.knowledge import Knowledge
from gateway.policy.number_set import NumberSet
from gateway.policy.rules import NotAgreed, Refused
from gateway.policy.submission import Submission

_NOBODY = NumberSet()
_REFUSED = Evidence("the subscriber refused")
_REFUSED_OWNER = "the subscriber refused another account of the same owner"
_UNASKED = Evidence("no consent on record")
_UNPROVEN = Evidence("consent is asserted only", Reason.CONSENT_UNPROVEN)
_UNREAD = Evidence("the consent store cannot be read", Reason.CONSENT_UNCHECKED, is_unread=True)
# Only the SMSC knows the recipient of the message that a replace_sm changes. That message was
# judged for its subscriber, but as it was then: a notice to a subscriber who refused, or a request
# for consent, may now become advertising (R62). Messages from a port for marketing were checked for
# refusals before.
_UNKNOWN = Evidence("whose message it changes is unknown", Reason.CONSENT_UNKNOWN, is_unread=True)


def refused(_check: Refused, knowledge: Knowledge) -> Ask:
    """Ask whether the subscriber refused the sender or all senders."""
    sets = knowledge.consent

    def ask(submission: Submission, _at: float) -> Evidence | None:
        if not sets.is_current:
            return _UNREAD
        number = submission.msisdn
        if number is None:
            return None if _is_for_marketing(submission) else _UNKNOWN
        scope = submission.account.system_id
        if not sets.is_refused(scope, number):
            return None
        companion = sets.refused_companion(scope, number)
        return _REFUSED if companion is None else Evidence(f"{_REFUSED_OWNER}: {companion}")

    return ask


def perhaps_refused(knowledge: Knowledge) -> Sieve:
    """Pass messages to subscribers who may have refused."""
    sets = knowledge.consent

    def sieve(submissions: Sequence[Submission], _at: float) -> Sequence[Submission]:
        if not sets.is_current:
            return submissions
        numbers = [one.msisdn or 0 for one in submissions]
        everyone = sets.refused.get(EVERY_SENDER, _NOBODY).among(numbers)
        own = _of_the_sender(sets.refused, submissions, numbers)
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


def not_agreed(check: NotAgreed, knowledge: Knowledge) -> Ask:
    """Ask whether the subscriber never agreed to the sender's messages."""
    sets, accepts = knowledge.consent, check.accept_asserted

    def ask(submission: Submission, _at: float) -> Evidence | None:
        if not sets.is_current:
            return _UNREAD
        number, scope = submission.msisdn, submission.account.system_id
        if number is None:
            return _UNKNOWN
        own = sets.agreed.get(scope)
        if own is not None and own.has(number):
            return None  # the usual case
        if sets.has_agreed(scope, number, accept_asserted=accepts):
            return None
        if not accepts and sets.has_agreed(scope, number, accept_asserted=True):
            return _UNPROVEN
        return _UNASKED

    return ask


def perhaps_not_agreed(knowledge: Knowledge) -> Sieve:
    """Pass messages to subscribers who did not agree by an answer of their own."""
    sets = knowledge.consent

    def sieve(submissions: Sequence[Submission], _at: float) -> Sequence[Submission]:
        if not sets.is_current:
            return submissions
        numbers = [one.msisdn or 0 for one in submissions]
        own = _of_the_sender(sets.agreed, submissions, numbers)
        return [
            one
            for one, agreed in zip(submissions, own, strict=True)
            if not agreed or one.msisdn is None
        ]

    return sieve


def _of_the_sender(
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


def _is_for_marketing(submission: Submission) -> bool:
    return submission.port is not None and submission.port.purpose is Purpose.MARKETING
