"""Suspending the number behind a source that goes over its caps (R43)."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import TypeAlias
from zoneinfo import ZoneInfo

from gateway.domain.msisdn import msisdn_of
from gateway.domain.suspension import NewSuspension, SuspensionTerms
from gateway.domain.verdict import Finding, Reason
from gateway.policy.bundle import Bundle
from gateway.policy.checks.source_suspension import SourceSuspension
from gateway.policy.checks.too_often import TooOften
from gateway.policy.hours import RuleLocale
from gateway.policy.knowledge import SuspendedSources
from gateway.policy.replies.mo_words import key_of
from gateway.policy.submission import Submission

# Returns what is against the text of a message from a number over its caps, "" for nothing.
_AgainstText: TypeAlias = Callable[[int, Submission], str]


class Suspender:
    """What one rule does to a number besides rejecting its message.

    If no rule that checks for suspended numbers is enforced, it does nothing: a number is not told
    of a suspension that stops nothing.
    """

    __slots__ = (
        "_against_text",
        "_is_enforced",
        "_rule",
        "_sources",
        "_surroundings",
        "_words",
        "terms",
    )

    def __init__(
        self,
        rule: str,
        terms: SuspensionTerms,
        surroundings: RuleLocale,
        sources: SuspendedSources,
        *,
        is_enforced: bool,
    ) -> None:
        self.terms = terms
        self._rule = rule
        self._words = frozenset(map(key_of, terms.restore_words))
        self._surroundings = surroundings
        self._sources = sources
        self._is_enforced = is_enforced
        self._against_text = _looking_at(terms)

    def suspend(self, submission: Submission, finding: Finding, at: float) -> None:
        """Suspend the source of a message that is stopped by a limit of the rule.

        Not if the counters are full, not if the source is not a subscriber number, and not if the
        rule checks the texts and nothing is against them.
        """
        if not self._is_enforced or finding.reason is not Reason.FREQUENCY:
            return
        msisdn = msisdn_of(submission.source)
        if msisdn is None or not self._sources.may_be_suspended(msisdn, at):
            return
        note = finding.evidence
        if self._against_text is not None:
            found = self._against_text(msisdn, submission)
            if not found:
                return
            note = f"{note}; {found}"
        since = datetime.fromtimestamp(at, UTC)
        until = end_of(since, self.terms.working_days, self._surroundings)
        system_id = submission.account.system_id
        new = NewSuspension(msisdn, system_id, self._rule, since, until, note)
        self._sources.suspend(new)

    def is_restoring(self, text: str) -> bool:
        """Tell whether `text` is one of the words that lift the suspension."""
        return key_of(text) in self._words


def _looking_at(terms: SuspensionTerms) -> _AgainstText | None:
    if not terms.same_text:
        return None
    # Importing compiled code takes longer than all of this.
    from gateway.policy.similar_texts import BulkTexts  # noqa: PLC0415

    return BulkTexts(terms.same_text).against


def suspenders_of(bundle: Bundle, sources: SuspendedSources) -> Mapping[str, Suspender]:
    """Return the suspenders, by the id of their rule."""
    is_enforced = any(
        isinstance(one.check, SourceSuspension) and one.can_stop for one in bundle.rules
    )
    return {
        rule.id: Suspender(
            rule.id, rule.check.suspend, bundle.surroundings, sources, is_enforced=is_enforced
        )
        for rule in bundle.rules
        if isinstance(rule.check, TooOften) and rule.check.suspend is not None
    }


def end_of(since: datetime, working_days: int, surroundings: RuleLocale) -> datetime:
    """Return the midnight that ends the last of `working_days`, counted from the next one."""
    zone = ZoneInfo(surroundings.zone)
    last = surroundings.calendar.add_workdays(since.astimezone(zone).date(), working_days)
    return datetime.combine(last + timedelta(days=1), time(), zone).astimezone(UTC)
