"""Suspending the number behind a source that goes over its caps, and stopping it then (R43)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from gateway.domain.msisdn import msisdn_of
from gateway.domain.policy import RuleEvent
from gateway.domain.suspension import NewSuspension, SuspensionTerms
from gateway.domain.verdict import Finding, Reason
from gateway.policy.bundle import Bundle
from gateway.policy.check import CheckQuestion, Evidence, RecipientCheck
from gateway.policy.checks.too_often import TooOften
from gateway.policy.hours import RuleLocale
from gateway.policy.knowledge import Knowledge, SuspendedSources
from gateway.policy.replies import key_of
from gateway.policy.submission import Submission

_SUSPENDED = Evidence("the number may send nothing for a while", zh="该号码暂停发送")


@dataclass(frozen=True, slots=True)
class SourceSuspension(RecipientCheck):
    """The number behind the source may send nothing for a while (R43)."""

    reason = Reason.SOURCE_SUSPENDED
    order = 10
    formerly = "suspended"
    is_replayable = False  # records do not tell which numbers were restored meanwhile

    def question(self, knowledge: Knowledge, locale: RuleLocale) -> CheckQuestion:
        """Return the check, ready to be asked."""
        sources = knowledge.suspended

        def ask(submission: Submission, at: float) -> Evidence | None:
            if not sources.until:
                return None
            msisdn = msisdn_of(submission.source)  # in any spelling
            if msisdn is None:  # a peer may write more before it
                msisdn = msisdn_of(submission.origin.home.number.encode())
            if msisdn is None or not sources.is_suspended(msisdn, at):
                return None
            return _SUSPENDED

        def sieve(submissions: Sequence[Submission], _at: float) -> Sequence[Submission]:
            return submissions if sources.until else ()

        return CheckQuestion(ask, sieve)


class Suspender:
    """What one rule does to a number besides rejecting its message.

    If no rule that checks for suspended numbers is enforced, it does nothing: a number is not told
    of a suspension that stops nothing.
    """

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
        # Returns what is against the text of a message from a number over its caps, "" for nothing.
        self._against_text: Callable[[int, Submission], str] | None = None
        if terms.same_text:
            # Importing compiled code takes longer than all of this.
            from gateway.policy.similar_texts import BulkTexts  # noqa: PLC0415

            self._against_text = BulkTexts(terms.same_text).against

    def suspend(self, submission: Submission, finding: Finding, at: float) -> None:
        """Suspend the source of a message that is stopped by a limit of the rule.

        Not if the counters are full, not if the source is not a subscriber number, and not if the
        rule checks the texts and nothing is against them.
        """
        if not self._is_enforced or finding.reason is not TooOften.reason:
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
        self._sources.suspend(NewSuspension(msisdn, system_id, self._rule, since, until, note))

    def is_restoring(self, text: str) -> bool:
        """Tell whether `text` is one of the words that lift the suspension."""
        return key_of(text) in self._words


def suspenders_of(bundle: Bundle, sources: SuspendedSources) -> Mapping[str, Suspender]:
    """Return the suspenders, by the id of their rule."""
    is_enforced = any(
        isinstance(one.check, SourceSuspension) and one.can_stop and one.event is RuleEvent.SUBMIT
        for one in bundle.rules
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
