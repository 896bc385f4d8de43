"""Judge recorded decisions again with one bundle, all of a second together. Pure.

What a record does not hold is not guessed: arrival times to the millisecond (so rate checks are
left out), scheduled times, and which messages were parts of one.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import groupby, repeat
from operator import attrgetter

from gateway.dataplane.judge_batch import UNCHECKED
from gateway.domain.categories import TrafficClass
from gateway.domain.sender import Purpose, Sender
from gateway.domain.verdict import Action, Basis, Finding, Reason
from gateway.filter.facts import TextFacts
from gateway.filter.scan import CodedText
from gateway.policy.bundle import Bundle, Rule
from gateway.policy.check import Counter, CountingCheck
from gateway.policy.checks import reasons_on
from gateway.policy.engine import count_together, stop_together
from gateway.policy.knowledge import Knowledge
from gateway.policy.ruleset import RuleSet
from gateway.policy.submission import Account, Submission
from gateway.policy.text_rulings import Course, StagedCounter
from gateway.records.replay_reader import SHADOW, Decision, ReplayOutcome, UnchangedReason
from gateway.smpp.commands import CommandId
from gateway.smpp.text import readings

# Records have names of reasons, also of such as are gone. No rule can be asked again about those of
# the moment.
OF_THE_MOMENT = reasons_on(Basis.MOMENT)
_OF_THE_TEXT = reasons_on(Basis.TEXT, Basis.CONTENT)
_OF_ADDRESSES = reasons_on(Basis.ADDRESSES)
_REPLACE_SM, _SUBMIT_MULTI = int(CommandId.REPLACE_SM), int(CommandId.SUBMIT_MULTI)
_HELD = frozenset({Action.QUARANTINE, Action.DEFER})
_OF_THE_WORDS = frozenset({Reason.CONTENT, Reason.CONTENT_UNREADABLE})

# A replace_sm has no data_coding: its text is read in each possible one, under a data_coding
# that no message can have.
_REPLACED, _REPLACED_CODINGS = -1, (8, 15, 0)

_PASSED = ReplayOutcome(Action.FORWARD.value, "")


class _Again(Submission):
    """A recorded message; `is_kept`: its verdict may depend on a text that was not kept."""

    __slots__ = ("at", "course", "decision", "is_kept", "is_replaced")

    at: float
    course: Course
    decision: Decision
    is_kept: bool
    is_replaced: bool

    @property
    def text(self) -> CodedText | None:
        """Return the text and its data_coding, None if the text was not kept."""
        text = self.decision.text
        return (_REPLACED, text[1]) if self.is_replaced and text is not None else text


class Judge:
    """Judges recorded messages in their order with one bundle and its own counters."""

    def __init__(self, bundle: Bundle, senders: Iterable[Sender], knowledge: Knowledge) -> None:
        rules = tuple(rule for rule in bundle.rules if rule.check.is_replayable)
        self._rules = RuleSet(replace(bundle, rules=rules), senders, knowledge)
        self._rules.share_refusals()
        staged = self._rules.rules.staged
        self._counters = tuple(one for one in staged if isinstance(one, StagedCounter))
        # One for each SP: facts cache the rulings of only a dozen kinds of sources.
        self._unseen: defaultdict[Account, TextFacts] = defaultdict(_not_kept)
        self.digest = bundle.digest
        self.memory_s = max(map(_memory_s, rules), default=0.0)

    def judge(self, decisions: Iterable[Decision]) -> list[ReplayOutcome | UnchangedReason]:
        """Return the outcome of each message; a message that passes is counted.

        Without its text, only rules that need none are asked, and recorded findings in the text
        stay. The result is as if each message were judged alone: checks without counters have
        one answer for all of a second, and counters are asked in the order of the messages.
        """
        found: list[ReplayOutcome | UnchangedReason] = []
        for _, second in groupby(decisions, _second_of):
            found += self._judge_together(list(second))
        return found

    def _judge_together(
        self, decisions: Sequence[Decision]
    ) -> Iterator[ReplayOutcome | UnchangedReason]:
        found = list(map(self._again, decisions))
        messages = [one for one in found if one is not None]
        courses = self._courses([one for one in messages if self._is_addressed(one)])
        for (course, _), those in courses.items():
            self._ask(course, those)
        self._settle(list(filter(_is_open, messages)), {course for course, _ in courses})
        return (UnchangedReason.SENDER_GONE if one is None else _outcome(one) for one in found)

    def _again(self, decision: Decision) -> _Again | None:
        head = decision.head
        account = self._rules.accounts.get(head.system_id)
        if account is None:
            return None
        # Without units nothing is taken from the sender's bucket, and nothing counted.
        one = _Again(account, decision.source, decision.destination, 0)
        one.decision, one.at, one.is_kept = decision, decision.at, False
        one.is_replaced = head.command_id == _REPLACE_SM
        return one

    def _is_addressed(self, one: _Again) -> bool:
        """Tell whether a message passes the checks of its addresses."""
        if one.is_replaced:
            return self._rules.judge_replacement(one, 0.0)
        if not self._rules.judge_address(one, 0.0):
            return False
        one.units = 1
        return True

    def _courses(self, messages: Sequence[_Again]) -> dict[tuple[Course, Account], list[_Again]]:
        """Return messages grouped by course and sender."""
        courses: defaultdict[tuple[Course, Account], list[_Again]] = defaultdict(list)
        course_of = self._rules.course_of
        for one, facts in zip(messages, self._facts_of(messages), strict=True):
            try:
                one.course = course = course_of(one, facts or self._facts_alone(one), one.at)
            except Exception:  # noqa: BLE001 - a text the filter fails on is held, as in the tick
                self._set_aside(one)
            else:
                courses[course, one.account].append(one)
        return courses

    def _facts_of(self, messages: Sequence[_Again]) -> Iterable[TextFacts | None]:
        """Return the facts of the messages' texts; None for all if the filter fails."""
        texts = [one.text for one in messages]
        try:
            facts = iter(self._scanned([text for text in texts if text is not None]))
            return [
                self._unseen[one.account] if text is None else next(facts)
                for one, text in zip(messages, texts, strict=True)
            ]
        except Exception:  # noqa: BLE001 - as above: only what fails is set aside
            return repeat(None, len(texts))

    def _facts_alone(self, one: _Again) -> TextFacts:
        text = one.text
        return self._unseen[one.account] if text is None else self._scanned([text])[0]

    def _scanned(self, texts: Sequence[CodedText]) -> list[TextFacts]:
        return self._rules.scan.scan(texts, _readings)

    def _set_aside(self, one: Submission) -> None:
        if one.verdict is None:
            self._rules.hold_against(one, (UNCHECKED,))

    def _ask(self, course: Course, those: Sequence[_Again]) -> None:
        """Run the checks of one course that are no counters on its messages."""
        try:
            stop_together(self._rules, course, those, those[0].at)
        except Exception:  # noqa: BLE001 - as above: only what fails is set aside
            for one in those:
                self._ask_alone(course, one)
        for one in those:
            if one.decision.text is None:
                _leave_words(one)
            elif one.verdict is None and one.facts is not None and one.facts.findings != ():
                self._rules.judge_content(one, one.facts)

    def _ask_alone(self, course: Course, one: _Again) -> None:
        if one.verdict is not None:
            return
        one.findings, one.deferral = (), None
        try:
            self._rules.passes(one, course, one.at)
        except Exception:  # noqa: BLE001 - as above
            self._set_aside(one)

    def _settle(self, messages: Sequence[_Again], courses: Iterable[Course]) -> None:
        """Run the counters on the messages in order, or defer the messages.

        On a course with a counter that may give back a count, messages are counted one by one.
        """
        alone = frozenset(filter(_gives_back, courses))
        if not alone:
            self._count(messages)
            return
        for is_alone, some in groupby(messages, lambda one: one.course in alone):
            if not is_alone:
                self._count(some)
            else:
                for one in some:
                    self._count((one,))

    def _count(self, messages: Iterable[_Again]) -> None:
        rules = self._rules
        lots: defaultdict[StagedCounter, list[_Again]] = defaultdict(list)
        for one in messages:
            if one.deferral is not None:
                rules.settle_on(one, one.course, one.at)
                continue
            for staged in one.course.counting:
                lots[staged].append(one)
        for staged in self._counters:
            left = [one for one in lots[staged] if one.verdict is None]
            for those in _of_a_moment(left, staged.counter):
                count_together(rules, (staged,), those, those[0].at, self._set_aside)


def _not_kept() -> TextFacts:
    """Return the facts of a text that was not kept: not whole, so what is missing is unknown."""
    return TextFacts((), (), is_whole=False)


def _second_of(decision: Decision) -> int:
    return int(decision.at)


def _of_a_moment(messages: Sequence[_Again], counter: Counter) -> Iterable[Sequence[_Again]]:
    """Split the messages of a second into groups that a counter sees at one time."""
    if counter.is_by_second:
        return (messages,) if messages else ()
    return [list(some) for _, some in groupby(messages, attrgetter("at"))]


def _is_open(one: _Again) -> bool:
    """Tell whether counters must be asked about a message."""
    return one.verdict is None and (not one.is_kept or one.decision.head.recorded.passes)


def _gives_back(course: Course) -> bool:
    return any(staged.counter.gives_back for staged in course.counting[:-1])


def _leave_words(one: _Again) -> None:
    """Drop findings due to the missing text; note if the verdict may depend on the text."""
    # Of preferences, only those that need no text were checked, and others take precedence.
    one.findings = tuple(f for f in one.findings if f.reason not in _OF_THE_TEXT)
    one.is_kept = _rests_on_text(one)
    deciding = one.verdict.deciding if one.verdict is not None else None
    if deciding is not None and deciding.reason in _OF_THE_TEXT:
        one.verdict, one.is_kept = None, True


def _rests_on_text(one: _Again) -> bool:
    """Tell whether the recorded finding may depend on the text, or on its class."""
    reason = one.decision.head.reason
    if not reason or reason in _OF_ADDRESSES:
        return False
    if reason in _OF_THE_TEXT:
        return True
    # What a port for marketing alone sends is commercial, but for codes; those are few (R22).
    is_for_marketing = one.port is not None and one.port.purposes == (Purpose.MARKETING,)
    return one.traffic is not TrafficClass.PUBLIC_INTEREST and not is_for_marketing


def _outcome(one: _Again) -> ReplayOutcome | UnchangedReason:
    verdict = one.verdict
    deciding = None if verdict is None else verdict.deciding
    if verdict is None or deciding is None:
        if one.is_kept:
            return UnchangedReason.TEXT_NOT_KEPT
        # The record says whether a consent request was the first of its kind (R23).
        return _same(SHADOW, one.findings[0].rule) if one.findings else _PASSED
    is_refused = verdict.action in _HELD and _is_rather_refused(one, deciding)
    return _same((Action.REJECT if is_refused else verdict.action).value, deciding.rule)


def _is_rather_refused(one: _Again, deciding: Finding) -> bool:
    """Tell whether a verdict that would hold a message rejects this one.

    A replace_sm and each destination of a submit_multi are rejected at once; but a finding in
    the words holds the whole submit_multi.
    """
    if one.is_replaced or one.decision.head.command_id != _SUBMIT_MULTI:
        return one.is_replaced
    return deciding is not UNCHECKED and deciding.reason not in _OF_THE_WORDS


@lru_cache
def _same(action: str, rule: str) -> ReplayOutcome:
    """Return the same object for the same outcome, so that it can be compared by id."""
    return ReplayOutcome(action, rule)


def _readings(octets: bytes, data_coding: int) -> tuple[str, ...]:
    if data_coding != _REPLACED:
        return readings(octets, data_coding)
    found = (text for coding in _REPLACED_CODINGS for text in readings(octets, coding))
    return tuple(dict.fromkeys(found))


def _memory_s(rule: Rule) -> float:
    """Return how long a rule remembers a message, in seconds; 0 if it has no counter."""
    return rule.check.memory_s if isinstance(rule.check, CountingCheck) and not rule.is_off else 0.0
