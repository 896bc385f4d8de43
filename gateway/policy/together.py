"""Messages of a tick judged together: each rule is asked once about all that it concerns.

What it does to a message is what RuleSet does to it alone, and so are the counts: a message is
counted after those that came before it, and not at all if something is against it.
"""

from collections.abc import Sequence

from gateway.policy.courses import Course
from gateway.policy.ruleset import RuleSet
from gateway.policy.staged import StagedCounter
from gateway.policy.submission import Submission

# With fewer it costs more to ask about all of them than about each.
_MANY = 4


def ask_together(
    rules: RuleSet, course: Course, messages: Sequence[Submission], at: float
) -> Sequence[Submission]:
    """Ask what does not count about messages that are on one course; return those to be counted.

    They are those that nothing stops and that need not wait, in their order. Nothing may stand
    against any yet, and the filter has hit nothing in their texts.
    """
    if len(messages) < _MANY:
        left: Sequence[Submission] = [one for one in messages if rules.passes(one, course, at)]
        return _at_once(rules, course, left, at)
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
    left = _unended(rules, left)
    return _at_once(rules, course, left, at) if is_held else left


def count_together(
    rules: RuleSet, counting: Sequence[StagedCounter], messages: Sequence[Submission], at: float
) -> None:
    """Count messages that `counting` are to count, in the order in which they came."""
    for staged in counting[:-1]:
        if staged.counter.gives_back:  # what it counted may have to be taken back, one by one
            for one in messages:
                rules.counts_in(one, counting, at)
            return
    left = messages
    for staged in counting:
        stopped = False
        for one, evidence in staged.counter.ask_all(left, at):
            stopped |= rules.counts_out(one, staged, evidence, at)
        if stopped:
            left = _passing(left)


def _unended(rules: RuleSet, messages: Sequence[Submission]) -> Sequence[Submission]:
    """Hold against messages what was found against their texts; return those that it spares."""
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
