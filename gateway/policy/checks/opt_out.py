"""What subscribers refused (DEC2012 art. 7; R21)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from gateway.domain.categories import lineage_of
from gateway.domain.consent import EVERY_SENDER, parts_of
from gateway.domain.msisdn import NORTH_AMERICAN_BELOW
from gateway.domain.sender import Purpose
from gateway.domain.verdict import Basis, Reason, ReasonCode, Waiver
from gateway.policy.check import CheckQuestion, Evidence, RecipientCheck, Sieve
from gateway.policy.hours import RuleLocale
from gateway.policy.knowledge import ConsentSets, Knowledge
from gateway.policy.message_class import is_for
from gateway.policy.number_set import NumberSet
from gateway.policy.submission import Submission

CONSENT_UNKNOWN = ReasonCode("CONSENT_UNKNOWN", Basis.MOMENT, cmpp="0x424", waiver=Waiver.MESSAGE)
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
    CONSENT_UNKNOWN,
    is_unread=True,
    zh="不知被替换短信的接收用户",
)

_NOBODY = NumberSet()
_ADVERTS = "commercial"  # the category above all of adverts
_REFUSED = Evidence("the subscriber refused", zh="用户已拒收")
_REFUSED_PORT = Evidence("the subscriber refused this port", zh="用户已拒收该端口")
_REFUSED_CATEGORY = Evidence(
    "the subscriber refused a category of adverts, and nothing shows that this is another",
    zh="用户已拒收一类商业信息，且无法确认本条属于其他类别",
)


@dataclass(frozen=True, slots=True)
class OptOut(RecipientCheck):
    """The subscriber refused the sender, its port, a category of adverts, or everybody (R21)."""

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
                return None if is_for(port, Purpose.MARKETING) else UNKNOWN_RECIPIENT
            scope = submission.account.scope
            if not sets.is_refused(scope, number):
                return _against_part(sets, submission, number) if sets.has_parts else None
            companion = sets.refused_companion(scope, number)
            if companion is None:
                return _REFUSED
            return _of_companion(companion)

        return CheckQuestion(ask, _perhaps_refused(sets))


def _perhaps_refused(sets: ConsentSets) -> Sieve:
    """Pass messages to subscribers who may have refused."""

    def sieve(submissions: Sequence[Submission], _at: float) -> Sequence[Submission]:
        if not sets.is_current:
            return submissions
        numbers = [one.msisdn or 0 for one in submissions]
        everyone = sets.refused.get(EVERY_SENDER, _NOBODY).among(numbers)
        senders = [one.account.scope for one in submissions]
        own = answers_among(sets.refused, senders, numbers)
        if sets.has_parts:
            homes = [one.origin.home for one in submissions]
            of_port = answers_among(sets.refused, [one.scope for one in homes], numbers)
            of_category = answers_among(sets.refused, [one.categories for one in homes], numbers)
            own = list(map(any, zip(own, of_port, of_category, strict=True)))
        if sets.companions:
            own = [
                by_one
                or sets.is_refused_by_companion(one.account.scope, one.origin.home.number, to)
                for by_one, one, to in zip(own, submissions, numbers, strict=True)
            ]
        return [
            one
            for one, number, by_all, by_one in zip(submissions, numbers, everyone, own, strict=True)
            if by_one or by_all or number < NORTH_AMERICAN_BELOW
        ]

    return sieve


def _of_companion(companion: str) -> Evidence:
    return Evidence(
        f"the subscriber refused another account of the same owner: {companion}",
        zh=f"用户已拒收同一公司的其他账号: {companion}",
    )


def _against_part(sets: ConsentSets, submission: Submission, number: int) -> Evidence | None:
    """Return what is against a message if its subscriber refused a part of what its owner sends."""
    system_id = submission.account.scope
    against = _against_part_of(system_id, sets, submission, number)
    if against is None:
        for one in sets.companions.get(system_id, ()):
            if _against_part_of(one, sets, submission, number) is not None:
                return _of_companion(one)
    return against


def _against_part_of(
    system_id: str, sets: ConsentSets, submission: Submission, number: int
) -> Evidence | None:
    """Return what is against a message if its subscriber refused a part of one account.

    An advert is taken for one of another category only where the lists find that in its text: most
    adverts show them none, and who refused a category is not to get it for want of a word.
    """
    parts = sets.refused_parts(system_id, submission.origin.home.number, number)
    if not parts:
        return None
    refused = {parts_of(one).category for one in parts}
    if "" in refused:
        return _REFUSED_PORT
    facts = submission.facts
    lineages = [set(lineage_of(hit.category)) for hit in facts.hits] if facts is not None else []
    shown = set().union(*(one for one in lineages if _ADVERTS in one)) - {_ADVERTS}
    return None if shown and not shown & refused else _REFUSED_CATEGORY


def answers_among(
    of_scope: Mapping[str, NumberSet], scopes: Sequence[str], numbers: Sequence[int]
) -> Iterable[bool]:
    """Tell for each number whether it is in the set of its scope."""
    answers: list[bool] = []
    first = next(iter(scopes), "")
    if scopes.count(first) == len(scopes):  # as in the tick of a port that sends many at once
        return of_scope.get(first, _NOBODY).among(numbers)
    for scope, run in groupby(scopes):
        at = len(answers)
        past = at + len(list(run))
        answers.extend(of_scope.get(scope, _NOBODY).among(numbers[at:past]))
    return answers
