"""Messages of one course judged together: each rule is asked once about all of them.

What it does to a message is what RuleSet does to it alone, and so are the counts: a message is
counted after those before it, and not at all if something is against it.
"""

from collections.abc import Sequence

from gateway.policy.courses import Course
from gateway.policy.ruleset import RuleSet
from gateway.policy.submission import Submission

# With fewer it costs more to ask about all of them than about each.
_MANY = 4


def judge_together(
    rules: RuleSet, course: Course, messages: Sequence[Submission], at: float
) -> None:
    """Judge messages by the rules of the course that `rules` has found them to be on.

    Nothing may stand against them yet, and the filter has hit nothing in their texts.
    """
    if len(messages) < _MANY:
        for one in messages:
            if rules.passes(one, course, at):
                rules.settle_on(one, course, at)
    else:
        _judge_many(rules, course, messages, at)


def _judge_many(rules: RuleSet, course: Course, messages: Sequence[Submission], at: float) -> None:
    left, is_held = messages, course.asks_consent
    for asked in course.asking:
        stopped = False
        for one in asked.sieve(left, at):
            evidence = asked.ask(one, at)
            if evidence is not None:
                is_held = True  # perhaps: what defers a message is evidence, too
                stopped |= rules.stops(one, asked, evidence)
        if stopped:
            left = _passing(left)
    if course.until:
        left = [one for one in left if not rules.ends(one, course)]
    if is_held:
        left = _at_once(rules, course, left, at)
    _count(rules, course, left, at)


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


def _count(rules: RuleSet, course: Course, messages: Sequence[Submission], at: float) -> None:
    if not course.counts_apart:
        for one in messages:
            rules.counts_in(one, course.counting, at)
        return
    left = messages
    for staged in course.counting:
        stopped = False
        for one, evidence in staged.counter.ask_all(left, at):
            stopped |= rules.counts_out(one, staged, evidence, at)
        if stopped:
            left = _passing(left)
