"""Messages of a tick judged together: each rule is asked once about all that it concerns.

The result for a message is the same as from RuleSet alone, and so are the counts: a message is
counted after those that came before it, and not at all if something is against it.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from gateway.policy.courses import Course
from gateway.policy.ready_rule import StagedCounter
from gateway.policy.ruleset import RuleSet
from gateway.policy.submission import Submission

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
