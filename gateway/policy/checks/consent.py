"""What subscribers answered (DEC2012 art. 7; R20, R21, R26)."""

from collections.abc import Sequence

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
_UNASKED = Evidence("no consent on record")
_UNPROVEN = Evidence("consent is asserted only", Reason.CONSENT_UNPROVEN)
_UNREAD = Evidence("the consent store cannot be read", Reason.CONSENT_UNCHECKED, is_unread=True)
# Only the SMSC knows whose message a replace_sm changes. That was judged for its subscriber,
# but as what it was then: a notice to one who refused, or a request for consent, is to sell
# now (R62). What comes from a port for marketing was asked about refusals before.
_UNKNOWN = Evidence("whose message it changes is unknown", Reason.CONSENT_UNKNOWN, is_unread=True)


def refused(_check: Refused, knowledge: Knowledge) -> Ask:
    """Ask whether the subscriber refused the sender, or everybody."""
    sets = knowledge.consent

    def ask(submission: Submission, _at: float) -> Evidence | None:
        if not sets.is_current:
            return _UNREAD
        number = submission.msisdn
        if number is None:
            return None if _is_for_marketing(submission) else _UNKNOWN
        return _REFUSED if sets.is_refused(submission.account.system_id, number) else None

    return ask


def perhaps_refused(knowledge: Knowledge) -> Sieve:
    """Let through what goes to subscribers who refused."""
    sets = knowledge.consent

    def sieve(submissions: Sequence[Submission], _at: float) -> Sequence[Submission]:
        if not sets.is_current:
            return submissions
        refused, worth = sets.refused, []
        everyone = refused.get(EVERY_SENDER, _NOBODY).finder()
        scope, own = "", _NOBODY.finder()
        for one in submissions:
            number = one.msisdn
            if one.account.system_id != scope:
                scope = one.account.system_id
                own = refused.get(scope, _NOBODY).finder()
            if number is None or number < NORTH_AMERICAN_BELOW or own(number) or everyone(number):
                worth.append(one)
        return worth

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
            return None  # most of what is asked this
        if sets.has_agreed(scope, number, accept_asserted=accepts):
            return None
        if not accepts and sets.has_agreed(scope, number, accept_asserted=True):
            return _UNPROVEN
        return _UNASKED

    return ask


def perhaps_not_agreed(knowledge: Knowledge) -> Sieve:
    """Let through what goes to subscribers who did not agree by an answer of their own."""
    sets = knowledge.consent

    def sieve(submissions: Sequence[Submission], _at: float) -> Sequence[Submission]:
        if not sets.is_current:
            return submissions
        agreed, worth = sets.agreed, []
        scope, own = "", _NOBODY.finder()
        for one in submissions:
            number = one.msisdn
            if one.account.system_id != scope:
                scope = one.account.system_id
                own = agreed.get(scope, _NOBODY).finder()
            if number is None or not own(number):
                worth.append(one)
        return worth

    return sieve


def _is_for_marketing(submission: Submission) -> bool:
    return submission.port is not None and submission.port.purpose is Purpose.MARKETING
