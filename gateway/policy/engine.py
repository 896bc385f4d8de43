"""The ways to judge: many messages of a tick, one for people, a released one, one that is due.

The result for a message of a tick is the same as from RuleSet alone, and so are the counts: a
message is counted after those that came before it, and not at all if something is against it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeAlias

from gateway.domain.held_findings import OverruledFindings
from gateway.domain.verdict import Action, Finding, Verdict, deciding_of
from gateway.filter.facts import TextFacts
from gateway.policy.findings import ASKING
from gateway.policy.ruleset import ADDRESS_STAGES, RuleSet
from gateway.policy.submission import Submission
from gateway.policy.text_rulings import Course, ReadyRule, StagedCounter

# Takes a message for which a counter failed, before or after there was a finding against it.
SetAside: TypeAlias = Callable[[Submission], None]

# With fewer messages it costs more to ask about all of them than about each.
_MANY = 4


def ask_together(
    rules: RuleSet, course: Course, messages: Sequence[Submission], at: float
) -> Sequence[Submission]:
    """Ask the rules that do not count about messages on one course; return those to be counted.

    They are those that nothing stops and that need not wait, in their order. There must be no
    finding against any yet, and the filter has hit nothing in their texts.
    """
    if len(messages) < _MANY:
        left: Sequence[Submission] = [one for one in messages if rules.passes(one, course, at)]
        return _at_once(rules, course, left, at)
    left, is_held = _stop(rules, course, messages, at)
    return _at_once(rules, course, left, at) if is_held or course.asks_consent else left


def stop_together(
    rules: RuleSet, course: Course, messages: Sequence[Submission], at: float
) -> None:
    """Ask the rules that do not count about messages on one course; nothing is settled yet."""
    if len(messages) >= _MANY:
        _stop(rules, course, messages, at)
        return
    for one in messages:
        rules.passes(one, course, at)


def count_together(
    rules: RuleSet,
    counting: Sequence[StagedCounter],
    messages: Sequence[Submission],
    at: float,
    set_aside: SetAside,
) -> None:
    """Count messages with the counters of `counting`, in the order in which they came.

    If a counter fails for one of them, only that one is set aside. The others are still counted
    once: each alone, from the failed counter on.
    """
    if any(staged.counter.gives_back for staged in counting[:-1]):
        # What an earlier counter counted may have to be taken back.
        _count_each(rules, counting, messages, at, set_aside)
        return
    left = messages
    for place, staged in enumerate(counting):
        try:
            against = staged.counter.ask_all(left, at)
        except Exception:  # noqa: BLE001 - any failure must not affect other messages
            _count_each(rules, counting[place:], left, at, set_aside)
            return
        stopped = False
        for one, evidence in against:
            try:
                stopped |= rules.counts_out(one, staged, evidence, at)
            except Exception:  # noqa: BLE001 - as above
                set_aside(one)
                stopped = True
        if stopped:
            left = _passing(left)


def _count_each(
    rules: RuleSet,
    counting: Sequence[StagedCounter],
    messages: Sequence[Submission],
    at: float,
    set_aside: SetAside,
) -> None:
    for one in messages:
        try:
            rules.counts_in(one, counting, at)
        except Exception:  # noqa: BLE001 - as above
            set_aside(one)


def _stop(
    rules: RuleSet, course: Course, messages: Sequence[Submission], at: float
) -> tuple[Sequence[Submission], bool]:
    """Return the messages that nothing stops, and whether some of them may have to wait."""
    left, is_held = messages, False
    for asked in course.asking:
        stopped = False
        for one in asked.sieve(left, at):
            evidence = asked.ask(one, at)
            if evidence is not None:
                is_held = True  # perhaps: what defers a message is evidence, too
                stopped |= rules.stops(one, asked, evidence)
        if stopped:
            left = _passing(left)
    return _unended(rules, left), is_held


def _unended(rules: RuleSet, messages: Sequence[Submission]) -> Sequence[Submission]:
    """Add what was found against texts to their messages; return those that this does not stop."""
    stopped = False
    for one in messages:
        if one.until is not None:
            stopped |= rules.ends(one)
    return _passing(messages) if stopped else messages


def _passing(messages: Sequence[Submission]) -> Sequence[Submission]:
    return [one for one in messages if one.verdict is None]


def _at_once(
    rules: RuleSet, course: Course, messages: Sequence[Submission], at: float
) -> Sequence[Submission]:
    """Settle messages that have to wait, and return the others."""
    for one in messages:
        if one.deferral is not None or one.asks_consent:
            rules.settle_on(one, course, at)
    return [one for one in messages if one.deferral is None and not one.asks_consent]


def explain(
    rules: RuleSet, submission: Submission, texts: tuple[str, ...], now: float, at: float
) -> Verdict:
    """Ask every rule, and return all findings with the verdict."""
    rules.keep_day(at)
    facts = rules.scan.explain_texts(texts)
    found = [f for stage in ADDRESS_STAGES if (f := stage(submission, now)) is not None]
    found += ask_all(rules, submission, facts, at)
    of_text = rules.rules.rule_text(submission, facts, at).found
    found += _asked_all(rules.counting_of(submission, at), submission, at)
    of_words = rules.of_words(facts)
    submission.findings += (*found, *of_words)
    against = (f for f in submission.findings if not f.shadow and f.action is not Action.DEFER)
    deciding = next(against, None)
    if deciding in of_text:
        deciding = deciding_of([*of_text, *of_words])
    if deciding is not None:
        return rules.verdict(submission, deciding)
    if submission.deferral is not None:
        return rules.verdict(submission, *submission.deferral)
    if submission.asks_consent:
        submission.findings += (ASKING,)
        return rules.verdict(submission, ASKING)
    return Verdict(Action.FORWARD, submission.findings, rules.digest)


def ask_all(rules: RuleSet, submission: Submission, facts: TextFacts, at: float) -> list[Finding]:
    """Return the findings of all rules that do not count, also after one that stops."""
    submission.facts = facts
    ruling = rules.rules.rule_text(submission, facts, at)
    submission.traffic, submission.template = ruling.traffic, ruling.template
    submission.asks_consent = ruling.asks_consent
    found = _asked_all(ruling.course.asking, submission, at)
    return [*found, *ruling.found]


def _asked_all(asked: Iterable[ReadyRule], submission: Submission, at: float) -> list[Finding]:
    found: list[Finding] = []
    for one in asked:
        evidence = one.ask(submission, at)
        if evidence is not None:
            finding = one.findings.of(submission, evidence)
            found.append(finding)
            if finding.action is Action.DEFER and not finding.shadow:
                submission.hold_back(finding)
    return found


_NOTHING = OverruledFindings()


def judge_again(  # noqa: PLR0913 - what the other ways take, and what people decided
    rules: RuleSet,
    submission: Submission,
    facts: TextFacts,
    now: float,
    at: float,
    overruled: OverruledFindings = _NOTHING,
    *,
    is_counted: bool = False,
) -> None:
    """Judge a message that a person released: all that was not `overruled` is asked again.

    What refuses the message comes before what holds it: a refusal received meanwhile wins. The
    hour is the subscriber's right, and no person outranks it (R40, R61). The sender's rate was
    charged when the message came; it counts now (R42), unless it `is_counted`.
    """
    units, submission.units = submission.units, 0
    if not rules.judge_address(submission, now):
        return
    submission.units = units
    found = [*ask_all(rules, submission, facts, at), *rules.of_words(facts)]
    left = [f for f in found if f.action is not Action.DEFER and not overruled.covers(f)]
    submission.findings += tuple(left)
    deciding = deciding_of(left)
    if deciding is not None:
        submission.verdict = rules.verdict(submission, deciding)
    elif submission.deferral is not None:
        submission.findings += (submission.deferral[0],)
        submission.verdict = rules.verdict(submission, *submission.deferral)
    elif (is_counted or _counts_in(rules, submission, at, overruled)) and submission.asks_consent:
        rules.ask_first(submission)


def _counts_in(
    rules: RuleSet, submission: Submission, at: float, overruled: OverruledFindings
) -> bool:
    """Count a message with all its counters; return False if one stops it that may."""
    for one in rules.counting_of(submission, at):
        evidence = one.ask(submission, at)
        if evidence is None:
            continue
        finding = one.findings.of(submission, evidence)
        if overruled.covers(finding):
            # It counted nothing, so that nothing of it is taken back where a later one stops it.
            submission.findings += (replace(finding, shadow=True),)
        elif rules.counts_out(submission, one, evidence, at):
            return False
    return True


def judge_due(
    rules: RuleSet, submission: Submission, facts: TextFacts, now: float, at: float
) -> None:
    """Judge a deferred message in full when its hour has come; it counts now (R21, R42).

    The sender's rate was charged when it came.
    """
    units, submission.units = submission.units, 0
    if rules.judge_address(submission, now):
        submission.units = units
        rules.judge_text(submission, facts, at)
